"""Refunds of the last days that a shop's ledger knows, some of them late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from observability.ledger.forgetting import Forgetting
from observability.ledger.store import Ledger
from observability.ledger.writing import write
from tests.observability.invented import case_rows, records
from workunits.core.record import Record

COUNT = 200


def remember(ledger: Ledger) -> list[Record]:
    """Put them into a ledger."""
    now = datetime.now(UTC)
    known = [
        record.model_copy(update={"started": now - timedelta(days=20) + timedelta(hours=number)})
        for number, record in enumerate(records(COUNT))
    ]
    with ledger.write() as connection:
        write(connection, [case_rows(record) for record in known], Forgetting.load(connection), now)
    return known


def late() -> list[Record]:
    """Those of them that closed late, the ones with an exception first."""
    return sorted((record for record in records(COUNT) if record.breached is not None), key=lambda one: not one.routes)
