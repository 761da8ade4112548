"""Evidence: what is learned of a case's quality after its close, and the outcome that still stands by it.

The close itself is never overwritten. Evidence that an outcome does not survive adds a dated correction, and so does
later evidence that takes the first back; a report says as of when it counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from observability.ledger import totals
from observability.ledger.auditing import note_audit
from observability.ledger.keeping import corrections, evidence
from observability.ledger.store import Ledger
from observability.ledger.tables import cases
from observability.ledger.writing import add_missing
from workunits.core.errors import BadInput, WorkUnitsError
from workunits.core.spec import Quality
from workunits.registry import Catalog, UnknownUnitError

STANDING = ("achieved", "achieved_late")
"""The closes that evidence can undo."""
_SOURCE_LIMIT = 200
_AT_A_TIME = 200


class NoSuchCaseError(WorkUnitsError):
    """The ledger has no such case."""

    code = "unknown_case"


class NotClosedError(WorkUnitsError):
    """The case has not closed yet."""

    code = "not_closed"


UNFIT = (BadInput, NoSuchCaseError, NotClosedError, UnknownUnitError)
"""What is the fault of one piece of evidence, and of no other."""


@dataclass(frozen=True, slots=True)
class Told:
    """One piece of evidence, as it is told."""

    case: str
    measure: str
    value: float
    source: str
    occurred_at: datetime | None = None
    """When it happened; now when omitted."""


@dataclass(frozen=True, slots=True)
class Noted:
    """What came of it."""

    case: str
    measure: str
    new: bool
    """Not told before."""
    counts: bool
    """It happened within the measure's window."""
    close: str
    """How the case counts now."""
    corrected: bool


def note(ledger: Ledger, catalog: Catalog, told: Told, *, actor: str) -> Noted:
    """Keep one piece of evidence.

    Raises:
        BadInput: the unit declares no such measure, or the time or the source does not fit.
        NoSuchCaseError: the case is not in the ledger.
        NotClosedError: it is open.
        LedgerUnavailableError.
    """
    with ledger.write() as connection:
        return _note(connection, catalog, told, actor)


def note_all(
    ledger: Ledger, catalog: Catalog, told: Iterable[tuple[int, Told]], *, actor: str
) -> Iterator[tuple[int, Noted | WorkUnitsError]]:
    """Keep many pieces, some hundred in a transaction, so that nobody waits long.

    Args:
        ledger: The ledger.
        catalog: The units.
        told: Each with its number.
        actor: Who tells them.

    Yields:
        For each number what came of it: what does not fit hinders none of the others.

    Raises:
        LedgerUnavailableError: what was not told of before is not kept.
    """
    pieces = iter(told)
    while some := list(islice(pieces, _AT_A_TIME)):
        found: list[tuple[int, Noted | WorkUnitsError]] = []
        with ledger.write() as connection:
            for number, piece in some:
                try:
                    found.append((number, _note(connection, catalog, piece, actor)))
                except UNFIT as error:  # it was judged before anything was written
                    found.append((number, error))
        yield from found


def _note(connection: Connection, catalog: Catalog, told: Told, actor: str) -> Noted:
    now = datetime.now(UTC)
    occurred = told.occurred_at or now
    if occurred > now:
        raise BadInput("evidence cannot come from the future", field="occurred_at")
    if not 0 < len(told.source.strip()) <= _SOURCE_LIMIT:
        raise BadInput(f"say where it comes from, in 1 to {_SOURCE_LIMIT} characters", field="source")
    case = _case(connection, told.case)
    measure = _measure(catalog, case["unit"], told.measure)
    counts = _counts(measure, case["closed_at"], occurred)
    before = effective_close(connection, told.case) or case["close"]
    row = _row(told, occurred, now, actor, counts=counts)
    there = select(evidence.c.evidence_id).where(evidence.c.evidence_id == row["evidence_id"])
    new = connection.execute(there).one_or_none() is None
    add_missing(connection, evidence, [row])
    after = _close_by_evidence(connection, catalog, case)
    corrected = new and after != before
    if corrected:
        why = f"{told.measure}: {told.source.strip()}"
        add_missing(connection, corrections, [_correction(row, before, after, why, now)])
        tally = totals.Tally()
        tally.count("corrections", case["unit"], case["version"], "evidence")
        totals.add(connection, tally)
    if new:
        detail = {"measure": told.measure, "counts": counts, "corrected": corrected}
        note_audit(connection, actor, "evidence", now, case=told.case, **detail)
    return Noted(told.case, told.measure, new, counts, after, corrected)


