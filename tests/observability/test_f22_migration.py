"""F22: a ledger of each older revision, with data in it, is brought up to today's, and keeps what it holds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import JSON, Boolean, Column, Connection, Float, Integer, MetaData, Table, func, insert, select

from observability.ledger import migrations
from observability.ledger.follower import Follower
from observability.ledger.letters import code_version
from observability.ledger.store import Ledger, SchemaError
from observability.ledger.tables import cases
from tests.observability.trials import CATALOG, serving

MOMENT = datetime(2026, 3, 4, 5, 6, 7, 89, UTC)
TIMES = ("at", "watermark", "before", "window_from", "window_to")
GIVEN = {"payload": "", "code": code_version()}
"""A dead letter that is not due: the engine knows nothing of it."""


@pytest.mark.parametrize("older", migrations.known())
async def test_f22_from_an_older_revision(lab, database, older):
    """Nobody uses it until it is migrated; then each row of each table is there, and the follower goes on with it."""
    ledger = Ledger(database)
    ledger.migrate(older)
    with ledger.write() as connection:
        before = fill(connection)
    if older != migrations.head():
        with pytest.raises(SchemaError, match="workunits ledger migrate"):
            ledger.check()
    ledger.migrate()
    ledger.check()
    with ledger.read() as connection:
        after = {name: count for name, count in counts(connection).items() if name in before}
    async with serving(lab) as trials:
        case = await trials.done()
        follower = Follower(trials.client, ledger, CATALOG)
        await trials.followed(follower, lambda: case in closed(ledger))

    assert before == after == dict.fromkeys(before, 1)
    assert "x" in closed(ledger)
    ledger.close()


def fill(connection: Connection) -> dict[str, int]:
    """Put a row into every table, with something in every column."""
    tables = reflected(connection)
    for table in tables:
        connection.execute(insert(table).values({column.name: value(column, connection) for column in table.columns}))
    return counts(connection)


def reflected(connection: Connection) -> list[Table]:
    """The tables as the database has them, not as today's code declares them."""
    there = MetaData()
    there.reflect(connection)
    return [table for table in there.sorted_tables if table.name != "alembic_version"]


def counts(connection: Connection) -> dict[str, int]:
    """The rows of every table."""
    return {t.name: connection.execute(select(func.count()).select_from(t)).scalar_one() for t in reflected(connection)}


def value(column: Column[Any], connection: Connection) -> object:
    """Something that fits a column; the same in all columns that name the same thing."""
    if column.name in GIVEN:
        return GIVEN[column.name]
    kind = column.type
    if isinstance(kind, Boolean):
        return False
    if isinstance(kind, Integer | Float):
        return 1
    if isinstance(kind, JSON):
        return {}
    if column.name.endswith("_at") or column.name in TIMES:
        return MOMENT if connection.dialect.name == "postgresql" else f"{MOMENT:%Y-%m-%dT%H:%M:%S.%fZ}"
    return "x"


def closed(ledger: Ledger) -> set[str]:
    """The cases that the ledger has as closed."""
    with ledger.read() as connection:
        return set(connection.execute(select(cases.c.case_id).where(cases.c.close.is_not(None))).scalars())
