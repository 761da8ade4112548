"""Counting cases from the rows that stand: those of before there were totals, and those that vanished."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, Table, bindparam, select, update

from observability.ledger import counting, totals
from observability.ledger.counting import Facts, Row
from observability.ledger.store import Ledger
from observability.ledger.tables import cases, clocks, exceptions, proposals, steps

_AT_A_TIME = 500


def count_missing(ledger: Ledger) -> int:
    """Count all cases that were written before there were totals; gives how many.

    Raises:
        LedgerUnavailableError: what was counted before it stays counted; the rest is when it is called again.
    """
    done = 0
    while True:
        with ledger.write() as connection:
            asked = select(cases.c.case_id).where(cases.c.counted.is_(None)).limit(_AT_A_TIME)
            found = list(connection.execute(asked).scalars())
            count_again(connection, found)
        if not found:
            return done
        done += len(found)


def count_again(connection: Connection, ids: Sequence[str]) -> None:
    """Add what was not counted yet of some cases, by their rows, and keep what was."""
    if not ids:
        return
    tally = totals.Tally()
    parts = [_by_case(connection, table, ids) for table in (steps, exceptions, clocks, proposals)]
    marks = []
    for case in connection.execute(select(cases).where(cases.c.case_id.in_(ids))).mappings():
        of_case = [part[case["case_id"]] for part in parts]
        known = counting.count(Facts(dict(case), *of_case), case["counted"] or (), tally)
        marks.append({"this": case["case_id"], "known": known})
    if marks:
        kept = update(cases).where(cases.c.case_id == bindparam("this")).values(counted=bindparam("known"))
        connection.execute(kept, marks)
    totals.add(connection, tally)


def _by_case(connection: Connection, table: Table, ids: Sequence[str]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in connection.execute(select(table).where(table.c.case_id.in_(ids))).mappings():
        found[row["case_id"]].append(dict(row))
    return found
