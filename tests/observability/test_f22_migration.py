"""F22: a ledger of each older revision, with data in it, is brought up to today's, and keeps what it holds."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Boolean, Connection, Float, Integer, MetaData, Table, func, insert, select

from observability.ledger import migrations
from observability.ledger.follower import Follower
from observability.ledger.store import Ledger, SchemaError
from tests.observability.trials import CATALOG, serving

MOMENT = datetime(2026, 3, 4, 5, 6, 7, 89, UTC)


@pytest.mark.parametrize("older", migrations.known())
async def test_f22_from_an_older_revision(lab, database, older):
    """Nobody uses it until it is migrated; then each row of each table is there, and the follower goes on with it."""
    ledger = Ledger(database)
    with ledger.write() as connection:
        migrations.upgrade(connection, older)
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
