"""Open cases that are deleted from the engine: no listing tells of it, so their rows are ended here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, literal, select, update
from sqlalchemy import case as case_of

from observability.ledger.auditing import note_audit
from observability.ledger.late_counting import count_again
from observability.ledger.moment import Moment
from observability.ledger.tables import cases, clocks, incidents, steps, tasks
from workunits.core.clocks import UNIT
from workunits.core.parts import PARTS

_ONE = timedelta(microseconds=1)


def mark_vanished(connection: Connection, gone: Sequence[str], now: datetime) -> None:
    """Close rows as failed, `vanished`; when a case turns up again, its row goes on from there.

    The time since the row was written last is nobody's work: it counts as idle.
    """
    spans = [cases.c[f"{part}_us"] for part in PARTS]
    for row in connection.execute(
        select(
            cases.c.case_id, cases.c.started_at, cases.c.accepted_at, cases.c.due_at, cases.c.breached_at, *spans
        ).where(cases.c.case_id.in_(gone), cases.c.close.is_(None))
    ).mappings():
        case, elapsed = row["case_id"], max(0, (now - row["started_at"]) // _ONE)
        known = sum(row[f"{part}_us"] for part in PARTS)
        late = row["due_at"] is not None and now > row["due_at"]
        breached = row["breached_at"] or (row["due_at"] if late else None)
        result = "breached" if breached else "void"
        connection.execute(
            update(cases)
            .where(cases.c.case_id == case)
            .values(
                state="failed",
                close="failed",
                reason="vanished",
                why="deleted from the engine while it was open",
                vanished=True,
                closed_outside=True,
                closed_at=now,
                cycle_us=elapsed,
                lead_us=elapsed + max(0, (row["started_at"] - (row["accepted_at"] or row["started_at"])) // _ONE),
                idle_us=row["idle_us"] + max(0, elapsed - known),
                sla=result if row["due_at"] else None,
                breached_at=breached,
                first_close=func.coalesce(cases.c.first_close, "failed"),
                first_closed_at=func.coalesce(cases.c.first_closed_at, literal(now, Moment())),
                written_at=now,
            )
        )
        ended = {"done_at": now, "ended": "cancelled"}
        connection.execute(update(steps).where(steps.c.case_id == case, steps.c.done_at.is_(None)).values(**ended))
        closed = {"open": False, "state": "cancelled", "done_at": now}
        connection.execute(update(tasks).where(tasks.c.case_id == case, tasks.c.open).values(**closed))
        unsettled = incidents.c.case_id == case, incidents.c.closed_at.is_(None)
        connection.execute(update(incidents).where(*unsettled).values(state="closed", closed_at=now))
        stopped = {"state": "void" if result == "void" else "stopped", "result": result, "consumed_us": elapsed}
        unit = (clocks.c.case_id == case, clocks.c.target == UNIT)
        connection.execute(update(clocks).where(*unit).values(**stopped, breached_at=breached))
        others = (clocks.c.case_id == case, clocks.c.target != UNIT, clocks.c.result.is_(None))
        broken = case_of((clocks.c.breached_at.is_not(None), "breached"), else_="void")
        connection.execute(update(clocks).where(*others).values(state="void", result=broken, stopped_at=now))
        note_audit(connection, "follower", "vanished", now, case=case)
    count_again(connection, gone)
