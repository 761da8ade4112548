"""Writing rows: whole cases at a time, idempotent, and never an older view over a newer one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from observability.ledger import counting, totals
from observability.ledger.counting import Facts
from observability.ledger.forgetting import Forgetting
from observability.ledger.keeping import corrections
from observability.ledger.rows import CaseRows
from observability.ledger.tables import (
    actions,
    cases,
    clock_entries,
    clocks,
    exceptions,
    incidents,
    proposals,
    steps,
    tasks,
)

PARTS: tuple[Table, ...] = (steps, tasks, exceptions, incidents, clocks, clock_entries, actions, proposals)
"""What a case consists of; rewritten whole when the case's row is."""
_FIRST = ("first_close", "first_closed_at")
_CHUNK = 500
_STANDING = (
    cases.c.case_id,
    cases.c.run_started_at,
    cases.c.changed_at,
    cases.c.close,
    cases.c.closed_at,
    cases.c.vanished,
    cases.c.record_hash,
    cases.c.counted,
    *(cases.c[name] for name in _FIRST),
    cases.c.forgotten_at,
)


def write(
    connection: Connection, found: Iterable[CaseRows], forgetting: Forgetting, now: datetime, *, again: bool = False
) -> list[str]:
    """Write cases, inside a transaction of `Ledger.write`.

    Args:
        connection: Holds the writers' lock, so what is read here stays true.
        found: The newest view of each case; one per case.
        forgetting: Whose personal data is not kept.
        now: For corrections.
        again: Also what seems to stand there already, as a repair does.

    Returns:
        The cases that were written; the others stand there already, as they are or newer.
    """
    by_id = {rows.case["case_id"]: rows for rows in found}
    standing = _standing(connection, list(by_id))
    newer = {case: rows for case, rows in by_id.items() if _is_newer(rows, standing.get(case), again=again)}
    if not newer:
        return []
    made: list[Mapping[str, Any]] = []
    tally = totals.Tally()
    for case, rows in newer.items():
        there = standing.get(case)
        forgetting.apply(rows)
        if there is not None:
            corrected = list(_corrected(rows, there, now))
            for correction in corrected:
                tally.count("corrections", rows.case["unit"], rows.case["version"], correction["kind"])
            made += corrected
            rows.case.update({name: there[name] or rows.case[name] for name in _FIRST})
        facts = Facts(rows.case, rows.steps, rows.exceptions, rows.clocks, rows.proposals)
        rows.case["counted"] = counting.count(facts, (there and there["counted"]) or (), tally)
    upsert(connection, cases, [rows.case for rows in newer.values()])
    for part in PARTS:
        replaced = [case for case, rows in newer.items() if case in standing and part.name not in rows.partial]
        for chunk in _chunks(replaced):
            connection.execute(delete(part).where(part.c.case_id.in_(chunk)))
        whole, partial = [
            [row for rows in newer.values() if (part.name in rows.partial) is so for row in getattr(rows, part.name)]
            for so in (False, True)
        ]
        insert_all(connection, part, whole)
        upsert(connection, part, partial)
    add_missing(connection, corrections, made)
    totals.add(connection, tally)
    return list(newer)


def upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, or put them in the place of those with the same key."""
    if not rows:
        return
    statement = _insert(connection, table)
    keys = [column.name for column in table.primary_key]
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), list(rows))


def add_missing(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert those rows whose key is not there yet."""
    if rows:
        keys = [column.name for column in table.primary_key]
        connection.execute(_insert(connection, table).on_conflict_do_nothing(index_elements=keys), list(rows))


def insert_all(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that are known to be new."""
    if rows:
        connection.execute(table.insert(), list(rows))


def _insert(connection: Connection, table: Table) -> Any:
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)


def _standing(connection: Connection, ids: Sequence[str]) -> dict[str, RowMapping]:
    return {
        row["case_id"]: row
        for chunk in _chunks(ids)
        for row in connection.execute(select(*_STANDING).where(cases.c.case_id.in_(chunk))).mappings()
    }


def _is_newer(rows: CaseRows, there: RowMapping | None, *, again: bool) -> bool:
    if there is None or there["vanished"]:
        return True
    if rows.case["record_hash"] == there["record_hash"] and not again:
        return False
    return rows.order >= (there["run_started_at"], there["close"] is not None, there["changed_at"])


def _corrected(rows: CaseRows, there: RowMapping, now: datetime) -> Iterable[Mapping[str, Any]]:
    """A case that had closed goes on, or closes otherwise: it was reset, or was not gone after all."""
    after = rows.case["close"]
    if there["close"] is None or (there["close"], there["closed_at"]) == (after, rows.case["closed_at"]):
        return
    kind = "vanished" if there["vanished"] else "reset"
    at = rows.case["run_started_at"]
    key = f"{rows.case['case_id']}\0{kind}\0{rows.case['run_id']}\0{after}"
    yield {
        "correction_id": hashlib.sha256(key.encode()).hexdigest(),
        "case_id": rows.case["case_id"],
        "at": at,
        "kind": kind,
        "from_close": there["close"],
        "to_close": after,
        "why": "the engine has it again" if there["vanished"] else f"run {rows.case['run_id']} took over",
        "recorded_at": now,
    }


def _chunks(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]
