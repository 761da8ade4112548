"""The activity `workunits.calendar`: what a case records once of a calendar, so that its clocks need no other look."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from temporalio import activity
from temporalio.exceptions import ApplicationError

from workunits.calendars.dates import HorizonError
from workunits.calendars.reading import CalendarError
from workunits.calendars.store import Store, UnknownCalendarError
from workunits.core.working import CALENDAR_ACTIVITY, Pinned, PinOrder

_CODES: dict[type[Exception], str] = {
    UnknownCalendarError: "unknown_calendar",
    CalendarError: "bad_calendar",
    HorizonError: "bad_horizon",
}


def calendar_activity(store: Store) -> Callable[[PinOrder], Awaitable[Pinned]]:
    """Make the activity of a worker that serves cases.

    Args:
        store: Where it looks calendars up.
    """

    @activity.defn(name=CALENDAR_ACTIVITY)
    async def calendar(order: PinOrder) -> Pinned:
        try:
            return await asyncio.to_thread(store.pin, order.name, order.since, order.until, order.version)
        except tuple(_CODES) as error:
            # Trying again finds the same.
            raise ApplicationError(str(error), type=_CODES[type(error)], non_retryable=True) from error

    return calendar
