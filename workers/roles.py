"""Who acts on the command line, and in which roles: by the directory where there is one, as said otherwise."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from workers.console import fail
from workers.settings import Settings
from workunits.core.lifecycle import SYSTEM, Task


@dataclass(frozen=True, slots=True)
class Standing:
    """In which roles someone acts, and who answers for it."""

    roles: tuple[str, ...]
    accountable: str | None = None
    """The person who answers for the task's decision now, where a directory says so."""
    assumed: bool = False
    """Nobody said the role, so it is the task's own."""


def standing(
    settings: Settings, name: str, given: Sequence[str], *, acting_for: str | None, task: Task | None, role: str
) -> Standing:
    """Say in which roles someone acts.

    Args:
        settings: May name a directory.
        name: Who acts.
        given: The roles that were typed.
        acting_for: Whom they stand in for.
        task: The task, while it is open.
        role: The task's own role.

    Raises:
        CommandError: the directory does not say so.
        FileError: the directory is not right.
    """
    if SYSTEM in given:
        fail(f"--role: nobody has the role {SYSTEM}; it is the runtime's own", code="invalid_field", field="--role")
    if settings.directory is None:
        roles = tuple(given) or ((role,) if role else ())
        return Standing(roles, assumed=not given and bool(role))
    return _by_directory(settings, name, given, acting_for, task)


def _by_directory(
    settings: Settings, name: str, given: Sequence[str], acting_for: str | None, task: Task | None
) -> Standing:
    from inbox.directory import Directory
    from inbox.roster_file import load_roster

    assert settings.directory  # noqa: S101 - the caller looked
    directory, now = Directory(load_roster(settings.directory)), datetime.now(UTC)
    if directory.person(name) is None:
        near = difflib.get_close_matches(name, [person.name for person in directory.everybody], n=3, cutoff=0.6)
        there = f"; did you mean {' or '.join(near)}?" if near else ""
        fail(f"--as: the directory has no such person{there}", code="unknown_person", field="--as")
    if acting_for is not None and acting_for not in directory.stands_in_for(name, now):
        absent = directory.stands_in_for(name, now)
        whom = f"only for {', '.join(absent)}" if absent else "for nobody"
        fail(
            f"--acting-for: by the directory, {name} stands in {whom} now", code="not_substitute", field="--acting-for"
        )
    held = {*directory.roles_of(name, now), *(directory.roles_of(acting_for, now) if acting_for else ())} - {SYSTEM}
    if not held.issuperset(given):
        theirs = f"has {', '.join(sorted(held))}" if held else "has none"
        fail(f"--role: not a role of theirs; by the directory, {name} {theirs}", code="not_held", field="--role")
    accountable = directory.accountable(task.accountable, now) if task and task.accountable else None
    return Standing(tuple(given) or tuple(sorted(held)), accountable)
