"""What the tests of faults share: one real engine, and a fleet of workers for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from tests.faults.fleet import Fleet
from tests.faults.watch import Watch
from tests.workers.conftest import Shell
from workers.engine.embedded import Engine, Plan
from workunits.plugin import work_units


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    """A real engine in memory; a case that does not ask for a clock of its own lives in real time."""
    plan = Plan(tmp_path_factory.mktemp("engine"), persistent=False, usual_ports=False, ui=False, skip_time=True)
    async with Engine(plan) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def client(engine: Engine) -> Client:
    """The way to the engine."""
    return await Client.connect(engine.address.host, plugins=[work_units("tests.faults.contracts")])


@pytest.fixture
def fleet(tmp_path: Path, engine: Engine, client: Client) -> Iterator[Fleet]:
    """Workers of this test alone; whichever is left at its end, also a frozen one, is killed."""
    shell = Shell(tmp_path, [])
    yield Fleet(shell, engine, client)
    for started in shell.started:
        started.process.kill()
        started.process.wait()


@pytest.fixture
def watch(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """A watchdog of this test's fleet, without a ledger and without people."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", fleet._env["TEMPORAL_ADDRESS"])
    monkeypatch.chdir(fleet.shell.folder)
    watch = Watch(fleet)
    yield watch
    watch.watchdog.close()
