"""Where the time of one case went, and where its promise broke: by part and by step, beside what is usual."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from observability.learning.proposed import told
from observability.learning.usual import MINIMUM, NOWHERE, Cell, Typical, Usual, apportion
from workunits.core.clocks import UNIT
from workunits.core.parts import PARTS, Slice, slices
from workunits.core.record import Interval, Microseconds, Record

_SECOND = 1_000_000
_VOWELS = "aeiou"
Say = Callable[[int], str]
"""Says a duration that was counted in microseconds."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One performance of a step, and the part of the case's time that is its own; or the time of no step."""

    key: str | None
    step: str | None
    kind: str | None
    """`external` for a step that someone outside performs."""
    wall: Mapping[str, Microseconds]
    """By part; only parts that it has."""
    working: Mapping[str, Microseconds]


@dataclass(frozen=True, slots=True)
class Share:
    """What one part of one step has of a case's time, beside what is usual."""

    step: str | None
    part: str
    spent: Microseconds
    usual: Typical | None
    """None: there is nothing to compare with."""
    lateness: Microseconds
    """How much of the case's lateness it makes; of all shares together, all of it."""

    @property
    def excess(self) -> Microseconds | None:
        """By how much it is longer than usual; negative when it is shorter."""
        return None if self.usual is None else self.spent - self.usual.median


@dataclass(frozen=True, slots=True)
class Explanation:
    """One case, explained; durations in microseconds."""

    record: Record
    elapsed: Microseconds
    working: Microseconds
    """The elapsed time without what was outside the calendar's hours."""
    pieces: Sequence[Piece]
    """In the order of the record; the time of no step comes last. Together they are the elapsed time."""
    inside: Mapping[str, Microseconds]
    """Rework by what was done in it."""
    shares: Sequence[Share]
    """By step and part, the largest excess first."""
    usual: Usual
    before: Usual | None
    """The baseline's."""
    broke: Slice | None
    """What went on when the due time passed."""
    roles: Mapping[str, str] = field(default_factory=dict)

    @property
    def parts(self) -> Mapping[str, Microseconds]:
        """The elapsed time by part."""
        return _by_part(piece.wall for piece in self.pieces)

    @property
    def working_parts(self) -> Mapping[str, Microseconds]:
        """The working time by part."""
        return _by_part(piece.working for piece in self.pieces)

    @property
    def executors(self) -> Mapping[str, Mapping[str, Microseconds]]:
        """The elapsed time by executor kind and part; the time of no step under `none`."""
        kinds = dict.fromkeys(piece.kind for piece in self.pieces)
        return {kind or "none": _by_part(one.wall for one in self.pieces if one.kind == kind) for kind in kinds}

    @property
    def lateness(self) -> Microseconds:
        """How long after its due time it closed, or is open."""
        return lateness_of(self.record, self.elapsed)

    def sentence(self, say: Say) -> str:
        """Say what the time was lost on, the largest excess first."""
        if not self.shares:
            return "No time has passed yet."
        first = self.shares[0]
        what, spent = self.named(first), say(first.spent)
        most = f"the largest part is {what}: {spent}"
        if first.usual is None:
            return f"There is nothing to compare with: {self._too_few()}; {most}."
        if (first.excess or 0) <= 0:
            return f"No part took longer than is usual (n={self.usual.n}); {most}."
        usual = f"{spent} against a median of {say(first.usual.median)} (n={first.usual.n})"
        if not self.lateness:
            return f"The largest excess is {what}: {usual}."
        return f"{round(first.lateness / self.lateness * 100)} % of the lateness is {what}: {usual}."

    def _too_few(self) -> str:
        if not self.usual.asked:
            return "the ledger does not have the case"
        count = f"{self.usual.n} closed case{'' if self.usual.n == 1 else 's'}"
        return f"{count} of version {self.record.version}, and {MINIMUM} are needed"

    def named(self, share: Share) -> str:
        """What a share is, in words: `waiting for a reviewer at decide`."""
        return named(share.step, share.part, self.roles)

    def as_json(self, say: Say) -> dict[str, Any]:
        """As JSON values; seconds have six decimals, which is exact."""
        record = self.record
        return {
            "case": record.case,
            "unit": record.unit,
            "version": record.version,
            "close": record.close,
            "started": record.started,
            "due": record.when(record.due) if record.due else None,
            "breached": None if record.breached is None else record.when(record.breached),
            "sentence": self.sentence(say),
            "elapsed_seconds": seconds(self.elapsed),
            "working_seconds": seconds(self.working),
            "lateness_seconds": seconds(self.lateness),
            "parts": _seconds_of(self.parts),
            "working_parts": _seconds_of(self.working_parts),
            "rework_inside": _seconds_of(self.inside),
            "steps": [_piece_json(piece) for piece in self.pieces],
            "executors": {kind: _seconds_of(parts) for kind, parts in self.executors.items()},
            "broke": self._broke_json(),
            "compared": {
                "n": self.usual.n,
                "minimum": MINIMUM,
                "parts": {part: self._compared(part) for part in PARTS},
                "baseline": self.before.n if self.before else None,
                "shares": [self._share_json(share) for share in self.shares],
            },
            "exceptions": [
                {"after_seconds": seconds(one.at), "step": one.key, "code": one.code, "business": one.business}
                | {"routed_to": one.to}
                for one in record.routes
            ],
            "trace": list(trace(record)),
        }

    def _compared(self, part: str) -> dict[str, Any]:
        usual, before = self.usual.part(part), self.before.part(part) if self.before else None
        return {
            "median_seconds": None if usual is None else seconds(usual),
            "excess_seconds": None if usual is None else seconds(self.parts[part] - usual),
            "baseline_median_seconds": None if before is None else seconds(before),
        }

    def _share_json(self, share: Share) -> dict[str, Any]:
        return {
            "step": share.step,
            "part": share.part,
            "seconds": seconds(share.spent),
            "median_seconds": seconds(share.usual.median) if share.usual else None,
            "n": share.usual.n if share.usual else 0,
            "excess_seconds": None if share.excess is None else seconds(share.excess),
            "lateness_seconds": seconds(share.lateness),
        }

    def _broke_json(self) -> dict[str, Any] | None:
        if self.broke is None or self.record.breached is None:
            return None
        work = None if self.broke.work is None else self.record.steps[self.broke.work]
        when = self.record.when(self.record.breached)
        return {"at": when, "part": self.broke.part, "step": work.step if work else None}


