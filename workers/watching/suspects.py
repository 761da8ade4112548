"""What the ledger suspects: cases that are overdue by its rows, and tasks that by its rows nobody can do.

Only suspects: the ledger is a view, and may be behind. What is found is what the engine then says of each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, and_, or_, select

from inbox.directory import Directory
from observability.ledger.keeping import followers
from observability.ledger.store import Ledger, LedgerError
from observability.ledger.tables import cases, clocks, tasks
from workers.watching.eligible import why_nobody
from workers.watching.finding import Finding
from workers.watching.incidents import open_incidents
from workunits.core.spec import Elapsed
from workunits.registry import Catalog

MOST = 300
"""Suspects of one sort that a pass takes from the ledger, the longest overdue first."""
TASKS = 5000
"""Open tasks whose people a pass looks up; the next one goes on behind them."""
QUIET = timedelta(seconds=60)
"""Without a pass of the follower for so long, what the ledger says is old."""
_OPEN = ("running", "waiting")


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What one look into the ledger gave."""

    cases: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A row of an open task, as far as it says who may do it."""

    role: str
    owner: str | None
    external: bool
    also: list[str]
    people: list[str]
    excluded: list[str]
    barred: list[str] = field(default_factory=list)


class LedgerSide:
    """Looks into one ledger."""

    def __init__(self, url: str, catalog: Catalog) -> None:
        """Connect to nothing yet.

        Raises:
            LedgerError: the address is none.
        """
        self._ledger = Ledger(url)
        self._units = {unit.unit_name: unit for unit in catalog}
        self._after = ""
        self._incidents: tuple[Finding, ...] = ()

    def close(self) -> None:
        """Let go of its connections."""
        self._ledger.close()

    def look(
        self,
        now: datetime,
        grace: timedelta,
        *,
        namespace: str | None,
        directory: Directory | None,
        patient_since: datetime | None = None,
    ) -> Suspicion:
        """Look once; a ledger that does not serve us is a finding, too.

        Args:
            now: By the engine's clock.
            grace: By how much something may be late.
            namespace: Whose follower is looked at; none while the engine is not known.
            directory: Who is who; none where there are no people.
            patient_since: Since when a follower has had time to start, where it starts beside us.
        """
        try:
            self._ledger.check()
            with self._ledger.read() as connection:
                found = set(self._overdue(connection, now - grace))
                if directory:
                    found |= set(self._for_nobody(connection, directory, now))
                self._incidents = tuple(open_incidents(connection, self._units))
                findings = list(self._incidents)
                if namespace:
                    findings += self._behind(connection, now, namespace, patient_since)
        except LedgerError as error:
            remedy = "cases go on without it; the follower catches up when it is there again"
            return Suspicion(findings=(Finding("ledger_unavailable", str(error), remedy), *self._incidents))
        return Suspicion(tuple(sorted(found)), tuple(findings))

    def _overdue(self, connection: Connection, limit: datetime) -> Iterable[str]:
        """Open cases with a clock, a warning or an expiry that is due and has not fired; and suspended tasks."""
        mine = and_(cases.c.state.in_(_OPEN), cases.c.unit.in_(self._units))
        late = (
            select(clocks.c.case_id)
            .join(cases, cases.c.case_id == clocks.c.case_id)
            .where(mine, clocks.c.state == "running", clocks.c.breached_at.is_(None), clocks.c.due_at < limit)
            .order_by(clocks.c.due_at)
        )
        yield from _first(connection, late)
        for unit in self._units.values():
            target = unit.outcome.target
            within = target.within
            if isinstance(within, Elapsed):
                started = cases.c.started_at < limit - within.span * target.warn
                unwarned = select(cases.c.case_id).where(cases.c.state.in_(_OPEN), cases.c.unit == unit.unit_name)
                unwarned = unwarned.where(cases.c.warned_at.is_(None), started).order_by(cases.c.started_at)
                yield from _first(connection, unwarned)
        due = or_(tasks.c.expires_at < limit, tasks.c.state == "suspended")
        of_tasks = select(tasks.c.case_id).where(tasks.c.open, tasks.c.unit.in_(self._units), due)
        yield from _first(connection, of_tasks.order_by(tasks.c.expires_at))

    def _for_nobody(self, connection: Connection, directory: Directory, now: datetime) -> Iterable[str]:
        wanted = select(tasks).where(tasks.c.open, tasks.c.unit.in_(self._units), tasks.c.task_id > self._after)
        rows = connection.execute(wanted.order_by(tasks.c.task_id).limit(TASKS)).mappings().all()
        self._after = rows[-1]["task_id"] if len(rows) == TASKS else ""
        return (row["case_id"] for row in rows if why_nobody(_waiting(row), directory, now))

    def _behind(
        self, connection: Connection, now: datetime, namespace: str, patient_since: datetime | None
    ) -> list[Finding]:
        passed = connection.execute(select(followers.c.passed_at).where(followers.c.namespace == namespace)).scalar()
        if any(moment and moment + QUIET >= now for moment in (passed, patient_since)):
            return []
        why = "nobody has followed this namespace yet" if passed is None else "no follower has passed since"
        remedy = "start one: workunits follow; until then due warnings and people's tasks are found late"
        return [Finding("ledger_behind", f"the ledger is behind the engine: {why}", remedy, since=passed)]


def _first(connection: Connection, wanted: Select[Any]) -> Iterable[str]:
    return connection.execute(wanted.limit(MOST)).scalars().all()


def _waiting(row: RowMapping) -> _Waiting:
    above = [row["accountable"]] if row["level"] and row["accountable"] else []
    return _Waiting(
        role=row["role"],
        owner=row["owner"],
        external=row["external"],
        also=above,
        people=[row["person"]] if row["person"] else [],
        excluded=list(row["excluded"] or ()),
    )
