"""The people directory that the settings name."""

from __future__ import annotations

from inbox.directory import Directory
from workers.settings import Settings, SettingsError
from workunits.registry import Catalog


def open_directory(settings: Settings, catalog: Catalog) -> Directory:
    """The directory that the settings name; every accountable role of the catalog has to be in it.

    Raises:
        SettingsError: they name none.
        FileError: it is not right.
    """
    if settings.directory is None:
        why = "directory: who are the people? Name their file in WORKUNITS_DIRECTORY; docs/people.md shows one"
        raise SettingsError(why, field="directory")
    return Directory.watch(settings.directory, accountable=accountable_roles(catalog))


def accountable_roles(catalog: Catalog) -> set[str]:
    """The roles that answer for the outcomes and decisions of a catalog."""
    roles = {role for unit in catalog for role in (unit.outcome.accountable, *(s.accountable for s in unit.steps))}
    return roles - {""}
