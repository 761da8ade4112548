"""Lists of cases from the ledger, the newest first, one page at a time."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import literal, select, tuple_

from inbox.wanted import Place, cursor_of, read_cursor
from observability.ledger.store import Ledger
from observability.ledger.tables import cases
from workunits.core.errors import BadInput
from workunits.core.spec import CLOSES, OPEN_STATES

STATES = (*OPEN_STATES, *CLOSES)


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One case on a list."""

    case_id: str
    unit: str
    key: str
    state: str
    started_at: datetime
    closed_at: datetime | None
    due_at: datetime | None
    sla: str | None


def list_cases(
    ledger: Ledger, units: Collection[str], *, state: str | None, cursor: str, limit: int
) -> tuple[list[CaseRow], str | None]:
    """One page of the cases of some units, and the cursor of the page after it.

    Raises:
        BadInput: the state or the cursor does not fit.
        LedgerUnavailableError.
    """
    if state is not None and state not in STATES:
        raise BadInput(f"should be one of {', '.join(STATES)}", field="state")
    wanted = select(cases).where(cases.c.unit.in_(sorted(units)))
    if state is not None:
        wanted = wanted.where(cases.c.state == state)
    if cursor:
        after = read_cursor(cursor)
        place = tuple_(literal(after.at, cases.c.started_at.type), literal(after.task))
        wanted = wanted.where(tuple_(cases.c.started_at, cases.c.case_id) < place)
    wanted = wanted.order_by(cases.c.started_at.desc(), cases.c.case_id.desc()).limit(limit + 1)
    with ledger.read() as connection:
        found = connection.execute(wanted).all()
    names = ("case_id", "unit", "state", "started_at", "closed_at", "due_at", "sla")
    rows = [CaseRow(key=row.business_key, **{name: getattr(row, name) for name in names}) for row in found[:limit]]
    last = rows[-1] if len(found) > limit else None
    return rows, cursor_of(Place(last.started_at, last.case_id)) if last else None
