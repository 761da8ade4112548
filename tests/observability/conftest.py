"""What the ledger's tests share: an empty ledger in each of the two databases, and a follower beside real cases."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from observability.ledger.store import Ledger
from tests.observability.postgres import BIN, Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server."""
    if BIN is None:
        pytest.skip("PostgreSQL's server is not installed: apt-get install postgresql")
    server = Postgres.make()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.create(f"t{uuid.uuid4().hex[:12]}")


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    """An empty ledger with today's schema."""
    opened = Ledger(database)
    opened.migrate()
    yield opened
    opened.close()
