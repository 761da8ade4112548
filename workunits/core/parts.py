"""Where the time of a case went: every microsecond in exactly one part.

Intervals of different steps overlap; the first part in `PARTS` that applies takes the time. A sweep over the
intervals' ends computes it, so the parts add up to the elapsed time exactly, by construction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
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


def parts(record: Record, now: Microseconds | None = None) -> dict[str, Microseconds]:
    """Split a case's elapsed time.

    Args:
        record: The case; closed, or open with `now`.
        now: For an open case: how long it has been running.

    Returns:
        Microseconds by part; they add up to the elapsed time. `off_hours` stays 0 until a unit has a calendar.
    """
    end = record.closed if record.closed is not None else now or 0
    spans = [
        (max(0, a), min(b, end), part) for work in record.steps for (a, b), part in _spans(work, end) if min(b, end) > a
    ]
    edges = sorted({0, end, *(a for a, _, _ in spans), *(b for _, b, _ in spans)})
    total: Counter[str] = Counter(dict.fromkeys(PARTS, 0))
    starts, ends = _by_edge((a, part) for a, _, part in spans), _by_edge((b, part) for _, b, part in spans)
    live: Counter[str] = Counter()
    for here, there in pairwise(edges):
        live.update(starts.get(here, ()))
        live.subtract(ends.get(here, ()))
        total[next((part for part in PARTS if live[part] > 0), "idle")] += there - here
    return dict(total)


def _spans(work: Work, end: Microseconds) -> Iterator[tuple[Interval, str]]:
    """The intervals of one performance, each with its part."""
    until = work.done if work.done is not None else end
    if work.redo_of:
        yield (work.ready, until), "rework"
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


def _by_edge(edges: Iterable[tuple[Microseconds, str]]) -> dict[Microseconds, list[str]]:
    found: dict[Microseconds, list[str]] = {}
    for at, part in edges:
        found.setdefault(at, []).append(part)
    return found
