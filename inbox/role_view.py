"""A role by what it answers for: outcomes, units and decision points, and how each stands; never by its tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from inbox.catalog_map import Entry, Place, entries
from observability.learning.breakdown import Performed, by_step
from observability.learning.report import Report, report
from observability.learning.selection import Asked
from observability.learning.standing import standing_of
from observability.ledger.store import Ledger
from observability.ledger.tables import tasks
from workunits.registry import Catalog

WINDOW = timedelta(days=30)
"""How far back closed cases count."""


@dataclass(frozen=True, slots=True)
class Point:
    """One decision point."""

    entry: Entry
    step: Place


@dataclass(frozen=True)
class Role:
    """What one role has."""

    name: str
    outcomes: list[Entry] = field(default_factory=list)
    """It answers for these."""
    owned: list[Entry] = field(default_factory=list)
    """It owns these: how they learn."""
    answers: list[Point] = field(default_factory=list)
    """It answers for these decisions."""
    decides: list[Point] = field(default_factory=list)
    """It takes these decisions, and another role answers for them, or none."""

    @property
    def has_any(self) -> bool:
        """Whether it answers for, owns or decides anything."""
        return bool(self.outcomes or self.owned or self.answers or self.decides)

    @property
    def units(self) -> Sequence[Entry]:
        """All units that it has a part in, each once."""
        found = [*self.outcomes, *self.owned, *(point.entry for point in (*self.answers, *self.decides))]
        return list({one.unit: one for one in found}.values())


def roles(catalog: Catalog) -> Mapping[str, Role]:
    """All roles that a catalog names, by name."""
    found: dict[str, Role] = {}

    def role(name: str) -> Role:
        return found.setdefault(name, Role(name))

    for entry in entries(catalog):
        role(entry.accountable).outcomes.append(entry)
        role(entry.owner).owned.append(entry)
        for step in entry.steps:
            point = Point(entry, step)
            if step.accountable:
                role(step.accountable).answers.append(point)
            if step.kind in ("human", "hybrid") and step.by and step.by != step.accountable:
                taking = role(step.by)
                if step.decides:
                    taking.decides.append(point)
    return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True)
class Stand:
    """How a unit stands, as the ledger says."""

    report: Report
    steps: Mapping[str, Performed]
    """How each went; at a hybrid step what people did, not how long a model took to propose."""
    waiting: Mapping[str, int]
    """Open tasks at each step."""
    warnings: Sequence[str]
    """What its owner has to look at."""


def stands(ledger: Ledger, catalog: Catalog, role: Role, now: datetime) -> Mapping[str, Stand]:
    """How the units of a role stand.

    Raises:
        LedgerUnavailableError.
    """
    found = {}
    for entry in role.units:
        asked = Asked(entry.unit, since=now - WINDOW)
        made = report(ledger, asked)
        with ledger.read() as connection:
            steps = by_step(connection, asked, proposals=False)
            warnings = standing_of(connection, catalog.get(entry.unit), now).warnings
            found[entry.unit] = Stand(made, steps, _waiting(connection, entry.unit), warnings)
    return found


def _waiting(connection: Connection, unit: str) -> Mapping[str, int]:
    asked = select(tasks.c.step, func.count()).where(tasks.c.unit == unit, tasks.c.open).group_by(tasks.c.step)
    return {row[0]: row[1] for row in connection.execute(asked)}
