"""Explanations of the cases that a ledger has."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import or_, select

from observability.learning.baseline import NoBaselineError, baselines_of
from observability.learning.explaining import Explanation, explain
from observability.learning.pasts import past
from observability.learning.usual import usual_of
from observability.ledger.store import Ledger, LedgerError
from observability.ledger.tables import cases
from workunits.core.record import Record
from workunits.core.unit import WorkUnit
from workunits.registry import Catalog


class UnknownError(LedgerError):
    """The ledger has no such case."""


class AmbiguousError(LedgerError):
    """Several cases have this key."""

    code = "ambiguous"
    field = "case"


class TooLargeError(LedgerError):
    """The case's record is too large to be listed while it is open; it is explained once it has closed."""

    code = "too_large"
    field = "case"


def record_of(ledger: Ledger, name: str) -> Record:
    """The record of a case, by its id or by its key alone.

    Raises:
        UnknownError: the ledger does not have it.
        AmbiguousError: several cases have that key.
        TooLargeError: the case is open, and what it lists is not the whole record.
        LedgerUnavailableError.
    """
    named = select(cases.c.case_id, cases.c.record).where(or_(cases.c.case_id == name, cases.c.business_key == name))
    with ledger.read() as connection:
        found = {row.case_id: row.record for row in connection.execute(named.limit(3)) if row.record is not None}
    if not found:
        raise UnknownError
    if name not in found and len(found) > 1:
        raise AmbiguousError(f"several cases have this key: {' or '.join(found)}; name one in full")
    record = Record.model_validate(found.get(name) or next(iter(found.values())))
    if record.elsewhere and record.close is None:
        raise TooLargeError
    return record


def explained(ledger: Ledger, record: Record, now: datetime, catalog: Catalog) -> Explanation:
    """Explain a case beside its version's closed cases and the unit's newest baseline.

    Raises:
        LedgerUnavailableError.
    """
    with ledger.read() as connection:
        usual = usual_of(connection, record.unit, record.version, but=record.case)
        try:
            before = past(connection, baselines_of(connection, record.unit)[0])
        except NoBaselineError:
            before = None
    roles = roles_of(catalog.get(record.unit)) if record.unit in catalog else {}
    return explain(record, now, usual, before=before, roles=roles)


def roles_of(unit: type[WorkUnit]) -> Mapping[str, str]:
    """The role of each human step of a unit."""
    return {step.name: step.role for step in unit.steps if step.role}
