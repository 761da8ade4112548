"""The calendars that a process knows: the organisation's own, and those that packages bring."""

from __future__ import annotations

from workers.settings import Settings
from workunits.calendars.store import Store, shipped
from workunits.registry import Catalog


def calendar_store(settings: Settings, catalog: Catalog) -> Store:
    """Find the store of calendars.

    Raises:
        UnknownCalendarError: a package of calendars cannot be found.
    """
    return Store([settings.calendars, *shipped(catalog.calendars)])
