"""Lists of open tasks from the ledger, the most urgent first, one page at a time, served by its indexes.

Slack is due - now - the usual work time of the step, so within one step it is the order of the due times, and an index
has that. A list is merged from one short scan for each step; nothing is counted, skipped or sorted as a whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    and_,
    bindparam,
    false,
    literal,
    or_,
    select,
    tuple_,
    union_all,
)

from inbox.touch import Touch, TouchTimes
from inbox.wanted import NEVER, Place, TaskPage, TaskRow, Viewer, Wanted, check, cursor_of
from observability.ledger.store import Ledger
from observability.ledger.tables import tasks
from workunits.registry import Catalog

FEW = 500
"""So many tasks are sorted as they are; more are merged from scans."""
_LAST = "\U0010ffff"
"""Sorts behind every character of a key."""
_KEPT = 200
"""Statements that are kept."""
_KINDS_KEPT = 1.0
"""Seconds for which the kinds of open tasks are kept: a new one is seen within two."""
# In the order of the fields of `TaskRow`.
_COLUMNS = [
    tasks.c[name]
    for name in (
        *("task_id", "case_id", "unit", "business_key", "step", "role", "state", "revision", "owner", "delegator"),
        *("person", "accountable", "level", "external", "because", "ready_at", "expires_at", "due_at", "warned_at"),
        *("also", "urgency", "excluded"),
    )
]
_UNIT, _STEP = (next(i for i, c in enumerate(_COLUMNS) if c.name == name) for name in ("unit", "step"))
_PLACE = (tasks.c.task_id, tasks.c.due_at, tasks.c.unit, tasks.c.step)


@dataclass(frozen=True, slots=True)
class Kind:
    """Open tasks of one step that are for one role."""

    role: str
    unit: str
    step: str


class Listing:
    """Lists of open tasks."""

    def __init__(self, ledger: Ledger, catalog: Catalog) -> None:
        """Use a ledger."""
        self._ledger = ledger
        self.touch = TouchTimes(catalog)
        self._kinds: list[Kind] = []
        self._undated: list[str] = []
        self._around_until = 0.0
        self._kept: dict[object, CompoundSelect[Any] | None] = {}

    def page(self, wanted: Wanted, viewer: Viewer, now: datetime) -> TaskPage:
        """One page of a list.

        Raises:
            BadInput: what is wanted does not fit.
            LedgerUnavailableError.
        """
        after = check(wanted)
        with self._ledger.read() as connection:
            touch = self.touch.read(connection)
            reach = _Reach(touch, after, now, wanted.limit + 1, self._ledger.sqlite)
            places = self._places(connection, wanted, viewer, reach)
            chosen = places[: wanted.limit]
            rows = _rows(connection, [place.task for place in chosen], touch)
        more = cursor_of(chosen[-1]) if len(places) > wanted.limit else None
        return TaskPage(tuple(rows), more, now)

    def rows(self, ids: Sequence[str]) -> list[TaskRow]:
        """Open tasks by their ids, the most urgent first.

        Raises:
            LedgerUnavailableError.
        """
        with self._ledger.read() as connection:
            return _rows(connection, ids, self.touch.read(connection))

    def _places(self, connection: Connection, wanted: Wanted, viewer: Viewer, reach: _Reach) -> list[Place]:
        """The first places of a list after the cursor, one more than a page."""
        filters = [tasks.c.open, *_filters(wanted, viewer, reach)]
        if wanted.scope == "mine" or wanted.search:
            narrow = [*filters, _scope(wanted, viewer)]
            found = connection.execute(select(*_PLACE).where(*narrow).limit(FEW + 1)).all()
            if len(found) <= FEW:
                return reach.first(found)
        self._look_around(connection)
        statement = self._statement(wanted, viewer, filters, reach)
        if statement is None:
            return []
        return reach.first(connection.execute(statement, reach.places(self._kinds)).all())

    def _statement(
        self, wanted: Wanted, viewer: Viewer, filters: Sequence[ColumnElement[bool]], reach: _Reach
    ) -> CompoundSelect[Any] | None:
        """The scans of a page as one statement; it is asked again and again, and kept."""
        begins = None if reach.after is None else reach.after.at == NEVER
        key = (replace(wanted, cursor=""), begins, viewer, tuple(self._kinds), tuple(self._undated))
        same = wanted.late is None  # else it holds the time
        if same and key in self._kept:
            return self._kept[key]
        arms = [select(*_PLACE).where(*filters, arm) for arm in _elsewhere(wanted, viewer)]
        if self._undated:
            arms.append(select(*_PLACE).where(*filters, tasks.c.task_id.in_(self._undated), _scope(wanted, viewer)))
        arms += self._scans(wanted, viewer, filters, reach)
        made = union_all(*arms) if arms else None
        if same:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[key] = made
        return made

    def _scans(
        self, wanted: Wanted, viewer: Viewer, filters: Sequence[ColumnElement[bool]], reach: _Reach
    ) -> Iterator[Any]:
        """One scan of an index for each kind of open task that the list may hold."""
        kinds = [kind for kind in self._kinds if _may_hold(kind, wanted, viewer)]
        for number, (unit, step, who) in enumerate(_scanned(kinds, wanted, viewer)):
            ahead = reach.after_in(unit, step)
            scan = (
                select(*_PLACE)
                .where(*filters, who, tasks.c.unit == unit, tasks.c.step == step, tasks.c.due_at.is_not(None), *ahead)
                .order_by(tasks.c.due_at, tasks.c.task_id)
                .limit(reach.limit)
                .subquery(f"s{number}")
            )
            yield select(scan)

    def _look_around(self, connection: Connection) -> None:
        """Find the kinds of open tasks, by leaps along the index rather than by reading it, and the undated ones.

        The latter by that alone: with more conditions, a planner may prefer an index that has many.
        """
        if time.monotonic() >= self._around_until:
            self._kinds = list(_leap(connection))
            undated = select(tasks.c.task_id).where(tasks.c.open, tasks.c.due_at.is_(None))
            self._undated = list(connection.execute(undated).scalars())
            self._around_until = time.monotonic() + _KINDS_KEPT


@dataclass(frozen=True, slots=True)
class _Reach:
    """How far a page reaches: from where, how many, as of when."""

    touch: Touch
    after: Place | None
    now: datetime
    limit: int
    sqlite: bool

    def usual(self, unit: str, step: str) -> timedelta:
        return self.touch.get((unit, step), timedelta(0))

    def first(self, found: Iterable[Any]) -> list[Place]:
        """The first places, each once."""
        usual, none = self.touch, timedelta(0)
        there = {(due - usual.get((unit, step), none) if due else NEVER, task) for task, due, unit, step in found}
        if self.after is not None:
            after = (self.after.at, self.after.task)
            there = {place for place in there if after < place}
        return [Place(*place) for place in sorted(there)[: self.limit]]

    def after_in(self, unit: str, step: str) -> list[ColumnElement[bool]]:
        """What of one step comes after the cursor, in terms of its index."""
        if self.after is None:
            return []
        if self.after.at == NEVER:
            return [false()]
        due = bindparam(_due_of(unit, step), type_=tasks.c.due_at.type)
        here = tuple_(tasks.c.due_at, tasks.c.task_id) > tuple_(due, bindparam("after", type_=tasks.c.task_id.type))
        return [here]

    def places(self, kinds: Iterable[Kind]) -> dict[str, Any]:
        """Where each step's scan begins: the place of the cursor, in terms of the step's due times."""
        if self.after is None or self.after.at == NEVER:
            return {}
        steps = {(kind.unit, kind.step) for kind in kinds}
        begin = {_due_of(*step): self.after.at + self.usual(*step) for step in steps}
        return begin | {"after": self.after.task}


def _due_of(unit: str, step: str) -> str:
    return f"due_{unit}_{step}"


def _scanned(kinds: Sequence[Kind], wanted: Wanted, viewer: Viewer) -> list[tuple[str, str, ColumnElement[bool]]]:
    """Unit and step of each scan, and whose tasks it reads."""
    if wanted.scope == "mine":
        steps = dict.fromkeys((kind.unit, kind.step) for kind in kinds)
        return [(*step, tasks.c.owner == name) for step in steps for name in viewer.names]
    if wanted.scope == "unclaimed":
        steps = dict.fromkeys((kind.unit, kind.step) for kind in kinds)
        # As an expression, so that no planner takes the role's index, which has the claimed ones in between.
        nobodys = and_(tasks.c.owner.is_(None), tasks.c.role.concat("").in_(sorted(viewer.roles)))
        return [(*step, nobodys) for step in steps]
    return [(kind.unit, kind.step, tasks.c.role == kind.role) for kind in kinds]


def _may_hold(kind: Kind, wanted: Wanted, viewer: Viewer) -> bool:
    """Whether a list may hold tasks of a kind."""
    if viewer.within is not None and kind.unit not in viewer.within:
        return False
    if wanted.unit not in (None, kind.unit) or wanted.role not in (None, kind.role):
        return False
    if wanted.scope == "mine":
        return True
    return kind.role in viewer.roles or (wanted.scope == "all" and kind.unit in viewer.units)


def _filters(wanted: Wanted, viewer: Viewer, reach: _Reach) -> Iterator[ColumnElement[bool]]:
    if viewer.within is not None:
        yield tasks.c.unit.in_(sorted(viewer.within))
    for name in ("unit", "role", "state"):
        value = getattr(wanted, name)
        if value is not None:
            yield tasks.c[name] == value
    if wanted.late == "overdue":
        yield tasks.c.due_at <= reach.now
    if wanted.late == "at_risk":
        soon = (
            and_(tasks.c.unit == unit, tasks.c.step == step, tasks.c.due_at <= reach.now + usual)
            for (unit, step), usual in reach.touch.items()
        )
        yield and_(tasks.c.due_at > reach.now, or_(tasks.c.warned_at.is_not(None), *soon))
    if wanted.search:
        yield _begins(wanted.search, sqlite=reach.sqlite)


def _begins(search: str, *, sqlite: bool) -> ColumnElement[bool]:
    """Keys that begin with a text: as a range for SQLite's index, as a pattern for PostgreSQL's."""
    key = tasks.c.business_key
    return and_(key >= search, key < search + _LAST) if sqlite else key.startswith(search, autoescape=True)


def _scope(wanted: Wanted, viewer: Viewer) -> ColumnElement[bool]:
    """Whose tasks a scope is about, as one condition."""
    own = tasks.c.owner.in_(viewer.names)
    if wanted.scope == "mine":
        return own
    roles = sorted(viewer.roles)
    takes = or_(
        tasks.c.role.in_(roles),
        tasks.c.person.in_(viewer.names),
        _went_up_to(roles),
    )
    if wanted.scope == "groups":
        return takes
    if wanted.scope == "unclaimed":
        return and_(takes, tasks.c.owner.is_(None))
    return or_(takes, own, tasks.c.unit.in_(sorted(viewer.units)))


def _went_up_to(roles: Sequence[str]) -> ColumnElement[bool]:
    """Tasks that further roles may take since they were escalated; always few."""
    named = (tasks.c.also.contains(f"\n{role}\n", autoescape=True) for role in roles)
    return and_(tasks.c.level > 0, or_(false(), *named))


def _elsewhere(wanted: Wanted, viewer: Viewer) -> Iterator[ColumnElement[bool]]:
    """What no scan finds: tasks that were passed on to a person, or have gone up; always few."""
    if wanted.scope == "mine":
        return
    free = [tasks.c.owner.is_(None)] if wanted.scope == "unclaimed" else []
    yield and_(tasks.c.person.in_(viewer.names), *free)
    if viewer.roles:
        yield and_(_went_up_to(sorted(viewer.roles)), *free)
    if wanted.scope == "all":
        yield and_(tasks.c.owner.in_(viewer.names), tasks.c.unit.not_in(sorted(viewer.units)))


def _leap(connection: Connection) -> Iterator[Kind]:
    last = Kind("", "", "")
    while True:
        ahead = tuple_(tasks.c.role, tasks.c.unit, tasks.c.step) > tuple_(
            literal(last.role), literal(last.unit), literal(last.step)
        )
        following = (
            select(tasks.c.role, tasks.c.unit, tasks.c.step)
            .where(tasks.c.open, ahead)
            .order_by(tasks.c.role, tasks.c.unit, tasks.c.step)
            .limit(1)
        )
        row = connection.execute(following).one_or_none()
        if row is None:
            return
        last = Kind(row.role, row.unit, row.step)
        yield last


def _rows(connection: Connection, ids: Sequence[str], touch: Touch) -> list[TaskRow]:
    if not ids:
        return []
    # Not `open` in the condition: SQLite would then read all open tasks by that index, and look each up here.
    found = connection.execute(select(*_COLUMNS, tasks.c.open).where(tasks.c.task_id.in_(ids)))
    none = timedelta(0)
    made_of: Callable[..., TaskRow] = TaskRow
    made = [
        made_of(*values, excluded=tuple(excluded), touch=touch.get((values[_UNIT], values[_STEP]), none))
        for *values, excluded, is_open in found
        if is_open
    ]
    return sorted(made, key=lambda row: (row.place.at, row.task_id))
