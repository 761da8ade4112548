"""Who is who, now: the directory file, read again when it changes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from pathlib import Path

from inbox.files import LOOK_EVERY, Watched
from inbox.roster import Person, Roster
from inbox.roster_file import load_roster


class Directory:
    """People, their roles, and who answers for what; every answer is as of the file's last good version."""

    def __init__(self, roster: Roster | None = None) -> None:
        """Say it once and for all; see `watch` for a file."""
        self._roster = roster if roster is not None else Roster()
        self._watched: Watched[Roster] | None = None

    @classmethod
    def watch(cls, path: Path, *, accountable: Iterable[str] = (), every: float = LOOK_EVERY) -> Directory:
        """Read a file, and read it again when it changes.

        Args:
            path: The file.
            accountable: Roles that must resolve to one person.
            every: Seconds between looks at the file.

        Raises:
            FileError: it is not right; a later version that is not right is told in the log and not taken.
        """
        made = cls()
        made._watched = Watched(path, partial(load_roster, accountable=tuple(accountable)), every)
        return made

    @property
    def roster(self) -> Roster:
        """The version in force."""
        return self._watched.now if self._watched else self._roster

    @property
    def error(self) -> str:
        """Why the file's present version is not in force; empty when it is."""
        return self._watched.error if self._watched else ""

    @property
    def everybody(self) -> tuple[Person, ...]:
        """All people, in the file's order."""
        return tuple(self.roster.people.values())

    def person(self, name: str) -> Person | None:
        """Someone by name."""
        return self.roster.people.get(name)

    def roles_of(self, name: str, at: datetime) -> tuple[str, ...]:
        """The roles that someone has then, the accountable ones that they hold included."""
        return self.roster.roles_of(name, at)

    def accountable(self, role: str, at: datetime) -> str | None:
        """The one person who answers in a role then, substitutes applied; None for a role that is not known."""
        return self.roster.accountable(role, at)

    def people_of(self, role: str, at: datetime) -> tuple[str, ...]:
        """Everybody who has a role then, the absent included."""
        return self.roster.people_of(role, at)

    def absent(self, name: str, at: datetime) -> bool:
        """Whether someone is away then."""
        return self.roster.absent(name, at)

    def substitute_of(self, name: str, at: datetime) -> str | None:
        """Who stands in for someone who is away then; None when they are not, or nobody does."""
        return self.roster.substitute_of(name, at)

    def stands_in_for(self, name: str, at: datetime) -> tuple[str, ...]:
        """For whom someone stands in then."""
        return self.roster.stands_in_for(name, at)
