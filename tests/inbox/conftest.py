"""What the inbox's tests share: an engine and a worker of their own, a ledger that follows, people, and the doors.

Names of people say what they are: `ann`, `ben` and `cleo` are clerks, `cleo` and `dora` experts, `mia`, `moe` and
`mona` members, `chad` the chair, `bea` the boss, `hana` the accountable head, `otto` sees all, `zoe` has no role.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
import uvicorn
from fastapi import FastAPI

from inbox import lookup, reader, service
from inbox.app import Doors, make_app
from inbox.directory import Directory
from inbox.journal import Journal
from inbox.limits import Limits, Rate
from inbox.sessions import Ended
from observability.ledger.follower import Follower
from observability.ledger.store import Ledger
from tests.conftest import PACKAGE, Bench
from tests.lab import performers
from tests.patience import PATIENCE
from workunits.registry import Catalog
from workunits.testing import Lab

PEOPLE = """
zone = "Europe/Madrid"
admins = ["operations"]

[groups]
clerks = ["clerk"]
experts = ["expert"]
members = ["member"]
chairs = ["chair"]
bosses = ["boss"]
operations = []

[[person]]
name = "ann"
display = "Ann Alvarez"
email = "ann@example.com"
zone = "Europe/Madrid"
groups = ["clerks"]

[[person]]
name = "ben"
display = "Ben Brandt"
email = "ben@example.com"
groups = ["clerks"]

[[person]]
name = "cleo"
display = "Cleo Costa"
groups = ["clerks", "experts"]

[[person]]
name = "dora"
display = "Dora Dietz"
groups = ["experts"]

[[person]]
name = "mia"
display = "Mia Moreau"
groups = ["members"]

[[person]]
name = "moe"
display = "Moe Mancini"
groups = ["members"]

[[person]]
name = "mona"
display = "Mona Meyer"
groups = ["members"]

[[person]]
name = "chad"
display = "Chad Chen"
groups = ["chairs"]

[[person]]
name = "bea"
display = "Bea Becker"
groups = ["bosses"]

[[person]]
name = "hana"
display = "Hana Horvat"

[[person]]
name = "otto"
display = "Otto Olsen"
groups = ["operations"]

[[person]]
name = "zoe"
display = "Zoe Zimmer"

[[accountable]]
role = "head of tests"
person = "hana"
"""
URL = "http://localhost:8080"
PLENTY = Rate(1e9, 1e9)
BROWSER = {"accept": "text/html", "sec-fetch-site": "same-origin"}
"""The headers of a browser that is on one of our pages."""

Enter = Callable[..., Awaitable[httpx2.AsyncClient]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def lab() -> AsyncIterator[Lab]:
    """A real dev server that has no cases of other folders' tests."""
    async with Lab(contracts=["tests.lab.contracts"], performers=[performers]) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bench(lab: Lab) -> AsyncIterator[Bench]:
    """A worker for the tests' units, and the way to its cases."""
    there = Bench(lab, Catalog([PACKAGE]))
    async with there.worker():
        yield there


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ledger(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ledger]:
    """A ledger that follows the engine all the time."""
    opened = Ledger(f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.sqlite'}")
    opened.migrate()
    stop = asyncio.Event()
    following = asyncio.create_task(Follower(bench.client, opened, bench.cases.catalog, every=0.1).run(stop))
    yield opened
    stop.set()
    await following
    opened.close()


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """The directory file; what a test writes there is in force at once."""
    path = tmp_path / "directory.toml"
    path.write_text(PEOPLE, encoding="utf-8")
    return path


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An empty journal."""
    opened = Journal(f"sqlite:///{tmp_path / 'journal.sqlite'}")
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def doors(bench: Bench, ledger: Ledger, people: Path, journal: Journal) -> Doors:
    """Everything that the inbox needs, with the development login, and without limits on requests."""
    return Doors(
        cases=bench.cases,
        catalog=bench.cases.catalog,
        ledger=ledger,
        directory=Directory.watch(people, accountable=["head of tests"], every=0),
        journal=journal,
        url=URL,
        session_key="a key for tests, and for nothing else",
        ended=Ended(),
        dev_login=True,
        limits=Limits(PLENTY, PLENTY, PLENTY, PLENTY),
    )


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[FastAPI]:
    """An application with its background work, which a server would start and stop."""
    async with app.router.lifespan_context(app):
        yield app


@pytest_asyncio.fixture
async def app(doors: Doors) -> AsyncIterator[FastAPI]:
    """The inbox."""
    async with serving(make_app(doors)) as running:
        yield running


def client_of(app: FastAPI, url: str = URL, **headers: str) -> httpx2.AsyncClient:
    """A browser that nobody has logged in with; it follows no redirect by itself."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=url, headers={**BROWSER, **headers})


async def log_in(client: httpx2.AsyncClient, name: str) -> None:
    """Log in by the development login."""
    answer = await client.post("/login/dev", data={"name": name})
    assert answer.status_code == 303, answer.text


@pytest_asyncio.fixture
async def enter(app: FastAPI) -> AsyncIterator[Enter]:
    """Open browsers, each logged in with a name, or as nobody yet; further headers by keyword."""
    async with contextlib.AsyncExitStack() as stack:

        async def make(name: str = "", **headers: str) -> httpx2.AsyncClient:
            client = await stack.enter_async_context(client_of(app, **headers))
            if name:
                await log_in(client, name)
            return client

        yield make


class Uvicorn(uvicorn.Server):
    """A real server that leaves the process's signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


@dataclass(frozen=True)
class Site:
    """The inbox as browsers find it."""

    url: str
    doors: Doors
    app: FastAPI


@asynccontextmanager
async def site_of(doors: Doors) -> AsyncIterator[Site]:
    """The inbox on a real server, on a free port of this machine."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    doors = replace(doors, url=url)
    app = make_app(doors)
    server = Uvicorn(uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=3))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with asyncio.timeout(PATIENCE):
            while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
                await asyncio.sleep(0.01)
        yield Site(url, doors, app)
    finally:
        app.state.stopping.set()
        server.should_exit = True
        await task


@pytest_asyncio.fixture
async def site(doors: Doors) -> AsyncIterator[Site]:
    """The inbox on a real server, for a real browser."""
    async with site_of(doors) as there:
        yield there


@pytest.fixture(scope="module", autouse=True)
def _unhurried(request: pytest.FixtureRequest) -> Iterator[None]:
    """Who answers late on a busy machine is not down; a module whose tests are about those who are says `HURRIED`."""
    with pytest.MonkeyPatch.context() as patch:
        if not getattr(request.module, "HURRIED", False):
            for module in (lookup, reader, service):
                patch.setattr(module, "PATIENCE", PATIENCE)
        yield
