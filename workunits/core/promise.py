"""A promise with time: how long something may take, by which clock, what stops the clock, and who hears of it.

Elapsed and working time are types of their own: "1 day" says nothing until one knows whether nights, weekends
and holidays count.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal


@dataclass(frozen=True, slots=True)
class Elapsed:
    """A time budget on the wall clock, nights and weekends included."""

    span: timedelta

    def __str__(self) -> str:
        """Say it as people do: `24 h`, `7 d`, `90 s`."""
        seconds = self.span.total_seconds()
        for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
            if seconds and seconds % size == 0 and (unit != "d" or seconds > size):
                return f"{seconds / size:g} {unit}"
        return f"{seconds:g} s"


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """A time budget in the working hours of a calendar."""

    span: timedelta

    def __str__(self) -> str:
        """Say it as people do: `8 working hours`."""
        hours = self.span / timedelta(hours=1)
        return f"{hours:g} working hour{'' if hours == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class WorkingDays:
    """A number of working days: the same local time on a later working day of a calendar."""

    days: int

    def __str__(self) -> str:
        """Say it as people do: `2 working days`."""
        return f"{self.days} working day{'' if self.days == 1 else 's'}"


Budget = Elapsed | WorkingHours | WorkingDays


def elapsed(*, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> Elapsed:
    """Declare a budget in elapsed time: `elapsed(hours=24)`."""
    return Elapsed(timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds))


def working_hours(hours: float) -> WorkingHours:
    """Declare a budget in the working hours of the target's calendar: `working_hours(8)`."""
    return WorkingHours(timedelta(hours=hours))


def working_days(days: int) -> WorkingDays:
    """Declare a budget in working days of the target's calendar: `working_days(2)`."""
    return WorkingDays(days)


OPERATIONS_HOLD = "operations_hold"
"""The reason that a suspended task is: an internal hold."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A reason for which a target's clock stands still, and for how long at most."""

    reason: str
    """`customer`, `third_party`, `legal_hold`, `operations_hold`, or a word of the unit's own."""
    cap: Elapsed
    """All pauses for this reason together; then the clock runs again, whoever is still waited for."""


@dataclass(frozen=True, slots=True)
class Passed:
    """Reminders after the due time."""

    every: Elapsed
    at_most: int
    """How many; a reminder that never ends is noise."""


RungName = Literal["goal", "warn", "deadline", "passed"]


@dataclass(frozen=True, slots=True)
class Rise:
    """What a rung does to the tasks that it is about."""

    on: RungName
    to: str
    """The role that is told, and may take them; or gets them."""
    how: Literal["notify_up", "reassign_up"] = "notify_up"
    number: int = 1
    """Of `passed`: which of its reminders."""


@dataclass(frozen=True, slots=True)
class Urgency:
    """How urgent a task is, from 0 to 100: a base, and what each fired rung adds."""

    base: int = 0
    goal: int = 10
    deadline: int = 40
    passed: int = 10


@dataclass(frozen=True, slots=True)
class Target:
    """One promise: a budget, its calendar, and what happens on the way to its end and after it."""

    within: Budget
    calendar: str = ""
    """The name of the calendar whose working time counts; required by, and only for, working time."""
    pauses: tuple[Pause, ...] = ()
    """What stops the clock: waits of a task's owner, an outsider's task by its role, holds, an operator's word."""
    goal: float | None = None
    """The fraction of the budget by which it should be done; none: there is no goal below the promise."""
    warn: float = 0.75
    """The fraction of the budget at which it counts as at risk, between 0 and 1."""
    passed: Passed | None = None
    ladder: tuple[Rise, ...] = ()
    """Who is told, or gets the task, beside those whom the notifier tells anyway."""
    urgency: Urgency = Urgency()

    def __str__(self) -> str:
        """Say it as people do: `8 working hours (back-office)`."""
        return f"{self.within} ({self.calendar})" if self.calendar else str(self.within)


@dataclass(frozen=True, slots=True)
class Between:
    """A promise between two named events of a case."""

    name: str
    """`lower_case`, of the unit's own."""
    since: str
    """`case.started`, or `<step>.ready`, `<step>.claimed`, `<step>.begun`, `<step>.done`: the first of them."""
    until: str
    target: Target


def as_target(promised: Budget | Target, warn: float = 0.75) -> Target:
    """A promise in full, also where only its budget is stated."""
    return promised if isinstance(promised, Target) else Target(promised, warn=warn)
