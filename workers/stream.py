"""Who works in a value stream, and when: the people of the directory, on a calendar."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from inbox.roster import ALWAYS, FOREVER
from observability.learning.stream_load import Desk
from workers.settings import Settings
from workunits.calendars.dates import HorizonError
from workunits.calendars.pinning import LONGEST
from workunits.calendars.store import Store
from workunits.core.unit import WorkUnit
from workunits.core.working import DAY, Pinned, resolve

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


def calendar_of(units: Iterable[type[WorkUnit]]) -> str | None:
    """The calendar that most of the units' promises count in; None when none does."""
    named = [str(promised.target.calendar) for unit in units for promised in unit.promised if promised.target.calendar]
    return max(sorted(set(named)), key=named.count, default=None)


def hours_of(settings: Settings, store: Store, calendar: str | None, since: datetime, until: datetime) -> Pinned | None:
    """Read the hours that people keep, for the whole of a window.

    Args:
        settings: Name the directory of people.
        store: The calendars.
        calendar: Whose hours they keep; None: nobody says.
        since: The window.
        until: Its end.

    Returns:
        The hours; None where no directory or no calendar says who is there when.

    Raises:
        UnknownCalendarError, CalendarError: as the store says.
        HorizonError: the window is too long, or nothing is known about a year in it.
    """
    if settings.directory is None or calendar is None:
        return None
    if until - since > LONGEST:
        later = (until - LONGEST).astimezone(UTC).date() + timedelta(days=1)
        why = f"the hours of people are known for {LONGEST.days} days at most, and the window is longer"
        raise HorizonError(f"{why}; name a later --since, such as {later}")
    return store.pin(calendar, (since - _EPOCH) // _US, (until - _EPOCH) // _US)


def local_days(pinned: Pinned) -> list[tuple[int, int]]:
    """The days of a horizon from midnight to midnight on local clocks, in microseconds since 1970."""
    dates = range(pinned.local(pinned.since) // DAY, pinned.local(pinned.until) // DAY + 1)
    return list(pairwise(resolve(pinned.offsets, date * DAY).at for date in dates))


def desks_of(settings: Settings, pinned: Pinned | None, since: datetime, until: datetime) -> Sequence[Desk] | None:
    """Put everybody of the directory at a desk, for the calendar's hours without their absences.

    Args:
        settings: Name the directory.
        pinned: The hours that they keep, for the whole window.
        since: The window.
        until: Its end.

    Returns:
        The desks; None where nobody says who is there when.

    Raises:
        FileError.
    """
    if settings.directory is None or pinned is None:
        return None
    from inbox.roster_file import load_roster

    roster = load_roster(settings.directory)
    at = min(datetime.now(UTC), until)
    away = {
        person: tuple(
            (_us(absence.start, since), _us(absence.end, until))
            for absence in roster.absences
            if absence.person == person and absence.end > since and absence.start < until
        )
        for person in roster.people
    }
    return [Desk(person, roster.roles_of(person, at), pinned.working, away[person]) for person in roster.people]


def _us(at: datetime, bound: datetime) -> int:
    """Microseconds since 1970; the beginning and the end of time are taken as the window's."""
    there = bound if at in (ALWAYS, FOREVER) else at
    return (there - _EPOCH) // _US
