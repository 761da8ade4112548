"""Published calendars: folders of `NAME/VERSION.toml`. What is published never changes; the newest is the current one.

The first folder is the organisation's own, to which `publish` writes. The others come with packages.
"""

from __future__ import annotations

import difflib
import os
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from workunits.calendars.pinning import pin as pin_calendar
from workunits.calendars.reading import NAME, CalendarError, Problem, name_of, parse, text_of
from workunits.calendars.spec import Calendar
from workunits.core.errors import WorkUnitsError
from workunits.core.working import Pinned

OWN = "workunits.calendars"
"""The package that brings the calendars of our own units."""
_parsed = lru_cache(maxsize=64)(parse)  # every case that starts asks for it again
_FILE = re.compile(r"([1-9]\d{0,6})\.toml")


class UnknownCalendarError(WorkUnitsError):
    """There is no such calendar, or no such version of it."""


class PublishedError(WorkUnitsError):
    """A version that is published stays as it is."""


@dataclass(frozen=True, slots=True)
class Published:
    """One version of a calendar."""

    name: str
    calendar: Calendar
    path: Path
    existing: bool = False
    """It had been published before, with the same content."""


class Store:
    """The calendars that are known here."""

    def __init__(self, folders: Iterable[Path]) -> None:
        """Use folders, which need not exist; the first is the one that is written to.

        Args:
            folders: Each with `NAME/VERSION.toml`.
        """
        self._folders = tuple(folders)

    def names(self) -> list[str]:
        """The calendars, by name."""
        found = {entry.name for folder in self._folders if folder.is_dir() for entry in folder.iterdir()}
        return sorted(name for name in found if NAME.fullmatch(name) and self._files(name))

    def versions(self, name: str) -> list[int]:
        """The versions of a calendar, oldest first; none when there is no such calendar."""
        return sorted(self._files(name))

    def read(self, name: str, version: int | None = None) -> Published:
        """Read a calendar.

        Args:
            name: The calendar.
            version: The newest when omitted.

        Raises:
            UnknownCalendarError: there is none; gives near names, or the versions that there are.
            CalendarError: its file is not right.
        """
        files = self._files(name)
        if not files:
            known = self.names()
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            say = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known) or 'none'}"
            raise UnknownCalendarError(f"there is no calendar {name[:60]!r}; {say}")
        number = max(files) if version is None else version
        if number not in files:
            there = ", ".join(map(str, sorted(files)))
            raise UnknownCalendarError(f"the calendar {name} has no version {number}; there are {there}")
        path = files[number]
        calendar = _parsed(text_of(path), str(path))
        if calendar.version != number:
            why = f"the file is that of version {number}; publish calendars with `workunits calendars publish`"
            raise CalendarError([Problem(str(path), None, "version", why)])
        return Published(name, calendar, path)

    def pin(self, name: str, since: int, until: int, version: int | None = None) -> Pinned:
        """Record a calendar for a horizon.

        Args:
            name: The calendar.
            since: Microseconds since 1970.
            until: The same; at most six years later.
            version: The newest when omitted.

        Raises:
            UnknownCalendarError, CalendarError: as `read`.
            HorizonError: the horizon is empty or too long, or nothing is known about a year in it.
        """
        return pin_calendar(self.read(name, version).calendar, name, since, until)

    def publish(self, file: Path) -> Published:
        """Publish a file as the version that it states, under the name that it has.

        Raises:
            CalendarError: the file is not right.
            PublishedError: that version has another content, or a newer one is published.
        """
        name, text = name_of(file), text_of(file)
        calendar = parse(text, str(file))
        files = self._files(name)
        newest = max(files, default=0)
        there = files.get(calendar.version)
        if there:
            if text_of(there) != text:
                why = f"version {calendar.version} of {name} is published with another content, and cases keep it"
                raise PublishedError(f"{why}; write version = {newest + 1}")
            return Published(name, calendar, there, existing=True)
        if calendar.version < newest:
            raise PublishedError(f"version {newest} of {name} is published already; write version = {newest + 1}")
        path = self._folders[0] / name / f"{calendar.version}.toml"
        _write_new(path, text)
        return Published(name, calendar, path)

    def _files(self, name: str) -> dict[int, Path]:
        """The file of each version; of equal versions the first folder's."""
        found: dict[int, Path] = {}
        if NAME.fullmatch(name):  # never a path
            for folder in self._folders:
                for entry in (folder / name).glob("*.toml"):
                    number = _FILE.fullmatch(entry.name)
                    if number:
                        found.setdefault(int(number[1]), entry)
        return found


def shipped(packages: Iterable[str] = (OWN,)) -> list[Path]:
    """Find the folders of packages that bring calendars.

    Args:
        packages: Their names, such as `acme.calendars`; they need no `__init__.py`.

    Raises:
        UnknownCalendarError: there is no such package.
    """
    found = []
    for package in packages:
        try:
            spec = find_spec(package)
        except ImportError:
            spec = None
        if spec is None or not spec.submodule_search_locations:
            raise UnknownCalendarError(
                f"there is no package {package} of calendars; name a folder that can be imported"
            )
        found += [Path(place) for place in spec.submodule_search_locations]
    return found


def _write_new(path: Path, text: str) -> None:
    """Write a file whole or not at all, and never over another one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="", dir=path.parent, delete=False) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    made = Path(file.name)
    try:
        made.chmod(0o644)
        path.hardlink_to(made)
    except FileExistsError:
        raise PublishedError(f"{path} has just been published by someone else; look at it first") from None
    finally:
        made.unlink()
