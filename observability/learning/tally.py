"""The figures of a baseline, gathered trace by trace: eight bytes for each figure, and nothing of its events."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Any

from observability.learning.estimates import as_json, censored, rate, spread
from observability.learning.mapping import LogMap
from observability.learning.overlap import counted_twice
from observability.learning.pieces import Piece
from observability.learning.traces import UNSAID, Case
from observability.ledger.figures import HANDOFFS

UNBEGUN, UNFINISHED, UNPERFORMED = "completed_without_start", "started_without_end", "scheduled_only"


class _Spans(defaultdict[Any, "array[int]"]):
    """Durations by what they are of."""

    def __init__(self) -> None:
        super().__init__(lambda: array("q"))


class Tally:
    """What has been read so far."""

    def __init__(self, mapping: LogMap) -> None:
        """Begin at nothing."""
        self._map = mapping
        self._bits = {step: 1 << number for number, step in enumerate(mapping.step_names)}
        self.n = 0
        self.window: tuple[int, int] | None = None
        self._cycles, self._closed = array("q"), array("b")
        self._by_close = _Spans()
        self._closes: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self.segments: Counter[str] = Counter()
        self._milestones: Counter[str] = Counter()
        self._codes: Counter[str] = Counter()
        self._of_closed: Counter[str] = Counter()
        self._handoffs: Counter[str] = Counter()
        self._pieces: Counter[tuple[str, str]] = Counter()
        """By step and executor kind."""
        self._unpaired: Counter[tuple[str, str]] = Counter()
        """By step and what is missing."""
        self._step_traces: Counter[str] = Counter()
        self._queues, self._touches = _Spans(), _Spans()
        """By step, and touch also by (step, kind) and (kind,)."""
        self._measured = 0
        """The steps with a start anywhere in the log, as bits."""
        self._lacking: list[int] = []
        """For each trace with work, the steps that lack a start or an end, as bits."""
        self._efforts_of = {name: array("q") for name in ("human", "machine", "active", "cycle")}
        """For each trace with work: touch of people and machines, active span, cycle time."""
        self._people: dict[str, int] = {}
        self._busy: tuple[array[int], array[int], array[int]] = (array("q"), array("q"), array("q"))
        """Intervals of people: who, from, to."""

    def add(self, case: Case) -> None:
        """Count one trace."""
        self.n += 1
        first, last = self.window or (case.started_at, case.ended_at)
        self.window = min(first, case.started_at), max(last, case.ended_at)
        close = case.close or "open"
        self._cycles.append(case.cycle_time)
        self._closed.append(case.close is not None)
        self._by_close[close].append(case.cycle_time)
        self._closes[close] += 1
        self.segments[case.segment or UNSAID] += 1
        self._milestones.update(case.milestones)
        self._handoffs.update(case.handoffs)
        if case.close is not None:
            self._add_closed(case)
        if case.pieces:
            self._add_work(case)

    def person(self, name: str | None) -> int | None:
        """The number of a person: who is the same must be known, who it is need not."""
        return None if name is None else self._people.setdefault(name, len(self._people) + 1)

    def _add_closed(self, case: Case) -> None:
        if case.reason:
            self._reasons[case.reason] += 1
        self._codes.update(case.exceptions)
        human = any(piece.kind == "human" and piece.performed for piece in case.pieces)
        clean = case.close == "achieved" and not case.exceptions and not case.reworked
        facts = {"exception": bool(case.exceptions), "rework": case.reworked, "untouched": not human, "clean": clean}
        self._of_closed.update(fact for fact, holds in facts.items() if holds)

    def _add_work(self, case: Case) -> None:
        lacking = 0
        for piece in case.pieces:
            lacking |= self._add_piece(piece)
        self._step_traces.update({piece.step for piece in case.pieces if piece.performed})
        if any(piece.performed for piece in case.pieces):
            self._lacking.append(lacking)
            efforts = (case.touch(human=True), case.touch(human=False), case.active, case.cycle_time)
            for column, effort in zip(self._efforts_of.values(), efforts, strict=True):
                column.append(effort)

    def _add_piece(self, piece: Piece) -> int:
        """Count one; gives its step's bit when a start or an end is missing."""
        bit = self._bits[piece.step]
        if piece.queue is not None:
            self._queues[piece.step].append(piece.queue)
        if not piece.performed:
            self._unpaired[piece.step, UNPERFORMED] += 1
            return 0
        self._pieces[piece.step, piece.kind] += 1
        person = self.person(piece.performer) if piece.kind == "human" else None
        if piece.begun is None:
            self._unpaired[piece.step, UNBEGUN] += 1
            return bit
        self._measured |= bit
        if piece.touch is None:
            self._unpaired[piece.step, UNFINISHED] += 1
            return bit
        self._touches[piece.step, piece.kind].append(piece.touch)
        if person is not None:
            for start, end in piece.work:
                for column, value in zip(self._busy, (person, start, end), strict=True):
                    column.append(value)
        return bit if piece.since is not None else 0

    def figures(self) -> Mapping[str, Any]:
        """The figures as JSON values: durations in microseconds, each with its n; what the log cannot say is None."""
        closed = self.n - self._closes["open"]
        exceptions, rework = self._map.exceptions is not None, self._map.rework is not None
        facts = self._of_closed
        human = any(kind == "human" for _, kind in self._pieces)
        found = {
            "cycle_time_us": spread(self._cycles),
            "cycle_time_censored_us": censored(self._cycles, self._closed),
            "cycle_time_by_close_us": {close: spread(times) for close, times in sorted(self._by_close.items())},
            "closes": dict(self._closes),
            "reasons": dict(self._reasons.most_common()),
            "attainment": rate(self._closes["achieved"], closed),
            "exceptions": {
                "any": rate(facts["exception"], closed),
                "by_code": {code: rate(self._codes[code], closed) for code in sorted(self._exception_codes())},
            }
            if exceptions
            else None,
            "rework": rate(facts["rework"], closed) if rework else None,
            "first_pass_yield": rate(facts["clean"], closed) if exceptions and rework else None,
            "straight_through": rate(facts["untouched"], closed) if human else None,
            "queue_us": spread(_joined(self._queues.values())),
            **self._efforts(),
            "handoffs": self._handed(),
            "steps": {step: self._step(step) for step in self._bits},
            "kinds": self._kinds(),
            "milestones": dict(self._milestones.most_common()),
            "external_wait_us": None,
            "sla": None,
            "quality": None,
            "cost": None,
        }
        return {name: as_json(value) for name, value in found.items()}

    def _exception_codes(self) -> set[str]:
        return set((self._map.exceptions or {}).values())

    def _efforts(self) -> Mapping[str, Any]:
        """Of traces with work whose every start and end is known, on steps that the log measures at all."""
        keep = [not lacking & self._measured for lacking in self._lacking] if self._measured else []
        human, machine, active, cycle = (array("q", compress(of, keep)) for of in self._efforts_of.values())
        shares = [a / c for a, c in zip(active, cycle, strict=True) if c]
        spread_of_shares = spread(shares)
        by_kind = {kind for _, kind in self._touches}
        return {
            "touch_human_us": spread(human) if "human" in by_kind else None,
            "touch_machine_us": spread(machine) if by_kind - {"human"} else None,
            "active_us": spread(active),
            "flow_efficiency": spread_of_shares and {**as_json(spread_of_shares), "overall": sum(active) / sum(cycle)},
            "touch_left_out": len(keep) - sum(keep) if self._measured else None,
            "touch_overlapping": counted_twice(*self._busy),
        }

    def _handed(self) -> Mapping[str, Any] | None:
        """Totals by kind, and the mean of a trace; None for a log that names nobody."""
        kinds = {kind for _, kind in self._pieces}
        if not self._people and kinds <= {"human"}:
            return None
        total = sum(self._handoffs[kind] for kind in HANDOFFS)
        counts = {kind: self._handoffs[kind] for kind in (*HANDOFFS, UNSAID)}
        return {**counts, "per_case": total / self.n}

    def _step(self, step: str) -> Mapping[str, Any]:
        kinds = {kind: count for (of, kind), count in self._pieces.items() if of == step}
        missing = {what: self._unpaired[step, what] for what in (UNBEGUN, UNFINISHED, UNPERFORMED)}
        return {
            "pieces": sum(kinds.values()),
            "traces": self._step_traces[step],
            "queue_us": spread(self._queues[step]),
            "touch_us": spread(_joined(self._touches.get((step, kind), ()) for kind in kinds)),
            "by_kind": {
                kind: {"pieces": count, "touch_us": spread(self._touches.get((step, kind), ()))}
                for kind, count in sorted(kinds.items())
            },
            **missing,
        }

    def _kinds(self) -> Mapping[str, Any]:
        kinds = sorted({kind for _, kind in self._pieces})
        return {
            kind: {
                "pieces": sum(count for (_, of), count in self._pieces.items() if of == kind),
                "touch_us": spread(_joined(times for (_, of), times in self._touches.items() if of == kind)),
            }
            for kind in kinds
        }


def _joined(parts: Any) -> Sequence[int]:
    joined = array("q")
    for part in parts:
        joined.extend(part)
    return joined
