"""The part of the four-element test that reads promises with time: budgets, calendars, pauses, rungs, ladders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from .gate_facts import Found, budget, count, is_number, is_role, is_text, members, name_of
from .promise import Between, Elapsed, Passed, Pause, Rise, Target, WorkingDays, WorkingHours
from .spec import Step

_REASON = re.compile(r"[a-z][a-z0-9_ ]{0,59}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
_CALENDAR = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
_EVENT = re.compile(r"case\.started|(?P<step>[a-z][a-z0-9_]*)\.(ready|claimed|begun|done)")
_MOST_DAYS = 1000
_MOST_HOURS = timedelta(hours=8000)
_MOST_REMINDERS = 50
_RUNGS = ("goal", "warn", "deadline", "passed")


_EITHER = 'elapsed(hours=24) or, of working time alone, Target(working_days(2), calendar="back-office")'


def promise(field: str, given: object, missing: str = "", example: str = _EITHER) -> Iterator[Found]:
    """Judge a promise: a budget alone, or a whole target."""
    if isinstance(given, Target):
        yield from _target(field, given, example)
    elif isinstance(given, WorkingHours | WorkingDays):
        written = f"working_days({given.days})" if isinstance(given, WorkingDays) else "working_hours(...)"
        yield field, "working time counts by a calendar, and none is named", f'Write Target({written}, calendar="...")'
    else:
        yield from budget(field, given, missing, example)


def _target(field: str, target: Target, example: str) -> Iterator[Found]:
    yield from _working(f"{field}.within", target, example)
    for name in ("goal", "warn"):
        fraction = getattr(target, name)
        if (fraction is not None or name == "warn") and not (is_number(fraction) and 0 < fraction < 1):
            yield f"{field}.{name}", "it is no fraction of the budget", "Write a number between 0 and 1, such as 0.75"
    if is_number(target.goal) and is_number(target.warn) and target.goal > target.warn:
        yield f"{field}.goal", "it comes after the warning", "Let the goal be the smaller fraction"
    yield from _pauses(f"{field}.pauses", target)
    yield from _passed(f"{field}.passed", target)
    yield from _ladder(f"{field}.ladder", target)


def _working(field: str, target: Target, example: str) -> Iterator[Found]:
    within: Any = target.within
    if not isinstance(within, WorkingHours | WorkingDays):
        yield from budget(field, within, "no budget", example)
        if target.calendar and isinstance(within, Elapsed):
            what = "elapsed time counts by no calendar"
            yield field, what, "Write working_hours(...) or working_days(...), or leave calendar out"
        return
    if isinstance(within, WorkingDays):
        days = count(within.days)
        if days is None or not 1 <= days <= _MOST_DAYS:
            yield field, "so many working days cannot be counted", f"Write working_days(2): from 1 to {_MOST_DAYS}"
    elif not isinstance(given := _span(within), timedelta) or not timedelta(0) < given <= _MOST_HOURS:
        yield field, "the budget is not positive, or longer than years", "Write working_hours(8)"
    if not _fits(_CALENDAR, target.calendar):
        remedy = 'Name its calendar: calendar="back-office"'
        yield field, "working time counts by a calendar, and none is named", remedy


def _span(within: Any) -> object:
    return within.span


def _pauses(field: str, target: Target) -> Iterator[Found]:
    remedy = 'Write pauses=(Pause("customer", cap=elapsed(days=14)),)'
    pauses = members(target.pauses)
    if pauses is None:
        yield field, f"{name_of(target.pauses)} is no tuple", remedy
    for pause in pauses or ():
        if not isinstance(pause, Pause) or not _fits(_REASON, pause.reason):
            yield field, f"{name_of(pause)} names no reason", remedy
        else:
            yield from budget(f"{field}.cap", pause.cap, "the pause has no cap", "cap=elapsed(days=14)")
    reasons = [pause.reason for pause in pauses or () if isinstance(pause, Pause)]
    if len({str(reason) for reason in reasons}) < len(reasons):
        yield field, "a reason is listed twice", "List each once, with one cap"


def _passed(field: str, target: Target) -> Iterator[Found]:
    passed, remedy = target.passed, "Write passed=Passed(every=elapsed(hours=4), at_most=3)"
    if passed is None:
        return
    if not isinstance(passed, Passed):
        yield field, f"{name_of(passed)} says neither how often nor how many", remedy
        return
    yield from budget(f"{field}.every", passed.every, "how often is not said", "every=elapsed(hours=4)")
    times = count(passed.at_most)
    if times is None or not 1 <= times <= _MOST_REMINDERS:
        yield f"{field}.at_most", "reminders need a bound", f"Write a number from 1 to {_MOST_REMINDERS}"


def _ladder(field: str, target: Target) -> Iterator[Found]:
    remedy = 'Write ladder=(Rise("deadline", to="team lead"),)'
    rises = members(target.ladder)
    if rises is None:
        yield field, f"{name_of(target.ladder)} is no tuple", remedy
    for rise in rises or ():
        if not isinstance(rise, Rise) or rise.on not in _RUNGS or rise.how not in ("notify_up", "reassign_up"):
            yield field, f"{name_of(rise)} says not on which rung who is told", remedy
            continue
        if not is_role(rise.to):
            yield field, "a rung reaches no role", remedy
        if rise.on == "goal" and target.goal is None:
            yield field, "there is no goal", "State goal=0.5, or let it rise on another rung"
        if rise.on == "passed" and target.passed is None:
            yield field, "there are no reminders", "State passed=Passed(...), or let it rise on another rung"


def between_problems(targets: object, steps: dict[str, Step[Any, Any]], taken: set[str]) -> Iterator[Found]:
    """Judge the promises between two events.

    Args:
        targets: What the unit declares.
        steps: Its steps by their names.
        taken: Names that other promises have.
    """
    remedy = 'Write targets = (Between("first_answer", "case.started", "decide.done", Target(elapsed(hours=4))),)'
    listed = members(targets)
    if listed is None:
        yield "targets", f"{name_of(targets)} is no tuple", remedy
    names: set[str] = set()
    for one in listed or ():
        if not isinstance(one, Between):
            yield "targets", f"{name_of(one)} is no promise between two events", remedy
            continue
        if not _fits(_NAME, one.name) or one.name in taken | names:
            yield "targets.name", "it has no name of its own", 'Write name="lower_case_words"'
        names.add(str(one.name))
        for field in ("since", "until"):
            yield from _event(f"targets.{field}", getattr(one, field), steps)
        yield from promise("targets.target", one.target, "no target", "Target(elapsed(hours=4))")


def _fits(pattern: re.Pattern[str], given: object) -> bool:
    return isinstance(given, str) and pattern.fullmatch(given) is not None


def _event(field: str, given: object, steps: dict[str, Step[Any, Any]]) -> Iterator[Found]:
    found = _EVENT.fullmatch(given) if isinstance(given, str) else None
    if found is None or (found["step"] and found["step"] not in steps):
        yield (
            field,
            "there is no such event",
            'Write "case.started", or "<step>.ready", ".claimed", ".begun" or ".done"',
        )
    elif field.endswith("until") and given == "case.started":
        yield field, "a case starts only once", 'Write when it ends, such as "decide.done"'


def silence_problems(step: Step[Any, Any]) -> Iterator[Found]:
    """Judge what an answer by default grants: silence is never an approval, unless governance says so."""
    if step.by_default is None or not step.decides:
        return
    if step.grants is None or not callable(step.grants):
        remedy = 'Say it: grants=lambda answer: answer.decision == "grant"'
        yield "grants", "nobody can tell whether the answer by default grants something", remedy
        return
    try:
        grants = bool(step.grants(step.by_default))
    except Exception as error:  # noqa: BLE001, whatever someone's function does
        yield "grants", f"it cannot judge the answer by default ({type(error).__name__})", "Mend it"
        return
    said = step.silence_approves
    if grants and not (said and is_text(said.governance) and is_text(said.undone_by)):
        remedy = (
            'Give the safe answer; or state silence_approves=SilenceApproves(governance="who allowed it, where", '
            'undone_by="how it is taken back")'
        )
        yield "by_default", "silence would approve", remedy
