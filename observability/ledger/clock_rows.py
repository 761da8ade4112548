"""The rows of a case's clocks: how they stand, what fired, what people did to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from workunits.core.clocks import UNIT
from workunits.core.promise import Target, Urgency
from workunits.core.record import ClockEntry, ClockFacts, Microseconds, Record, Rung

Row = dict[str, Any]
_USUAL = Urgency()


def clock_rows(record: Record) -> list[Row]:
    """One row for each clock; of a case that was never armed, or does not tell of them, none."""
    if not record.due or "clocks" in record.left_out:
        return []
    shown = {facts.clock: facts for facts in record.clocks} or {UNIT: _only(record)}
    return [_unit(record, facts) if facts.clock == UNIT else _other(record, facts) for facts in shown.values()]


def _only(record: Record) -> ClockFacts:
    """The clock of a case that has no other, in elapsed time, and to which nothing was done."""
    consumed = record.closed or 0
    return ClockFacts(clock=UNIT, name=UNIT, started=0, budget=record.due, consumed=consumed, stopped=record.closed)


def _unit(record: Record, facts: ClockFacts) -> Row:
    result, closed = record.sla, record.close is not None
    state = "void" if result == "void" else "stopped" if closed else facts.state
    return _row(record, facts) | {
        "state": state,
        "result": result if closed or result == "void" else None,
        "due_at": record.when(record.due),
        "breached_at": _when(record, record.breached),
        "consumed_us": facts.consumed if closed else None,
        "raw_us": record.closed,
        "stopped_at": _when(record, record.closed),
    }


def _other(record: Record, facts: ClockFacts) -> Row:
    ended = facts.state in ("stopped", "void")
    result = "breached" if facts.breached is not None else "void" if facts.state == "void" else "met"
    return _row(record, facts) | {
        "state": facts.state,
        "result": result if ended else None,
        "due_at": _when(record, facts.due),
        "breached_at": _when(record, facts.breached),
        "consumed_us": facts.consumed if ended else None,
        "raw_us": None if facts.stopped is None else facts.stopped - facts.started,
        "stopped_at": _when(record, facts.stopped),
    }


def _row(record: Record, facts: ClockFacts) -> Row:
    return {
        "case_id": record.case,
        "target": facts.clock,
        "promise": facts.name,
        "budget_us": facts.budget,
        "started_at": record.when(facts.started),
        "paused_us": facts.paused,
        "generation": facts.generation,
        "calendar": facts.calendar or None,
        "task": facts.task,
    }


def entry_rows(record: Record) -> list[Row]:
    """One row for each fired rung and each thing that someone did to a clock, in their order in time."""
    rows = [*map(_fired, record.rungs), *map(_entered, record.entries)]
    placed = sorted(rows, key=lambda row: row["at"])
    return [
        row
        | {
            "case_id": record.case,
            "seq": seq,
            "due_at": record.when(row["due_at"]),
            "at": record.when(row["at"]),
        }
        for seq, row in enumerate(placed)
    ]


def _fired(rung: Rung) -> Row:
    return {
        "target": rung.task or rung.clock,
        "entry": rung.rung,
        "due_at": rung.due,
        "at": rung.at,
        "generation": rung.generation,
        "number": rung.number,
        "reached": rung.reached,
        "actor": None,
        "acting_for": None,
        "reason": None,
        "evidence": None,
        "amount_us": None,
    }


def _entered(entry: ClockEntry) -> Row:
    return {
        "target": entry.clock,
        "entry": entry.entry,
        "due_at": entry.at,
        "at": entry.at,
        "generation": 1,
        "number": 0,
        "reached": [],
        "actor": entry.by,
        "acting_for": entry.acting_for,
        "reason": entry.reason,
        "evidence": entry.evidence or None,
        "amount_us": entry.amount or None,
    }


def due_of_task(record: Record, key: str) -> datetime | None:
    """The nearest due time of a task: its case's, or that of a clock of its own that still runs."""
    dues = [facts.due for facts in record.clocks if facts.task == key and facts.stopped is None and facts.due]
    return _when(record, min([*dues, *([record.due] if record.due else [])], default=None))


def urgency(record: Record, key: str, targets: Mapping[str, Target]) -> int:
    """How urgent a task is, from 0 to 100, by what has fired on its case's clock and on its own.

    Args:
        record: The case.
        key: Of the task.
        targets: What the unit promises, by name, where that is known here; it has the weights.
    """
    clocks = {UNIT: UNIT} | {facts.clock: facts.name for facts in record.clocks if facts.task == key}
    return max(_urgency(record.rungs, clock, targets.get(name)) for clock, name in clocks.items())


def _urgency(rungs: Iterable[Rung], clock: str, target: Target | None) -> int:
    weights = target.urgency if target else _USUAL
    fired = {"goal": 0, "deadline": 0, "passed": 0}
    for rung in rungs:
        if rung.clock == clock and rung.task is None:
            if rung.rung == "withdrawn" and rung.of in fired:
                fired[rung.of] = max(0, rung.number - 1)
            elif rung.rung in fired:
                fired[rung.rung] += 1
    added = bool(fired["goal"]) * weights.goal + bool(fired["deadline"]) * weights.deadline
    return min(100, weights.base + added + fired["passed"] * weights.passed)


def _when(record: Record, offset: Microseconds | None) -> datetime | None:
    return None if offset is None else record.when(offset)
