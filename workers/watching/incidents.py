"""Open incidents, as the ledger keeps them: technical trouble that outlived its patience."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Column, Connection, MetaData, Table, inspect, select

from observability.ledger.moment import Moment
from workers.watching.finding import Finding

TABLE = "incidents"
COLUMNS = frozenset({"case_id", "unit", "key", "cause", "opened_at", "resolved_at"})
MOST = 300
"""That a pass tells of, the oldest first."""


def open_incidents(connection: Connection, units: Collection[str]) -> list[Finding]:
    """The incidents that nobody has resolved; none where the ledger has no table of them."""
    there = inspect(connection)
    named = {column["name"] for column in there.get_columns(TABLE)} if there.has_table(TABLE) else set()
    if COLUMNS - named:
        return []
    moments = (Column(name, Moment) for name in ("opened_at", "resolved_at"))
    incidents = Table(TABLE, MetaData(), *moments, autoload_with=connection)
    wanted = select(incidents).where(incidents.c.resolved_at.is_(None), incidents.c.unit.in_(units))
    rows = connection.execute(wanted.order_by(incidents.c.opened_at).limit(MOST)).mappings()
    return [
        Finding(
            "incident",
            f"its step {row['key']} has failed for good and waits for an operator: {row['cause']}",
            f"workunits incidents show '{row['case_id']}'; mend the cause, then workunits incidents retry",
            since=row["opened_at"],
            case=row["case_id"],
            unit=row["unit"],
            about=row["key"],
        )
        for row in rows
    ]