def effective_close(connection: Connection, case: str, as_of: datetime | None = None) -> str | None:
    """How a case counts by its evidence; None when no correction speaks of it."""
    found = select(corrections.c.to_close).where(corrections.c.case_id == case, corrections.c.kind == "evidence")
    if as_of is not None:
        found = found.where(corrections.c.recorded_at <= as_of)
    latest = found.order_by(corrections.c.recorded_at.desc(), corrections.c.at.desc()).limit(1)
    close: str | None = connection.execute(latest).scalar()
    return close


def late_measures(catalog: Catalog, unit: str) -> Mapping[str, Quality[Any]]:
    """The quality measures of a unit that take evidence."""
    declared = catalog.get(unit).outcome.quality
    return {quality.name: quality for quality in declared if quality.within is not None}


def _case(connection: Connection, case: str) -> RowMapping:
    columns = (cases.c.case_id, cases.c.unit, cases.c.version, cases.c.close, cases.c.closed_at)
    row = connection.execute(select(*columns).where(cases.c.case_id == case)).mappings().one_or_none()
    if row is None:
        raise NoSuchCaseError(f"the ledger has no case {case[:200]!r}")
    if row["close"] is None:
        raise NotClosedError(f"case {case} has not closed yet: evidence is about an outcome")
    return row


def _measure(catalog: Catalog, unit: str, name: str) -> Quality[Any]:
    known = late_measures(catalog, unit)
    if name not in known:
        there = f"it has {', '.join(sorted(known))}" if known else "it has none"
        raise BadInput(f"{unit} declares no quality measure of that name that takes evidence; {there}", field="measure")
    return known[name]


def _counts(measure: Quality[Any], closed: datetime, occurred: datetime) -> bool:
    return measure.within is not None and closed <= occurred <= closed + measure.within.span


def _row(told: Told, occurred: datetime, now: datetime, actor: str, *, counts: bool) -> dict[str, Any]:
    # The same moment in another zone is the same evidence.
    when = told.occurred_at and told.occurred_at.astimezone(UTC)
    said = (told.case, told.measure, repr(told.value), told.source.strip(), str(when))
    return {
        "evidence_id": hashlib.sha256("\0".join(said).encode()).hexdigest(),
        "case_id": told.case,
        "measure": told.measure,
        "value": told.value,
        "source": told.source.strip(),
        "occurred_at": occurred,
        "recorded_at": now,
        "recorded_by": actor,
        "counts": counts,
    }


def _close_by_evidence(connection: Connection, catalog: Catalog, case: RowMapping) -> str:
    """The close that all evidence leaves: for each measure, what was found last decides."""
    close: str = case["close"]
    if close not in STANDING:
        return close
    told = select(evidence).where(evidence.c.case_id == case["case_id"], evidence.c.counts)
    last = {
        row.measure: row.value
        for row in connection.execute(told.order_by(evidence.c.occurred_at, evidence.c.recorded_at))
    }
    for name, measure in late_measures(catalog, case["unit"]).items():
        if name in last and measure.stands is not None and not measure.stands(last[name]):
            return "not_achieved"
    return close


def _correction(row: Mapping[str, Any], before: str, after: str, why: str, now: datetime) -> dict[str, Any]:
    return {
        "correction_id": hashlib.sha256(f"evidence\0{row['evidence_id']}".encode()).hexdigest(),
        "case_id": row["case_id"],
        "at": row["occurred_at"],
        "kind": "evidence",
        "from_close": before,
        "to_close": after,
        "why": why,
        "recorded_at": now,
    }
