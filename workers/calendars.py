"""The calendars that a process knows: the organisation's own, and those that packages bring."""

from __future__ import annotations

from workers.settings import Settings
from workunits.calendars.store import Store, UnknownCalendarError, shipped
from workunits.registry import Catalog


def calendar_store(settings: Settings, catalog: Catalog) -> Store:
    """Find the store of calendars.

    Raises:
        UnknownCalendarError: a package of calendars cannot be found.
    """
    return Store([settings.calendars, *shipped(catalog.calendars)])


def check_calendars(settings: Settings, catalog: Catalog) -> None:
    """Make sure that every promise in working time has its calendar: without it no case of the unit would begin.

    Raises:
        UnknownCalendarError: names each unit that counts by a calendar which is not published.
        CalendarError: a calendar's file is not right.
    """
    store, missing = calendar_store(settings, catalog), []
    for unit in catalog:
        for name in sorted({one.target.calendar for one in unit.promised} - {""}):
            try:
                store.read(name)
            except UnknownCalendarError as error:
                missing.append(f"{unit.unit_name}: {error}")
    if missing:
        raise UnknownCalendarError(f"{'; '.join(missing)}. Publish it: workunits calendars publish NAME.toml")
