"""Who is told what of a task: from the ledger's rows of open tasks, the notices that they are due.

Assignment: the owner, or else the candidates. At risk: the same. Past due: the same, and whoever is accountable.
Escalated: whoever is accountable, and the roles to which it went up. Reminders after the due time: the holders and the
unit's owner. Nobody is told of what they did themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select

from inbox.channels import Channels
from inbox.directory import Directory
from inbox.notice import Audience, Notice
from observability.ledger.tables import actions, cases, clock_entries, clocks, tasks
from workunits.core.clocks import UNIT
from workunits.registry import Catalog

OWNED = ("assign", "claim", "delegate", "resolve", "resume", "start")
OFFERED = ("forward", "release", "resume")
"""The actions by which a task came to its owner, and to its candidates."""
_TELLABLE = ("ready", "claimed", "in_progress")
_LIVE = (*_TELLABLE, "waiting")


@dataclass(frozen=True, slots=True)
class Reminder:
    """A reminder after a due time: of the case's clock, or of one of the task's own."""

    clock: str
    """`unit`, `start_by` or `finish_by`."""
    generation: int
    number: int
    at: datetime
    """When it fired."""

    @property
    def rung(self) -> str:
        """Its name among the task's rungs; the same number of another clock, or after an adjustment, is another one."""
        return f"passed-{self.number}-{self.clock}-{self.generation}"


@dataclass(frozen=True, slots=True)
class Seen:
    """An open task, as the ledger has it."""

    row: Row[Any]
    since: int
    """The revision with which it came to whom it is with now; 1 when it began so."""
    by: tuple[str, ...]
    """Who gave it to them, and for whom."""
    reminders: tuple[Reminder, ...] = ()
    """What has fired since they were due of its case's clock and its own, without what was taken back."""

    @property
    def key(self) -> tuple[Any, ...]:
        """What notices follow from; while it is the same, so are they."""
        row = self.row
        return row.revision, row.state, row.owner, row.level, row.warned_at, row.breached_at, self.reminders


def read_tasks(connection: Connection, since: datetime | None) -> tuple[list[Seen], datetime | None]:
    """The open tasks of the cases that were written since then, and when the last of those was.

    Args:
        connection: Of the ledger.
        since: None for all open tasks.
    """
    columns = (tasks, cases.c.breached_at, cases.c.written_at)
    wanted = select(*columns).join(cases, cases.c.case_id == tasks.c.case_id).where(tasks.c.open)
    if since is not None:
        wanted = wanted.where(cases.c.written_at >= since)
    rows = connection.execute(wanted.where(cases.c.close.is_(None), cases.c.vanished.is_(False))).all()
    newest = max((row.written_at for row in rows), default=None)
    handed, reminders = _handed(connection, rows), _reminders(connection, rows)
    found = [(row, handed.get(row.task_id, (1, ()))) for row in rows]
    return [Seen(row, *came, tuple(_of_task(row, reminders))) for row, came in found], newest


def notices_of(
    seen: Seen, directory: Directory, channels: Channels, catalog: Catalog, now: datetime
) -> Iterator[Notice]:
    """The notices that a task is due, those that were given before among them.

    Args:
        seen: The task.
        directory: Who is who, and away.
        channels: Which roles are told in one place.
        catalog: Who is accountable where the step does not say.
        now: As of when.
    """
    row = seen.row
    if row.state not in _LIVE:  # not open yet, or suspended
        return
    people = _People(row, directory, channels, now)
    audience: Audience = "owner" if row.owner else "candidates"
    holders = people.owner() if row.owner else people.candidates()
    accountable = people.accountable(row.accountable or _accountable(row.unit, catalog))
    if row.state in _TELLABLE:
        rung = "assignment" if seen.since <= 1 else f"assignment-{seen.since}"
        quiet = {f"person:{name}" for name in seen.by}
        yield _notice(row, rung, audience, [one for one in holders if one not in quiet])
    if row.breached_at:
        yield _notice(row, "deadline", audience, holders)
        others = [one for one in accountable if one not in holders]
        yield _notice(row, "deadline-accountable", "accountable", others)
    elif row.warned_at:
        yield _notice(row, "warn", audience, holders)
    if row.level:
        quiet = {f"person:{row.owner}"}
        yield _notice(row, f"escalation-{row.level}", "accountable", [one for one in accountable if one not in quiet])
        told = people.of_roles(role for role in row.also.split("\n") if role)
        quiet |= {f"person:{name}" for name in row.excluded}
        yield _notice(row, f"escalation-{row.level}-also", "candidates", [one for one in told if one not in quiet])
    for reminder in seen.reminders:
        yield _notice(row, reminder.rung, audience, [*holders, *people.of_roles(_owner(row.unit, catalog))])


