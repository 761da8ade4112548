"""A pinned calendar as a case uses it: working time in offsets from the case's start."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from .promise import Budget, WorkingDays
from .record import Interval, Microseconds
from .working import Hours, Pinned

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ONE = timedelta(microseconds=1)


def since_1970(moment: datetime) -> Microseconds:
    """A moment as calendars count: in microseconds since 1970, UTC."""
    return (moment - _EPOCH) // _ONE


class WorkingTime:
    """The working hours or the working days of a calendar, counted from a case's start."""

    def __init__(self, hours: Hours, start: int) -> None:
        """Count from a start in microseconds since 1970."""
        self._hours, self._start = hours, start

    def consumed(self, begin: Microseconds, end: Microseconds) -> Microseconds:
        """How much of an interval is working time."""
        return self._hours.consumed(self._start + begin, self._start + end)

    def advance(self, begin: Microseconds, amount: Microseconds) -> Microseconds | None:
        """When so much working time has passed; None beyond the horizon."""
        at = self._hours.advance(self._start + begin, amount)
        return None if at is None else at - self._start


class Calendar:
    """One calendar of a case."""

    def __init__(self, pinned: Pinned, started: datetime) -> None:
        """Use what was pinned, in a case that started then."""
        self.pinned = pinned
        self._start = since_1970(started)

    @property
    def label(self) -> str:
        """`<name>@<version>`."""
        return f"{self.pinned.name}@{self.pinned.version}"

    @property
    def until(self) -> Microseconds:
        """The end of the horizon."""
        return self.pinned.until - self._start

    def time(self, budget: Budget) -> WorkingTime:
        """What counts for a budget: working hours, or whole working days."""
        return WorkingTime(self.pinned.days if isinstance(budget, WorkingDays) else self.pinned.working, self._start)

    def budget(self, budget: Budget, started: Microseconds) -> Microseconds | None:
        """A budget in the time that counts for it, from a clock's start; None beyond the horizon."""
        if not isinstance(budget, WorkingDays):
            return budget.span // _ONE
        begin = self._start + started
        due = self.pinned.next_day_due(begin, budget.days)
        return None if due is None else self.pinned.days.consumed(begin, due.at)

    def off(self, end: Microseconds) -> list[Interval]:
        """What is not working time, from the case's start to a moment."""
        found = self.pinned.working.off(self._start, self._start + end)
        return [(begin - self._start, there - self._start) for begin, there in found]
