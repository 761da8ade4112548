"""Open incidents, as the ledger keeps them: technical trouble that outlived its patience."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Column, Connection, MetaData, Table, inspect, select

from observability.ledger.moment import Moment
from observability.ledger.tables import cases
from workers.watching.finding import Finding

TABLE = "incidents"
COLUMNS = frozenset({"case_id", "key", "code", "tries", "state", "opened_at"})
OPEN = "open"
MOST = 300
"""That a pass tells of, the oldest first."""


def open_incidents(connection: Connection, units: Collection[str]) -> list[Finding]:
    """The incidents that wait for an operator; none where the ledger has no table of them."""
    there = inspect(connection)
    named = {column["name"] for column in there.get_columns(TABLE)} if there.has_table(TABLE) else set()
    if COLUMNS - named:
        return []
    incidents = Table(TABLE, MetaData(), Column("opened_at", Moment), autoload_with=connection)
    wanted = (
        select(incidents, cases.c.unit)
        .join(cases, cases.c.case_id == incidents.c.case_id)
        .where(incidents.c.state == OPEN, cases.c.close.is_(None), cases.c.unit.in_(units))
        .order_by(incidents.c.opened_at)
        .limit(MOST)
    )
    return [
        Finding(
            "incident",
            f"its step {row['key']} failed for good, {row['tries']} time(s), and waits for an operator: {row['code']}",
            f"mend the cause, then: workunits incidents retry '{row['case_id']}'",
            since=row["opened_at"],
            case=row["case_id"],
            unit=row["unit"],
            about=row["key"],
        )
        for row in connection.execute(wanted).mappings()
    ]