def explain(
    record: Record,
    now: datetime,
    usual: Usual,
    *,
    before: Usual | None = None,
    roles: Mapping[str, str] | None = None,
    off: Sequence[Interval] = (),
) -> Explanation:
    """Explain a case.

    Args:
        record: The case.
        now: For an open case, the end of what goes on.
        usual: What is usual in its version.
        before: What was usual in the baseline.
        roles: Who does each human step, for the sentence.
        off: The time outside the calendar's hours, as in `parts`.
    """
    end = record.closed if record.closed is not None else record.offset(now)
    wall, working, inside = Counter[tuple[int | None, str]](), Counter[tuple[int | None, str]](), Counter[str]()
    broke: Slice | None = None
    for piece in slices(record, end, off):
        wall[piece.work, piece.part] += piece.length
        working[piece.work, piece.part] += 0 if piece.off else piece.length
        inside[piece.inside] += piece.length if piece.part == "rework" else 0
        if record.breached is not None and piece.begin <= record.breached < piece.end:
            broke = piece
    return Explanation(
        record=record,
        elapsed=end,
        working=working.total(),
        pieces=list(_pieces(record, wall, working)),
        inside=+inside,
        shares=_shares(record, end, wall, usual),
        usual=usual,
        before=before,
        broke=broke,
        roles=roles or {},
    )


def lateness_of(record: Record, end: Microseconds) -> Microseconds:
    """How long after its due time a case closed or is open; 0 when it kept its promise, or has none."""
    due = record.breached if record.breached is not None else (record.due if record.close is None else 0)
    return max(0, end - due) if due else 0


