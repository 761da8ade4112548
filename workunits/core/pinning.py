"""The calendars of a case: pinned by an activity before its first step, and looked up further ahead in time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

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

AHEAD = timedelta(days=400)
"""How far a calendar is pinned at first; half of it before the end, it is pinned further."""
FURTHEST = timedelta(days=6 * 365)
BACK = timedelta(days=3)
"""Before the start: the local day of the start is whole, whatever the zone."""
_ONE = timedelta(microseconds=1)
KEPT = "a version that is not there stays wanted"
"""Cases that were told of one before there was this forget it, as their histories say."""


class Looked(NamedTuple):
    """What came of looking for calendars."""

    changed: list[str]
    """Those that are now of the version that was wanted."""
    missed: dict[str, str]
    """Those of which it could not be pinned, and why: they stay wanted."""
    short: list[str]
    """Why others could not be pinned further ahead."""


class Calendars:
    """The calendars by which a case's promises count."""

    __slots__ = ("_again", "_budgets", "_missed", "_started", "_wanted", "known")

    def __init__(self, promised: Collection[Promised], started: datetime, pinned: Iterable[Pinned] = ()) -> None:
        """Know which there are; those of an earlier run are pinned already."""
        self._budgets: dict[str, list[Budget]] = {}
        for one in promised:
            if one.target.calendar:
                self._budgets.setdefault(one.target.calendar, []).append(one.target.within)
        self._started = started
        self._wanted: dict[str, int | None] = {}
        # What is wanted and was not to be had: it is tried again.
        self._missed: dict[str, int | None] = {}
        self._again: datetime | None = None
        self.known: dict[str, Calendar] = {one.name: Calendar(one, started) for one in pinned}

    @property
    def pinned(self) -> list[Pinned]:
        """What goes with the case into its next run."""
        return [calendar.pinned for calendar in self.known.values()]

    async def arm(self) -> None:
        """Pin what is not pinned yet: a case whose promise cannot be armed does not begin its work.

        Raises:
            Ended: a calendar is unknown, or has too little working time for a budget.
        """
        for name in self._budgets:
            await self._arm(name)

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
        if name in self.known:  # never less far than before: a long budget would have no due time any more
            until = max(until, self.known[name].pinned.until)
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
        self._missed.pop(name, None)

    def is_wanted(self, name: str) -> bool:
        """Whether nobody has looked yet for the version that is wanted."""
        return name in self._wanted

    def horizon(self) -> Microseconds | None:
        """When a calendar is to be pinned again: well before its known part ends, or at once for another version."""
        if self._wanted:
            return 0
        if self._again is not None:
            return (self._again - self._started) // _ONE
        return min((self._renewal(calendar) for calendar in self.known.values()), default=None)

    @staticmethod
    def _renewal(calendar: Calendar) -> Microseconds:
        return calendar.until - AHEAD // 2 // _ONE

    async def look_further(self) -> Looked:
        """Pin what is wanted, or the same versions further ahead; what is not to be had is tried again in a day."""
        wanted, missed = {**self._missed, **self._wanted}, self._missed
        self._wanted, self._missed = {}, {}
        lost = await self._pin_all(wanted)
        if lost and not workflow.patched(KEPT):
            self._again = None
            return Looked([], {}, list(lost.values()))
        self._missed = {name: wanted[name] for name in lost if name not in self._wanted}
        # Calendars that are wanted in vain end nevertheless; and so do others meanwhile.
        now = (workflow.now() - self._started) // _ONE
        ends = [one.pinned for one in self.known.values() if not wanted or (missed and self._renewal(one) <= now)]
        short = await self._pin_all({one.name: one.version for one in ends})
        # Whoever removed the calendar may bring it back; what is known of it lasts for a while.
        self._again = workflow.now() + timedelta(days=1) if self._missed or short else None
        return Looked([name for name in wanted if name not in lost], lost, list(short.values()))

    async def _pin_all(self, versions: Mapping[str, int | None]) -> dict[str, str]:
        """Pin each; those that are not to be had, and why."""
        lost: dict[str, str] = {}
        for name, version in versions.items():
            try:
                await self._pin(name, version, AHEAD)
            except FailureError as error:
                if is_cancelled_exception(error):
                    raise
                lost[name] = str(error.cause or error)
        return lost

    def label(self, reading: Reading) -> str:
        """The calendar and version of a clock; empty for one in elapsed time."""
        calendar = self.known.get(reading.promised.target.calendar)
        return calendar.label if calendar else ""

    def off(self, name: str, end: Microseconds) -> list[Interval]:
        """What was not working time, up to a moment; nothing where all time counts."""
        return self.known[name].off(end) if name in self.known else []
