"""The calendars of a case: pinned by an activity before its first step, and looked up further ahead in time."""

from __future__ import annotations

from collections.abc import Collection, Coroutine, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError, is_cancelled_exception

from .case_calendar import Calendar, since_1970
from .ended import Ended
from .working import CALENDAR_ACTIVITY, Pinned, PinOrder

if TYPE_CHECKING:
    from .clocks import Promised, Reading
    from .promise import Budget
    from .record import Interval, Microseconds

T = TypeVar("T")

AHEAD = timedelta(days=400)
"""How far a calendar is pinned at first; half of it before the end, it is pinned further."""
FURTHEST = timedelta(days=6 * 365)
BACK = timedelta(days=3)
"""Before the start: the local day of the start is whole, whatever the zone."""
_ONE = timedelta(microseconds=1)


class Calendars:
    """The calendars by which a case's promises count."""

    __slots__ = ("_again", "_budgets", "_started", "_wanted", "known")

    def __init__(self, promised: Collection[Promised], started: datetime, pinned: Iterable[Pinned] = ()) -> None:
        """Know which there are; those of an earlier run are pinned already."""
        self._budgets: dict[str, list[Budget]] = {}
        for one in promised:
            if one.target.calendar:
                self._budgets.setdefault(one.target.calendar, []).append(one.target.within)
        self._started = started
        self._wanted: dict[str, int | None] = {}
        self._again: datetime | None = None
        self.known: dict[str, Calendar] = {one.name: Calendar(one, started) for one in pinned}

    @property
    def pinned(self) -> list[Pinned]:
        """What goes with the case into its next run."""
        return [calendar.pinned for calendar in self.known.values()]

    async def before(self, work: Coroutine[Any, Any, T]) -> T:
        """Pin what is not pinned yet, then do the work: a case whose promise cannot be armed does not begin.

        Raises:
            Ended: a calendar is unknown, or has too little working time for a budget.
        """
        try:
            for name in self._budgets:
                await self._arm(name)
        except BaseException:
            work.close()
            raise
        return await work

    async def _arm(self, name: str) -> None:
        """Pin a calendar as far as the first clocks need it."""
        ahead = AHEAD
        while name not in self.known or not self._reaches(name):
            if ahead > FURTHEST:
                raise Ended("failed", "cannot_arm", f"calendar {name!r} has too little working time for the budget")
            try:
                await self._pin(name, None, ahead)
            except FailureError as error:
                if is_cancelled_exception(error):
                    raise
                raise Ended("failed", "cannot_arm", f"calendar {name!r}: {error.cause or error}") from error
            ahead *= 2

    def _reaches(self, name: str) -> bool:
        calendar = self.known[name]
        for budget in self._budgets[name]:
            counted = calendar.budget(budget, 0)
            if counted is None or calendar.time(budget).advance(0, counted) is None:
                return False
        return True

    async def _pin(self, name: str, version: int | None, ahead: timedelta) -> None:
        since, until = since_1970(self._started - BACK), since_1970(workflow.now() + ahead)
        pinned = await workflow.execute_local_activity(
            CALENDAR_ACTIVITY,
            PinOrder(name=name, version=version, since=since, until=until),
            result_type=Pinned,
            start_to_close_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(maximum_interval=timedelta(minutes=1)),
            summary=f"calendar: {name}",
        )
        self.known[name] = Calendar(pinned, self._started)

    def want(self, name: str, version: int | None) -> None:
        """Go on by another version of a calendar, as soon as it is pinned."""
        self._wanted[name] = version

    def horizon(self) -> Microseconds | None:
        """When a calendar is to be pinned again: well before its known part ends, or at once for another version."""
        if self._wanted:
            return 0
        if self._again is not None:
            return (self._again - self._started) // _ONE
        return min((calendar.until - AHEAD // 2 // _ONE for calendar in self.known.values()), default=None)

    async def look_further(self) -> tuple[list[str], list[str]]:
        """Pin what is wanted, or the same versions further ahead.

        Returns:
            The calendars that are now of another version; and what could not be pinned, and why.
        """
        wanted, self._wanted = self._wanted, {}
        further = {name: calendar.pinned.version for name, calendar in self.known.items()}
        lost: list[str] = []
        for name, version in (wanted or further).items():
            try:
                await self._pin(name, version, AHEAD)
            except FailureError as error:
                if is_cancelled_exception(error):
                    raise
                lost.append(str(error.cause or error))
        # Whoever removed the calendar may bring it back; what is known of it lasts for a while.
        self._again = workflow.now() + timedelta(days=1) if lost and not wanted else None
        return ([] if lost else list(wanted)), lost

    def label(self, reading: Reading) -> str:
        """The calendar and version of a clock; empty for one in elapsed time."""
        calendar = self.known.get(reading.promised.target.calendar)
        return calendar.label if calendar else ""

    def off(self, name: str, end: Microseconds) -> list[Interval]:
        """What was not working time, up to a moment; nothing where all time counts."""
        return self.known[name].off(end) if name in self.known else []
