"""What someone wants to see of the open tasks, and what they get: one page, the most urgent task first."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from workunits.core.errors import BadInput

Scope = Literal["mine", "groups", "unclaimed", "all"]
Late = Literal["overdue", "at_risk"]
SCOPES: tuple[Scope, ...] = ("mine", "groups", "unclaimed", "all")
STATES = ("created", "ready", "claimed", "in_progress", "waiting", "suspended")
PAGE = 50
LONGEST_PAGE = 200
NEVER = datetime.max.replace(tzinfo=UTC)
"""The key of a task that is due at no time: behind all others."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which open tasks, and where the page begins."""

    scope: Scope = "mine"
    unit: str | None = None
    role: str | None = None
    state: str | None = None
    late: Late | None = None
    search: str = ""
    """How the business key begins."""
    cursor: str = ""
    """`TaskPage.next` of the page before."""
    limit: int = PAGE


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the order: tasks of equal urgency are in the order of their ids."""

    at: datetime
    """The latest moment at which work should begin: due minus the step's usual work time."""
    task: str

    def __lt__(self, other: Place) -> bool:
        """Whether this comes first."""
        return (self.at, self.task) < (other.at, other.task)


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One open task on a list."""

    task_id: str
    case_id: str
    unit: str
    key: str
    step: str
    role: str
    state: str
    revision: int
    owner: str | None
    delegator: str | None
    person: str | None
    accountable: str | None
    level: int
    external: bool
    because: str | None
    ready_at: datetime
    expires_at: datetime | None
    due_at: datetime | None
    warned_at: datetime | None
    also: str = ""
    """Further roles that may take it, each on a line of its own: it went up to them."""
    urgency: int = 0
    """From 0 to 100, by the rungs that have fired."""
    excluded: tuple[str, ...] = ()
    touch: timedelta = timedelta(0)
    """How long work on this step usually takes."""
    pending: str | None = None
    """An action of the viewer's own that is saved and being delivered, or that can still be undone."""

    @property
    def place(self) -> Place:
        """Where it stands on a list."""
        return Place(self.due_at - self.touch if self.due_at else NEVER, self.task_id)

    def slack(self, now: datetime) -> timedelta | None:
        """What is left until work should have begun; None for a task that is due at no time."""
        return self.due_at - now - self.touch if self.due_at else None

    def is_overdue(self, now: datetime) -> bool:
        """Whether the case's outcome was due before now."""
        return self.due_at is not None and self.due_at <= now

    def is_at_risk(self, now: datetime) -> bool:
        """Whether it is not overdue, but its case was warned, or its usual work would end late."""
        if self.due_at is None or self.is_overdue(now):
            return False
        return self.warned_at is not None or self.due_at - self.touch <= now


@dataclass(frozen=True, slots=True)
class TaskPage:
    """One page of a list."""

    tasks: tuple[TaskRow, ...]
    next: str | None
    """The cursor of the page after this; None on the last one."""
    now: datetime
    """When it was made; what is overdue is so as of then."""
    source: Literal["ledger", "engine"] = "ledger"
    banner: str = ""
    """What the viewer has to know, such as that the ledger is down."""
    breach: Mapping[str, float] = field(default_factory=dict)
    """How probably each case breaks its promise; only those that are known, and not past due."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at a list, as far as lists depend on it."""

    names: tuple[str, ...]
    """The viewer, and those for whom the viewer stands in."""
    roles: frozenset[str]
    units: frozenset[str]
    """All of whose tasks the viewer may read."""
    within: frozenset[str] | None = None
    """The only units that the viewer may see at all; None: any."""


def fits(row: TaskRow, wanted: Wanted, viewer: Viewer, now: datetime) -> bool:
    """Whether a task is one of those that are wanted."""
    if viewer.within is not None and row.unit not in viewer.within:
        return False
    wants = (
        wanted.unit in (None, row.unit),
        wanted.role in (None, row.role),
        wanted.state in (None, row.state),
        row.key.startswith(wanted.search),
        wanted.late != "overdue" or row.is_overdue(now),
        wanted.late != "at_risk" or row.is_at_risk(now),
    )
    return all(wants) and _in_scope(row, wanted.scope, viewer)


def _in_scope(row: TaskRow, scope: Scope, viewer: Viewer) -> bool:
    if scope == "mine":
        return row.owner in viewer.names
    may_take = _may_take(row, viewer.roles, viewer.names)
    if scope == "groups":
        return may_take
    if scope == "unclaimed":
        return may_take and row.owner is None
    return may_take or row.unit in viewer.units or row.owner in viewer.names


def _may_take(row: TaskRow, roles: Collection[str], names: Collection[str]) -> bool:
    return row.role in roles or row.person in names or not set(row.also.split("\n")).isdisjoint({*roles} - {""})


def check(wanted: Wanted) -> Place | None:
    """Check what came from outside; the place after which the page begins.

    Raises:
        BadInput: names the field.
    """
    if wanted.scope not in SCOPES:
        raise BadInput(f"should be one of {', '.join(SCOPES)}", field="scope")
    if wanted.state is not None and wanted.state not in STATES:
        raise BadInput(f"should be one of {', '.join(STATES)}", field="state")
    if wanted.late not in (None, "overdue", "at_risk"):
        raise BadInput("should be overdue or at_risk", field="late")
    if not 1 <= wanted.limit <= LONGEST_PAGE:
        raise BadInput(f"should be from 1 to {LONGEST_PAGE}", field="limit")
    for name in ("unit", "role", "search"):
        value = getattr(wanted, name) or ""
        if len(value) > LONGEST_PAGE or not value.isprintable():
            raise BadInput(f"should be at most {LONGEST_PAGE} printable characters", field=name)
    return read_cursor(wanted.cursor) if wanted.cursor else None


def cursor_of(place: Place) -> str:
    """Where the next page begins, as text for an address."""
    said = json.dumps([place.at.isoformat(), place.task])
    return base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")


def read_cursor(text: str) -> Place:
    """The place that a cursor names.

    Raises:
        BadInput: it is none of ours.
    """
    try:
        at, task = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        moment = datetime.fromisoformat(at)
        if not isinstance(task, str) or moment.tzinfo is None or not task.isprintable():
            raise ValueError
        return Place(moment.astimezone(UTC), task)
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
        raise BadInput("not a cursor of this list: take `next` of the page before", field="cursor") from None
