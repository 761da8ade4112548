"""What the ledger's tests share: an empty ledger in each of the two databases, and a follower beside real cases."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from observability.ledger.store import Ledger
from tests.conftest import PACKAGE, Bench
from tests.lab import performers
from tests.observability.postgres import BIN, Postgres
from workunits.registry import Catalog
from workunits.testing import Lab


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def lab() -> AsyncIterator[Lab]:
    """A dev server of their own: a ledger reads all cases of a server, and other tests leave unreadable ones."""
    async with Lab(contracts=["tests.lab.contracts"], performers=[performers]) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bench(lab: Lab) -> AsyncIterator[Bench]:
    """A worker for the tests' units there, and the way to its cases."""
    there = Bench(lab, Catalog([PACKAGE]))
    async with there.worker():
        yield there


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
def quick(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger in a file."""
    store = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    store.migrate()
    yield store
    store.close()


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    """An empty ledger with today's schema."""
    opened = Ledger(database)
    opened.migrate()
    yield opened
    opened.close()
