"""Rungs that should have fired and have not: what is due by the case's own record, and is not on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from workers.watching.engine import OpenCase
from workers.watching.finding import Finding, ago
from workunits.core.clocks import UNIT
from workunits.core.human import Desk
from workunits.core.pinning import Calendars
from workunits.core.sla import Clock
from workunits.core.spec import Elapsed
from workunits.core.unit import WorkUnit

NAMES = ("goal", "warn", "deadline", "passed", "expiry", "resume")
"""The rungs, as the record has them."""
_WORDS = {
    "goal": "the goal",
    "warn": "the warning",
    "deadline": "the deadline",
    "passed": "a reminder",
    "expiry": "the expiry of a task",
    "resume": "the end of a wait",
}


class Owed(NamedTuple):
    """A rung that was due."""

    rung: str
    due: datetime
    about: str = ""
    """The task, or the clock where it is not the outcome's."""


def missing(case: OpenCase, unit: type[WorkUnit], now: datetime, grace: timedelta) -> list[Finding]:
    """The rungs of a case that were due longer ago than the grace, and are not on its record, where that tells."""
    if case.unreadable or (case.record and "rungs" in case.record.left_out):
        return []
    return [_finding(case, owed, now) for owed in _owed(case, unit) if owed.due + grace < now]


def _owed(case: OpenCase, unit: type[WorkUnit]) -> Iterator[Owed]:
    """What the case's own clock has still to fire: the clock's code says it, so that nobody says it twice."""
    record = case.record
    if record is None:
        yield from _of_unwritten(case, unit)
        return
    desk = Desk(record, {}, lambda: case.started)
    desk.tasks = {task.id: task for task in case.tasks}
    promised = unit.promised
    for due in Clock(record, desk, promised, Calendars(promised, record.started)).pending():
        clock = due.reading.key if due.reading and due.reading.key != UNIT else ""
        yield Owed(due.rung, due.at, due.task.id.rpartition("/")[2] if due.task else clock)
    # What counts by a calendar is read from what the case itself said of it: only the case has its calendar.
    fired = {(rung.clock, rung.rung) for rung in record.rungs}
    for facts in record.clocks:
        ahead = facts.calendar and facts.due is not None and facts.state in ("running", "paused")
        if ahead and (facts.clock, "deadline") not in fired:
            yield Owed("deadline", record.when(facts.due or 0), "" if facts.clock == UNIT else facts.clock)


def _of_unwritten(case: OpenCase, unit: type[WorkUnit]) -> Iterator[Owed]:
    """No record yet: the first rung that fires would write one, so none has."""
    target = unit.outcome.target
    within = target.within
    if isinstance(within, Elapsed):
        yield Owed("warn", case.started + within.span * target.warn)
        yield Owed("deadline", case.started + within.span)


def _finding(case: OpenCase, owed: Owed, now: datetime) -> Finding:
    late = ago((now - owed.due).total_seconds())
    what = _WORDS.get(owed.rung, owed.rung) + (f" {owed.about}" if owed.about else "")
    return Finding(
        "rung_missing",
        f"{what} was due {late} ago and has not fired",
        "nothing is lost: it fires by itself, with its true due time, once the case goes on; see what holds it up",
        since=owed.due,
        case=case.id,
        unit=case.unit,
        about=f"{owed.rung} {owed.about}".strip(),
        rung=owed.rung,
    )


class Gap(NamedTuple):
    """How much should have fired and has not, of one rung of one unit."""

    unit: str
    rung: str
    cases: int
    largest_seconds: float
    """How long ago the longest overdue one was due."""


def gaps(findings: Iterable[Finding], now: datetime) -> list[Gap]:
    """Sum up what is missing, by unit and rung."""
    late: dict[tuple[str, str], dict[str, float]] = {}
    for finding in findings:
        if finding.rung and finding.since:
            of_cases = late.setdefault((finding.unit, finding.rung), {})
            seconds = (now - finding.since).total_seconds()
            of_cases[finding.case or ""] = max(seconds, of_cases.get(finding.case or "", 0.0))
    return [Gap(unit, rung, len(cases), max(cases.values())) for (unit, rung), cases in sorted(late.items())]
