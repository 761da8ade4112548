"""A task for which nobody is eligible: a role without people, or all of them excluded or away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from inbox.directory import Directory
from workers.watching.engine import OpenCase
from workers.watching.finding import Finding


class Waiting(Protocol):
    """What is asked of a task: the case's own has it, and so has a row of the ledger."""

    @property
    def role(self) -> str:
        """Who may do it."""

    @property
    def owner(self) -> str | None:
        """Who has claimed it."""

    @property
    def external(self) -> bool:
        """Whether a party outside does it."""

    @property
    def also(self) -> list[str]:
        """Further roles that may take it."""

    @property
    def people(self) -> list[str]:
        """Persons who may take it."""

    @property
    def barred(self) -> list[str]:
        """Persons who may not take it again."""

    @property
    def excluded(self) -> list[str]:
        """Persons who may not do it at all."""


def nobody(case: OpenCase, directory: Directory, now: datetime) -> Iterator[Finding]:
    """The tasks of a case for which nobody is eligible."""
    for task in case.tasks:
        why = "" if task.state == "suspended" else why_nobody(task, directory, now)
        if why:
            key = task.id.rpartition("/")[2]
            up = f"; it was escalated {task.level} time(s), to nobody either" if task.level else ""
            yield Finding(
                "nobody_eligible",
                f"its task {key} waits for nobody: {why}{up}",
                "give somebody the role in the directory, name who stands in, or have its admin assign it",
                since=task.ready,
                case=case.id,
                unit=case.unit,
                about=key,
            )


def why_nobody(task: Waiting, directory: Directory, now: datetime) -> str:
    """Why nobody can do a task now; empty when somebody can."""
    if task.external:
        return ""
    if task.owner:
        return _why_not_owner(task.owner, directory, now)
    roles = [task.role, *task.also]
    holders = {name for role in roles for name in directory.people_of(role, now)}
    holders |= {name for name in task.people if directory.person(name)}
    if not holders:
        return f"nobody has the role {' or '.join(roles)}"
    kept_from = {*task.barred, *task.excluded}
    able = holders - kept_from
    if not able:
        return (
            f"everybody with the role {' or '.join(roles)} is excluded: they performed what it checks, or passed it on"
        )
    acting = {directory.roster.present(name, now) for name in able}
    if acting <= {None, *kept_from}:
        return f"everybody with the role {' or '.join(roles)} who may do it is away, and nobody stands in"
    return ""


def _why_not_owner(owner: str, directory: Directory, now: datetime) -> str:
    if directory.person(owner) is None:
        return f"{owner} has claimed it, and is not in the directory any more"
    if directory.roster.present(owner, now) is None:
        return f"{owner} has claimed it, is away, and nobody stands in"
    return ""
