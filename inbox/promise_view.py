"""The promises of a case, for its page: what is used of each budget, what has fired, what people did to the clocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from inbox.moments import micro
from inbox.shapes import words
from workunits.core.clocks import UNIT
from workunits.core.promise import Target
from workunits.core.record import ClockEntry, ClockFacts, Microseconds, Record, Rung

_RUNGS = {
    "goal": "The goal passed",
    "warn": "Counted as at risk",
    "deadline": "The due time passed",
    "passed": "Reminder",
    "withdrawn": "A late step had ended in time after all",
    "expiry": "A task expired",
    "resume": "A wait ended by itself",
}
_DEEDS = {
    "pause": "stopped the clock",
    "resume": "let the clock run again",
    "adjust": "adjusted the clock",
    "void": "declared the promise void",
    "reproject": "moved the clock to another version of its calendar",
}
_CAME = {
    "wanted": "not done yet, as that version is not there; it is tried again daily",
    "overtaken": "not done, another version was wanted since",
}
_STATES = {"met": "kept", "breached": "broken", "void": "void: it counts as neither kept nor broken"}


def promise(
    record: Record, elapsed: Microseconds, target: Target, called: Callable[[str], str], *, is_open: bool
) -> dict[str, Any] | None:
    """The outcome's promise, and the others beside it; none before the clock is armed.

    Args:
        record: The case.
        elapsed: How long it has been, or was, open.
        target: What the unit promises.
        called: How people call someone.
        is_open: Whether the case is.
    """
    if record.due <= 0:
        return None
    facts = next((one for one in record.clocks if one.clock == UNIT), None)
    return {
        "kind": "overdue" if record.breached is not None else "risk" if record.warned is not None else "",
        "used": _share(facts.consumed, facts.budget) if facts else _share(elapsed, record.due),
        "warn": target.warn * 100 if is_open else None,
        "words": _said(record, elapsed, facts),
        "others": [_other(one, record) for one in record.clocks if one.clock != UNIT],
        "entries": [
            {"words": said, "at": at}
            for at, said in sorted([*_fired(record), *_done(record, called)], key=lambda entry: entry[0])
        ],
    }


def _said(record: Record, elapsed: Microseconds, facts: ClockFacts | None) -> str:
    left = f"{micro(record.due - elapsed)} left" if elapsed <= record.due else f"{micro(elapsed - record.due)} over"
    said = f"{micro(elapsed)} of {micro(record.due)} used, {left}."
    if facts is not None:
        kind = f" of working time by {facts.calendar}" if facts.calendar else ""
        said = f"{micro(facts.consumed)} of {micro(facts.budget)}{kind} used, {left}."
        if facts.paused:
            said += f" It stood still for {micro(facts.paused)}."
        if facts.state == "paused":
            said += " It stands still now, and is due as if that lasted as long as it may."
    state = _STATES.get(record.sla, "")
    return said + (f" The promise is {state}." if state else "")


def _other(facts: ClockFacts, record: Record) -> dict[str, Any]:
    ended = facts.state in ("stopped", "void")
    result = "broken" if facts.breached is not None else "void" if facts.state == "void" else "kept"
    step, _, of = facts.clock.rpartition(".")
    name = f"{words(step)}: {'begun' if of == 'start_by' else 'done'} in time" if step else words(facts.clock)
    return {
        "name": name,
        "used": f"{micro(facts.consumed)} of {micro(facts.budget)}",
        "state": result if ended or facts.breached is not None else facts.state,
        "due": record.when(facts.due) if facts.due is not None else None,
    }


def _share(used: Microseconds, budget: Microseconds) -> float:
    return min(100.0, round(used / max(budget, 1) * 100, 1))


def _fired(record: Record) -> Iterator[tuple[datetime, str]]:
    for rung in record.rungs:
        yield record.when(rung.due), _rung(rung)


def _rung(rung: Rung) -> str:
    number = f" {rung.number}" if rung.rung == "passed" else ""
    about = rung.task or (rung.clock if rung.clock != UNIT else "")
    reached = f"; told: {', '.join(rung.reached)}" if rung.reached else ""
    return f"{_RUNGS[rung.rung]}{number}{f': {words(about)}' if about else ''}{reached}"


def _done(record: Record, called: Callable[[str], str]) -> Iterator[tuple[datetime, str]]:
    for entry in record.entries:
        yield record.when(entry.at), _deed(entry, called)


def _deed(entry: ClockEntry, called: Callable[[str], str]) -> str:
    about = f" {words(entry.clock)}" if entry.clock != UNIT else ""
    amount = f" by {micro(abs(entry.amount))} {'more' if entry.amount > 0 else 'less'}" if entry.amount else ""
    evidence = f" ({entry.evidence})" if entry.evidence else ""
    came = f"; {_CAME[entry.came]}" if entry.came in _CAME else ""
    return f"{called(entry.by)} {_DEEDS[entry.entry]}{about}{amount}: {entry.reason}{evidence}{came}"