@dataclass(frozen=True, slots=True)
class _People:
    """Whom a task concerns, each as a recipient; the absent are replaced by who stands in."""

    row: Row[Any]
    directory: Directory
    channels: Channels
    now: datetime

    def owner(self) -> list[str]:
        """Whose it is; who is away without a substitute is told nevertheless."""
        return [f"person:{self._present(self.row.owner) or self.row.owner}"]

    def candidates(self) -> list[str]:
        """Who may take it: in the role's own channel where it has one, else each person, were all of them away."""
        row = self.row
        if row.person:
            return [f"person:{self._present(row.person) or row.person}"]
        if self.channels.has_role(row.role):
            return [f"role:{row.role}"]
        names = [name for name in self.directory.people_of(row.role, self.now) if name not in row.excluded]
        present = dict.fromkeys(self._present(name) for name in self.directory.people_of(row.role, self.now))
        there = [name for name in present if name and name not in row.excluded]
        return [f"person:{name}" for name in there or names]

    def of_roles(self, roles: Iterable[str]) -> list[str]:
        """Whoever has one of some roles: in the role's own channel where it has one, else each person."""
        found: list[str] = []
        for role in roles:
            if self.channels.has_role(role):
                found.append(f"role:{role}")
            else:
                names = (self._present(name) for name in self.directory.people_of(role, self.now))
                found += [f"person:{name}" for name in names if name]
        return list(dict.fromkeys(found))

    def accountable(self, role: str) -> list[str]:
        """Who answers for it."""
        if role and self.channels.has_role(role):
            return [f"role:{role}"]
        name = self.directory.accountable(role, self.now) if role else None
        return [f"person:{name}"] if name else []

    def _present(self, name: str) -> str | None:
        return self.directory.substitute_of(name, self.now) if self.directory.absent(name, self.now) else name


def _notice(row: Row[Any], rung: str, audience: Audience, recipients: Iterable[str]) -> Notice:
    return Notice(
        task_id=row.task_id,
        rung=rung,
        audience=audience,
        recipients=tuple(dict.fromkeys(recipients)),
        unit=row.unit,
        key=row.business_key,
        step=row.step,
        role=row.role,
        owner=row.owner if audience == "owner" else None,
        due=row.due_at.isoformat() if row.due_at else None,
    )


def _accountable(unit: str, catalog: Catalog) -> str:
    return catalog.get(unit).outcome.accountable if unit in catalog else ""


def _owner(unit: str, catalog: Catalog) -> list[str]:
    """The role that owns a unit: it hears of what stays undone."""
    return [catalog.get(unit).learning.owner] if unit in catalog else []


def _handed(connection: Connection, rows: Sequence[Row[Any]]) -> dict[str, tuple[int, tuple[str, ...]]]:
    """By which action each task came to whom it is with."""
    found: dict[str, tuple[int, tuple[str, ...]]] = {}
    owned = {row.task_id: row.owner is not None for row in rows if row.revision > 1}
    those = list({row.case_id for row in rows if row.task_id in owned})
    for start in range(0, len(those), 500):
        some = (actions.c.case_id.in_(those[start : start + 500]), actions.c.action.in_({*OWNED, *OFFERED}))
        for acted in connection.execute(select(actions).where(*some).order_by(actions.c.revision)):
            task_id = f"{acted.case_id}/{acted.key}"
            if task_id in owned and acted.action in (OWNED if owned[task_id] else OFFERED):
                found[task_id] = acted.revision, tuple(name for name in (acted.actor, acted.acting_for) if name)
    return found


def _reminders(connection: Connection, rows: Sequence[Row[Any]]) -> dict[str, list[Row[Any]]]:
    """The reminders of each case's clocks that run, without what was taken back."""
    found: dict[str, list[Row[Any]]] = {}
    those = list({row.case_id for row in rows})
    same = and_(clocks.c.case_id == clock_entries.c.case_id, clocks.c.target == clock_entries.c.target)
    runs = func.coalesce(clocks.c.state, "").not_in(("stopped", "void"))
    wanted = select(clock_entries, clocks.c.task).outerjoin(clocks, same).where(runs).order_by(clock_entries.c.seq)
    entries = clock_entries.c.entry.in_(("passed", "withdrawn"))
    for start in range(0, len(those), 500):
        some = clock_entries.c.case_id.in_(those[start : start + 500])
        for fired in connection.execute(wanted.where(some, entries)):
            kept = found.setdefault(fired.case_id, [])
            if fired.entry == "passed":
                kept.append(fired)
            else:  # with whatever is taken back goes all that comes later, and reminders come last
                kept[:] = (one for one in kept if one.target != fired.target)
    return found


def _of_task(row: Row[Any], reminders: Mapping[str, Sequence[Row[Any]]]) -> Iterator[Reminder]:
    """The reminders that a task's people are due: those of other steps' clocks are not theirs."""
    key = row.task_id.rpartition("/")[2]
    for fired in reminders.get(row.case_id, ()):
        if fired.target == UNIT or fired.task == key:
            yield Reminder(fired.target.removeprefix(f"{key}."), fired.generation, fired.number, fired.at)
