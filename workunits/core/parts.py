"""Where the time of a case went: every microsecond in exactly one part, and at most one step.

Intervals of different steps overlap; the first part in `PARTS` that applies takes the time. A sweep over the
intervals' ends computes it, so the parts add up to the elapsed time exactly, by construction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .record import Interval, Microseconds, Record, Work

PARTS = (
    "rework",
    "touch_human",
    "touch_machine",
    "retry",
    "external_wait",
    "off_hours",
    "queue",
    "idle",
)
"""In the order of precedence (semantics, section 0)."""
_RANKS = {part: rank for rank, part in enumerate(PARTS)}
_REWORK, _OFF, _IDLE = _RANKS["rework"], _RANKS["off_hours"], _RANKS["idle"]
_NOBODY = -1
_Edge = tuple[int, int]
"""A performance by its place in the record, and a part by its rank."""


@dataclass(frozen=True, slots=True)
class Slice:
    """A stretch of a case's time in which nothing begins or ends."""

    begin: Microseconds
    end: Microseconds
    part: str
    inside: str
    """Of rework: the part that the repeat itself was in; else the part again."""
    work: int | None
    """The performance that the time belongs to, by its place in the record; idle time belongs to none."""
    off: bool
    """Outside the calendar's hours, whatever was done in it."""

    @property
    def length(self) -> Microseconds:
        """How long it is."""
        return self.end - self.begin


def parts(record: Record, now: Microseconds | None = None, off: Sequence[Interval] = ()) -> dict[str, Microseconds]:
    """Split a case's elapsed time.

    Args:
        record: The case; closed, or open with `now`.
        now: For an open case: how long it has been running.
        off: The time outside the hours of the unit's calendar; nothing where it has none.

    Returns:
        Microseconds by part; they add up to the elapsed time.
    """
    total = dict.fromkeys(PARTS, 0)
    for piece in slices(record, now, off):
        total[piece.part] += piece.length
    return total


def slices(record: Record, now: Microseconds | None = None, off: Sequence[Interval] = ()) -> Iterator[Slice]:
    """Cut a case's elapsed time into slices, in order and without gaps; the arguments are those of `parts`.

    Where several performances are in the same part at once, the time belongs to the first of them on the record.
    """
    end, off = record.closed if record.closed is not None else now or 0, off or record.off
    said = [(of, place, part) for place, work in enumerate(record.steps) for of, part in _spans(work, end)]
    said += [(of, _NOBODY, "off_hours") for of in off]
    spans = [(max(0, a), min(b, end), (place, _RANKS[part])) for (a, b), place, part in said if max(0, a) < min(b, end)]
    begins, ends = _by_edge((a, what) for a, _, what in spans), _by_edge((b, what) for _, b, what in spans)
    live = _Live()
    for here, there in pairwise(sorted({0, end, *begins, *ends})):
        live.move(begins.get(here, ()), 1)
        live.move(ends.get(here, ()), -1)
        yield live.slice(here, there)


class _Live:
    """What is going on at one moment: which performance is in which parts."""

    def __init__(self) -> None:
        self._held: Counter[_Edge] = Counter()

    def move(self, edges: Iterable[_Edge], by: int) -> None:
        for edge in edges:
            self._held[edge] += by
            if not self._held[edge]:
                del self._held[edge]

    def slice(self, here: Microseconds, there: Microseconds) -> Slice:
        """The first part that applies takes the time, and with it the performance that is in it."""
        off = (_NOBODY, _OFF) in self._held
        rank, place = min(((rank, place) for place, rank in self._held if place != _NOBODY), default=(_IDLE, None))
        inside = rank
        if rank == _REWORK:  # of several repeats at once, the time belongs to the one in which most is done
            repeats = {place for place, rank in self._held if rank == _REWORK}
            within = [(rank, place) for place, rank in self._held if place in repeats and rank != _REWORK]
            inside, place = min(within, default=(_IDLE, place))
        elif off and rank > _OFF:
            rank = _OFF
        # What would wait in the calendar's hours does not wait outside them.
        inside = _OFF if off and inside > _OFF else inside
        return Slice(here, there, PARTS[rank], PARTS[inside], place, off)


def _spans(work: Work, end: Microseconds) -> Iterator[tuple[Interval, str]]:
    """The intervals of one performance, each with its part."""
    until = work.done if work.done is not None else end
    if work.redo_of:
        yield (work.ready, until), "rework"
    if work.inside:  # another unit performed it, and has said how its time was spent
        yield from (((a, b), part) for part, a, b in work.inside if part != "idle")
        return
    if work.external:
        yield (work.ready, until), "external_wait"
        return
    going_on = [(work.since, until)] if work.since is not None else []
    worked = [*work.work, *(going_on if work.now is None else [])]
    for interval in worked:
        yield interval, "touch_human" if work.kind == "human" else "touch_machine"
    for interval in work.retry:
        yield interval, "retry"
    for interval in (*work.waits, *(going_on if work.now == "waiting" else [])):
        yield interval, "external_wait"
    # A machine step that has ended waits only for the case to take its result: that is idle, not queue.
    has_ended = work.kind != "human" and work.done is not None
    last = max((b for _, b in worked), default=until) if has_ended else until
    held = [*work.held, *(going_on if work.now == "suspended" else [])]
    for interval in _outside(held, work.ready, last):
        yield interval, "queue"


def _outside(held: Iterable[Interval], begin: Microseconds, end: Microseconds) -> Iterator[Interval]:
    """The rest of an interval: what was suspended in it is idle, not queue."""
    for a, b in sorted(held):
        if begin < a:
            yield begin, min(a, end)
        begin = max(begin, b)
    yield begin, end


def _by_edge(edges: Iterable[tuple[Microseconds, _Edge]]) -> dict[Microseconds, list[_Edge]]:
    found: dict[Microseconds, list[_Edge]] = {}
    for at, what in edges:
        found.setdefault(at, []).append(what)
    return found