def trace(record: Record) -> Iterator[dict[str, Any]]:
    """Exceptions and routes, rungs with their lateness, incidents, deeds on clocks, proposals, in the order of time."""
    found: list[dict[str, Any]] = [
        {
            "after_seconds": seconds(one.at),
            "at": record.when(one.at),
            "what": "exception" if one.business else "technical_failure",
            "step": one.key,
            "code": one.code,
            "routed_to": one.to,
        }
        for one in record.routes
    ]
    found += [
        {
            "after_seconds": seconds(rung.at),
            "at": record.when(rung.at),
            "what": rung.rung,
            "step": rung.task or (rung.clock if rung.clock != UNIT else None),
            "due": record.when(rung.due),
            "late_seconds": seconds(max(0, rung.at - rung.due)),
        }
        for rung in record.rungs
    ]
    found += [
        {
            "after_seconds": seconds(one.at),
            "at": record.when(one.at),
            "what": "incident",
            "step": one.key,
            "said": f"{one.code}: tried {one.tries} time{'' if one.tries == 1 else 's'}, {one.state}",
        }
        for one in record.incidents
    ]
    found += [
        {
            "after_seconds": seconds(entry.at),
            "at": record.when(entry.at),
            "what": f"{entry.entry} of the clock",
            "step": entry.clock if entry.clock != UNIT else None,
            "said": entry.reason,
        }
        for entry in record.entries
    ]
    found += [
        {
            "after_seconds": seconds(one.proposed.at),
            "at": record.when(one.proposed.at),
            "what": "proposal of a model",
            "step": one.key,
            "said": one.line(),
        }
        for one in told(record)
    ]
    yield from sorted(found, key=lambda one: one["at"])


def named(step: str | None, part: str, roles: Mapping[str, str]) -> str:
    """What a part of a step is, in words: `waiting for a reviewer at decide`."""
    where = f" at {step}" if step else ""
    if part == "queue":
        role = roles.get(step or "", "")
        who = f"{'an' if role[0].lower() in _VOWELS else 'a'} {role}" if role else "someone or something to begin"
        return f"waiting for {who}{where}"
    words = {
        "rework": "rework",
        "touch_human": "people's work",
        "touch_machine": "machines' work",
        "retry": "failed attempts and their pauses",
        "external_wait": "waiting for someone outside",
        "off_hours": "time outside working hours",
    }
    return f"{words[part]}{where}" if part in words else "idle time, in no step"


def seconds(count: Microseconds) -> float:
    """Microseconds as seconds."""
    return count / _SECOND


def _pieces(
    record: Record, wall: Mapping[tuple[int | None, str], int], working: Mapping[tuple[int | None, str], int]
) -> Iterator[Piece]:
    for place, work in [*enumerate(record.steps), (None, None)]:
        of = {part: wall[place, part] for part in PARTS if (place, part) in wall}
        if work is None and not of:
            return
        kind = None if work is None else "external" if work.external else work.kind
        inside = {part: working[place, part] for part in of}
        yield Piece(work.key if work else None, work.step if work else None, kind, of, inside)


def _shares(
    record: Record, end: Microseconds, wall: Mapping[tuple[int | None, str], int], usual: Usual
) -> Sequence[Share]:
    cells: Counter[Cell] = Counter()
    for (place, part), spent in wall.items():
        cells[NOWHERE if place is None else record.steps[place].step, part] += spent
    typical = {cell: usual.of(cell) for cell in cells}
    late = apportion(lateness_of(record, end), weights(cells, typical))
    found = [Share(cell[0] or None, cell[1], spent, typical[cell], late.get(cell, 0)) for cell, spent in cells.items()]
    return sorted(found, key=lambda one: (-(one.spent if one.excess is None else one.excess), -one.spent))


def weights(cells: Mapping[Cell, int], typical: Mapping[Cell, Typical | None]) -> Mapping[Cell, int]:
    """What lateness is shared out by: what exceeds the usual; where nothing does, the time itself."""
    excess = {cell: max(0, spent - there.median) for cell, spent in cells.items() if (there := typical[cell])}
    return excess if any(excess.values()) else cells


def _by_part(some: Iterator[Mapping[str, int]] | Any) -> Mapping[str, int]:
    total: Counter[str] = Counter(dict.fromkeys(PARTS, 0))
    for one in some:
        total.update(one)
    return dict(total)


def _seconds_of(parts: Mapping[str, int]) -> dict[str, float]:
    return {part: seconds(count) for part, count in parts.items()}


def _piece_json(piece: Piece) -> dict[str, Any]:
    return {
        "key": piece.key,
        "step": piece.step,
        "kind": piece.kind,
        "seconds": seconds(sum(piece.wall.values())),
        "working_seconds": seconds(sum(piece.working.values())),
        "parts": _seconds_of(piece.wall),
        "working_parts": _seconds_of(piece.working),
    }
