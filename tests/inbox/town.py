"""A town of people who are told of their tasks, for the tests of notices; the fixtures are imported by name."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import func, select
from temporalio.client import WorkflowExecutionStatus
from temporalio.worker import Worker

from inbox.channels import Channels
from inbox.directory import Directory
from inbox.notice_status import NoticeStatus, read_status
from inbox.notice_tables import notices, parcels
from inbox.noticeboard import Noticeboard
from inbox.notices import Notifier
from inbox.store import Store
from observability.ledger.follower import Follower
from observability.ledger.store import Ledger
from observability.ledger.tables import tasks
from tests.conftest import Bench
from tests.inbox.crowd import PACKAGE
from tests.inbox.post import Letter, Post, open_post
from tests.lab.people import PEOPLE as PEOPLE_UNITS
from tests.lab.people import FourEyes
from tests.observability.conftest import database, postgres
from tests.patience import PATIENCE, until
from workunits.client import Cases
from workunits.core.lifecycle import Task
from workunits.registry import Catalog
from workunits.testing import Lab

__all__ = ["database", "postgres"]

ROOT = Path(__file__).parents[2]
URL = "https://inbox.example.com"
LIVES = 2
PACE = "window = 0\npatience = 60\npause = 0.2\ncap = 10\n"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bench() -> AsyncIterator[Bench]:
    """An engine whose only tasks are ours: a notifier tells of all that are open."""
    async with Lab(contracts=["tests.lab.contracts"]) as lab:
        there = Bench(lab, Catalog([PACKAGE]))
        async with Worker(there.client, task_queue=there.queue, workflows=list(PEOPLE_UNITS)):
            yield there


@pytest_asyncio.fixture
async def ledger(bench: Bench, database: str) -> AsyncIterator[Ledger]:
    """A ledger that follows, on each kind of database; no case is open at the end."""
    opened = Ledger(database)
    opened.migrate()
    stop = asyncio.Event()
    following = asyncio.create_task(Follower(bench.client, opened, bench.cases.catalog, every=0.1).run(stop))
    yield opened
    stop.set()
    await following
    opened.close()
    async for view in bench.cases.list(state="waiting"):
        await bench.cases.cancel(view.case, actor="test", reason="the test is over")
        await bench.closed(view.case)
    await until_async(lambda: _none_is_listed(bench))


async def _none_is_listed(bench: Bench) -> bool:
    """The engine lists a close a moment after it: the next test's ledger begins with what is listed."""
    query = "WorkflowType = 'four_eyes' AND ExecutionStatus = 'Running'"
    return [one async for one in bench.client.list_workflows(query)] == []


@pytest.fixture
def post() -> Iterator[Post]:
    """Where the messages go."""
    with open_post() as there:
        yield there


@dataclass
class Town:
    """What a notifier stands on."""

    bench: Bench
    ledger: Ledger
    store: Store
    people: Path
    channels: Path
    post: Post
    known: int = 1

    def notifier(self, cases: Cases | None = None) -> Notifier:
        """A notifier; not started."""
        return Notifier(
            cases or self.bench.cases,
            self.ledger,
            Noticeboard(self.store),
            Directory.watch(self.people, every=0),
            Channels.watch(self.channels, every=0),
            url=URL,
            every=0.05,
        )

    def pace(self, **changed: float) -> None:
        """Change the pace in the file of channels."""
        lines = self.channels.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if line.partition(" =")[0] not in changed]
        said = [f"{key} = {value}" for key, value in changed.items()]
        self.channels.write_text("\n".join([*said, *kept, ""]), encoding="utf-8")

    async def start(self) -> Task:
        """A case whose task waits for a clerk."""
        return await self.bench.task((await self.bench.start(FourEyes)).case, "prepare")

    async def seen(self, task_id: str, **as_: Any) -> None:
        """Wait until the ledger has a task so."""
        wanted = [tasks.c.task_id == task_id, *(tasks.c[name] == value for name, value in as_.items())]

        def look() -> bool:
            with self.ledger.read() as connection:
                return connection.scalar(select(tasks.c.task_id).where(*wanted)) is not None

        await until(look)

    async def letter(self, to: str, number: int = 1) -> Letter:
        """The message with a number that came for someone, once it has."""
        await until(lambda: len(self.post.of(to)) >= number)
        return self.post.of(to)[number - 1]

    async def act(self, task: Task, action: str, by: str, role: str = "clerk", **body: Any) -> None:
        """Act on a task."""
        await self.bench.cases.act(task.id, action, actor=by, roles=[role], body=body)

    def states(self, what: Any = parcels.c.state) -> dict[str, int]:
        """How many parcels there are, by state; or notices."""
        with self.store.read() as connection:
            return {row[0]: row[1] for row in connection.execute(select(what, func.count()).group_by(what))}

    async def gathering(self, task: Task) -> None:
        """Wait until the notice of a new task waits for more to tell with it."""
        await until_async(lambda: self._waits(task))

    async def gathered(self, task: Task) -> None:
        """Let that time pass: it is long, so that a test has time for what is to happen meanwhile."""
        await self.bench.skip(_notice_of(task), timedelta(hours=1))

    async def _waits(self, task: Task) -> bool:
        begun = self.states(notices.c.state).get("begun", 0) > 0
        return begun and await self.bench.events(_notice_of(task), "timer_started") > 0

    async def put_up(self) -> None:
        """Wait until one more notice is put up than when this was asked last."""
        self.known += 1
        await until(lambda: sum(self.states(notices.c.state).values()) >= self.known)

    async def settled(self, patience: float = 30) -> None:
        """Wait until nothing is on its way."""

        def look() -> bool:
            return "new" not in self.states(notices.c.state) and not {"waiting", "sending"} & self.states().keys()

        await until(look, patience)

    def status(self) -> NoticeStatus:
        """What `--status` shows."""
        return read_status(self.store)


def _notice_of(task: Task) -> str:
    """The workflow of the notice that a task is new."""
    return f"notice:{task.id}:assignment"


@pytest.fixture
def store(database: str, tmp_path: Path) -> Iterator[Store]:
    """The inbox's store, in the ledger's kind of database; PostgreSQL's is the same one: the tables have own names."""
    store = Store(f"sqlite:///{tmp_path / 'journal.sqlite'}" if database.startswith("sqlite") else database)
    Noticeboard(store).open()
    yield store
    store.close()


@pytest.fixture
def town(bench: Bench, ledger: Ledger, store: Store, people: Path, post: Post, tmp_path: Path) -> Town:  # noqa: PLR0917
    """Everybody has a channel; what a test writes to its file is in force at once."""
    path = tmp_path / "channels.toml"
    everybody = ("ann", "ben", "cleo", "dora", "hana", "zoe")
    path.write_text(PACE + "".join(post.channel("person", name) for name in everybody), encoding="utf-8")
    path.chmod(0o600)
    return Town(bench, ledger, store, people, path, post)


@contextlib.asynccontextmanager
async def running(notifier: Notifier) -> AsyncIterator[None]:
    """A notifier at work."""
    stop = asyncio.Event()
    work = asyncio.create_task(notifier.run(stop))
    try:
        yield
    finally:
        stop.set()
        await work


async def has_status(handle: Any, status: WorkflowExecutionStatus) -> bool:
    """Whether a notice's workflow stands so."""
    return bool((await handle.describe()).status == status)


async def until_async(look: Any, patience: float = PATIENCE) -> None:
    """Wait until something is so, where it has to be asked."""
    async with asyncio.timeout(patience):
        while not await look():  # noqa: ASYNC110, the engine tells nobody
            await asyncio.sleep(0.02)
