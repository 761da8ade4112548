"""Pruning: closed cases that are old enough leave the ledger, and do not come back from the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, case, delete, func, select

from observability.ledger.auditing import note_audit
from observability.ledger.keeping import prunings
from observability.ledger.store import Ledger
from observability.ledger.tables import cases
from observability.ledger.writing import upsert
from workunits.core.errors import BadInput

_BATCH = 1000


def prune(ledger: Ledger, units: Sequence[str], before: datetime, *, actor: str, dry_run: bool) -> Mapping[str, int]:
    """Delete cases that closed before a time, with all that they consist of.

    Their keys may be used again once the engine has forgotten them, too. In batches, so that nobody waits long.

    Args:
        ledger: The ledger.
        units: The units.
        before: Cases that the engine closed earlier go.
        actor: Who does it, for the audit.
        dry_run: Only count.

    Returns:
        How many cases of each unit.

    Raises:
        BadInput: the time lies ahead.
        LedgerUnavailableError.
    """
    now = datetime.now(UTC)
    if before > now:
        raise BadInput("should lie in the past", field="before")
    counts = _count(ledger, units, before)
    if dry_run:
        return counts
    with ledger.write() as connection:
        there = pruned(connection)
        marks = [{"unit": unit, "before": max(before, there.get(unit, before)), "at": now} for unit in counts]
        upsert(connection, prunings, marks)
        for unit, count in counts.items():
            note_audit(connection, actor, "prune", now, unit=unit, before=before.isoformat(), cases=count)
    while _delete_some(ledger, list(counts), before):
        continue
    return counts


def units_of(ledger: Ledger) -> list[str]:
    """The units that the ledger has cases of, also those that no catalog has any more.

    Raises:
        LedgerUnavailableError.
    """
    with ledger.read() as connection:
        return list(connection.execute(select(cases.c.unit).distinct().order_by(cases.c.unit)).scalars())


def pruned(connection: Connection) -> Mapping[str, datetime]:
    """For each unit, up to when its closed cases are not kept."""
    return {row.unit: row.before for row in connection.execute(select(prunings))}


def _count(ledger: Ledger, units: Sequence[str], before: datetime) -> Mapping[str, int]:
    found = select(cases.c.unit, func.count()).where(*_old(units, before)).group_by(cases.c.unit)
    with ledger.read() as connection:
        return {row[0]: row[1] for row in connection.execute(found)}


def _old(units: Sequence[str], before: datetime) -> tuple[ColumnElement[bool], ...]:
    """The cases that go; of one that vanished, the engine's last word is older than its end."""
    ended = case((cases.c.vanished, cases.c.closed_at), else_=cases.c.changed_at)
    return cases.c.unit.in_(units), cases.c.close.is_not(None), ended < before


def _delete_some(ledger: Ledger, units: Sequence[str], before: datetime) -> int:
    old = select(cases.c.case_id).where(*_old(units, before)).limit(_BATCH)
    with ledger.write() as connection:
        ids = list(connection.execute(old).scalars())
        if ids:
            connection.execute(delete(cases).where(cases.c.case_id.in_(ids)))
    return len(ids)
