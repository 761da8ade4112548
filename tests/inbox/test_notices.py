"""Notices: who is told what of a task, once, as long as there is something to tell; and what a dead channel does."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiosmtpd.controller import Controller
from sqlalchemy import func, select
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.worker import Worker

from inbox.channels import Channels, load_routes, mail_url
from inbox.directory import Directory
from inbox.files import FileError
from inbox.notice import Notice
from inbox.notice_status import NoticeStatus, read_status
from inbox.notice_tables import notices, parcels
from inbox.noticeboard import LEASE, Message, Noticeboard
from inbox.notices import Notifier
from inbox.store import Store
from observability.ledger.follower import Follower
from observability.ledger.store import Ledger
from observability.ledger.tables import tasks
from tests.conftest import Bench
from tests.inbox.conftest import PEOPLE
from tests.inbox.crowd import PACKAGE
from tests.inbox.post import Letter, Post, open_post
from tests.lab.people import PEOPLE as PEOPLE_UNITS
from tests.lab.people import FourEyes
from tests.observability.conftest import database, postgres
from tests.workers.conftest import clean_environment
from workers.catalog import load_catalog
from workers.people_checks import accountable_roles
from workers.ports import free_ports
from workunits.client import Cases
from workunits.core.lifecycle import Task
from workunits.plugin import work_units
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


async def until(look: Callable[[], bool], patience: float = 20) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(patience):
        while not look():  # noqa: ASYNC110, neither a database nor a webhook tells us
            await asyncio.sleep(0.02)


async def test_candidates_are_told_once_with_a_link_that_opens_the_task(town: Town):
    """Each person of the role, nobody else, and a second notifier on the same board tells nobody again."""
    task = await town.start()
    async with running(town.notifier()):
        letter = await town.letter("ann")
        await town.letter("ben")
        await town.letter("cleo")
    await town.seen(task.id)
    again = town.notifier()
    assert await again.follow() == 0
    async with running(again):
        await town.settled()

    key = task.id.partition("/")[0].partition(":")[2]
    assert letter.title == f"For you: prepare, four eyes {key}"
    assert letter.tasks == [f"{URL}/task/{task.id.replace(':', '%3A')}"]
    assert "Whoever has the role clerk may take it." in letter.body
    assert "CET" in letter.body
    assert sorted(one.to for one in town.post.letters) == ["ann", "ben", "cleo"]


async def test_who_did_it_is_not_told_and_who_was_given_it_is(town: Town):
    """A claim of one's own is quiet; a delegation tells the one, its return the other; an assignment the assigned."""
    task = await town.start()
    await town.act(task, "claim", "ann")
    await town.seen(task.id, owner="ann")
    async with running(town.notifier()):
        await town.settled()
        await town.act(task, "delegate", "ann", to="ben")
        given = await town.letter("ben")
        await town.act(task, "resolve", "ben")
        back = await town.letter("ann")
        await town.act(task, "assign", "hana", "head of tests", to="dora")
        await town.letter("dora")

    assert "It is yours." in given.body
    assert "It is yours." in back.body
    assert [one.to for one in town.post.letters] == ["ben", "ann", "dora"]


async def test_the_ladder(town: Town):
    """At risk: the candidates; past due: them and the accountable; escalated: the accountable."""
    town.channels.write_text(PACE + town.post.channel("role", "clerk") + town.post.channel("person", "hana"))
    task = await town.start()
    case = task.id.partition("/")[0]
    async with running(town.notifier()):
        await town.letter("clerk")
        await town.bench.skip(case, timedelta(hours=20))
        warned = await town.letter("clerk", 2)
        await town.bench.skip(case, timedelta(hours=5))
        late, told = await town.letter("clerk", 3), await town.letter("hana")
        await town.act(task, "escalate", "x", "system", how="notify_up", reason="nobody takes it")
        escalated = await town.letter("hana", 2)
        await town.settled()

    assert (warned.title[:7], late.title[:7], escalated.title[:9]) == ("At risk", "Overdue", "Escalated")
    assert "you are accountable for it" in told.body
    assert sorted(one.to for one in town.post.letters) == ["clerk", "clerk", "clerk", "hana", "hana"]


async def test_what_comes_within_the_window_is_one_message(town: Town):
    """Three new tasks, and each person reads one message with three links."""
    town.pace(window=2)
    those = [await town.start() for _ in range(3)]
    for task in those:
        await town.seen(task.id)
    async with running(town.notifier()):
        letter = await town.letter("ann")
        await town.settled()

    assert letter.title == "For you: 3 tasks"
    assert len(set(letter.tasks)) == 3
    assert sorted(one.to for one in town.post.letters) == ["ann", "ben", "cleo"]


@pytest.mark.parametrize("blind", ["", "the ledger is down"])
async def test_nobody_is_told_of_a_task_that_has_closed_meanwhile(town: Town, blind: str, tmp_path: Path):
    """It is looked at again just before it is sent; the case itself is asked, also when the ledger cannot be."""
    town.pace(window=2)
    task = await town.start()
    await town.seen(task.id)
    notifier = town.notifier()
    async with running(notifier):
        await until(lambda: town.states().get("waiting") == 3)
        if blind:
            notifier._teller._ledger = Ledger(f"sqlite:///{tmp_path / 'none.sqlite'}")
        await town.bench.cases.cancel(task.id.partition("/")[0], actor="test", reason="not needed")
        await town.settled()

    assert town.states() == {"withdrawn": 3}
    assert town.post.letters == []


async def test_nobody_is_told_of_a_task_that_someone_has_claimed_meanwhile(town: Town):
    """The others would find nothing to do."""
    town.pace(window=2)
    task = await town.start()
    await town.seen(task.id)
    async with running(town.notifier()):
        await until(lambda: town.states().get("waiting") == 3)
        await town.act(task, "claim", "ben")
        await town.settled()

    assert town.post.letters == []


async def test_a_task_has_no_more_notices_than_its_cap(town: Town):
    """However often it is handed to and fro."""
    town.pace(cap=3)
    task = await town.start()
    async with running(town.notifier()):
        await town.letter("ann")
        for _ in range(4):
            await town.act(task, "assign", "hana", "head of tests", to="zoe")
            await town.seen(task.id, owner="zoe")
            await town.put_up()
            await town.settled()
            await town.act(task, "release", "zoe")
            await town.seen(task.id, owner=None)
            await town.put_up()
            await town.settled()

    assert town.states(notices.c.state) == {"begun": 3, "capped": 6}
    assert len(town.post.of("zoe")) == 1


async def test_a_dead_channel_is_an_incident_and_holds_up_nothing(town: Town):
    """It is given up after its patience and shown; the case goes on; the next message that arrives tells it all."""
    town.post.status = 500
    town.pace(patience=1)
    task = await town.start()
    async with running(town.notifier()):
        await until(lambda: town.states() == {"failed": 3})
        status = town.status()
        handle = town.bench.client.get_workflow_handle(f"notice:{task.id}:assignment")
        await until_async(lambda: _has_status(handle, WorkflowExecutionStatus.FAILED))
        await town.bench.answer(task, {"request": "x"}, by="ann")
        check = await town.bench.task(task.id.partition("/")[0], "check")
        await town.seen(check.id)
        await until(lambda: town.status().notices.get("begun", 0) == 2)
        another = await town.start()
        await town.seen(another.id)
        town.post.status = 200
        letter = await town.letter("ben")
        await town.settled()

    assert [one.recipient for one in status.incidents] == ["person:ann", "person:ben", "person:cleo"]
    assert "500" in status.incidents[0].error
    assert len(set(letter.tasks)) <= 2
    assert {link for one in town.post.of("ben") for link in one.tasks} == {_link(check), _link(another)}
    assert town.status().incidents == ()


async def test_mail_goes_to_the_address_in_the_directory(town: Town):
    """Who has no channel and an address has mail, through the server of the settings."""
    town.channels.write_text(PACE)
    got: list[tuple[list[str], bytes]] = []

    class Handler:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802, aiosmtpd's name
            got.append((envelope.rcpt_tos, envelope.content))
            return "250 OK"

    (port,) = free_ports(1)
    server = Controller(Handler(), hostname="127.0.0.1", port=port)
    server.start()
    try:
        routes = f'mail = "{mail_url(f"smtp://127.0.0.1:{port}", "inbox@example.com")}"\n'
        town.channels.write_text(PACE + routes)
        await town.start()
        async with running(town.notifier()):
            await until(lambda: len(got) == 2)
    finally:
        server.stop()

    assert sorted(to for those, _ in got for to in those) == ["ann@example.com", "ben@example.com"]
    assert all(b"X-Workunits-Message: " in content and b"For you: prepare" in content for _, content in got)


async def test_the_absent_are_replaced_and_the_excluded_left_out(town: Town):
    """Who stands in is told instead; who made what is checked is not asked to check it."""
    away = '\n[[absence]]\nperson = "ben"\nfrom = 2020-01-01\nuntil = 2100-01-01\nsubstitute = "zoe"\n'
    town.people.write_text(PEOPLE + away)
    task = await town.start()
    await town.bench.answer(task, {"request": "x"}, by="ann")
    check = await town.bench.task(task.id.partition("/")[0], "check")
    await town.seen(check.id)
    async with running(town.notifier()):
        await town.letter("zoe")
        await town.letter("cleo")
        await town.settled()

    assert sorted(one.to for one in town.post.letters) == ["cleo", "zoe"]


async def test_two_notifiers_at_once_tell_once(town: Town):
    """Whoever is first puts a notice up; each reaches each person once."""
    host = town.bench.client.service_client.config.target_host
    client = await Client.connect(host, plugins=[work_units("tests.lab.contracts")])
    other = Cases(client, town.bench.cases.catalog, queue=town.bench.queue)
    async with running(town.notifier()), running(town.notifier(other)):
        those = [await town.start() for _ in range(6)]
        await until(lambda: town.states(notices.c.state).get("begun") == len(those))
        await town.settled()

    told = [(one.to, link) for one in town.post.letters for link in one.tasks]
    assert sorted(told) == sorted((who, _link(task)) for who in ("ann", "ben", "cleo") for task in those)


@contextlib.contextmanager
def process(town: Town, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`workunits notify` as a process; killed at the end at the latest."""
    with (folder / "notifier.log").open("ab") as log:
        there = subprocess.Popen(
            [sys.executable, "-P", "-m", "workers.cli", "notify"], env=_env(town, folder), stdout=log, stderr=log
        )
    try:
        yield there
    finally:
        there.kill()
        there.wait()


def _env(town: Town, folder: Path) -> dict[str, str]:
    return clean_environment(
        PYTHONPATH=str(ROOT),
        TEMPORAL_ADDRESS=town.bench.client.service_client.config.target_host,
        WORKUNITS_LEDGER=town.ledger.url.render_as_string(hide_password=False),
        WORKUNITS_JOURNAL=town.store.url.render_as_string(hide_password=False),
        WORKUNITS_STATE=str(folder / "state"),
        WORKUNITS_MODULES="tests.inbox.crowd",
        WORKUNITS_DIRECTORY=str(town.people),
        WORKUNITS_NOTICES=str(town.channels),
        WORKUNITS_INBOX_URL=URL,
    )


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_killed_again_and_again_it_tells_each_notice(town: Town, tmp_path: Path):
    """Every notice is told; a message that came twice, sent as the sender was killed, says that it is the same."""
    rng = random.Random(5)  # noqa: S311, the same moments each time
    roles = accountable_roles(load_catalog(["tests.inbox.crowd"])) - {"head of tests"}
    more = "".join(f'\n[[accountable]]\nrole = "{role}"\nperson = "otto"\n' for role in sorted(roles))
    town.people.write_text(PEOPLE + more)
    those: list[Task] = []

    def told() -> set[tuple[str, str]]:
        return {(one.to, link) for one in town.post.letters for link in one.tasks}

    for _ in range(LIVES):
        enough = len(told()) + rng.randrange(1, 8)
        with process(town, tmp_path):
            those += [await town.start() for _ in range(3)]
            await until(functools.partial(lambda enough: len(told()) >= enough, enough), 40)
    with process(town, tmp_path) as last:
        await until(lambda: town.states(notices.c.state).get("begun") == len(those), 40)
        await town.settled(60)
        last.terminate()
        assert last.wait(20) == 0

    once = {(one.to, one.reference): one for one in town.post.letters}.values()
    links = [(one.to, link) for one in once for link in one.tasks]
    assert sorted(links) == sorted((who, _link(task)) for who in ("ann", "ben", "cleo") for task in those)
    assert len(town.post.letters) - len(once) <= LIVES * 3
    assert (town.states(), town.status().error) == ({"sent": LIVES * 9}, "")


def _notice(number: int, rung: str = "assignment") -> Notice:
    what = {"unit": "four_eyes", "key": str(number), "step": "prepare", "role": "clerk"}
    return Notice(f"four_eyes:{number}/prepare", rung, "candidates", ("person:ann",), **what)


def test_the_message_of_a_killed_sender_is_the_same_again(store: Store):
    """Nobody knows whether it arrived: it is sent again with the same reference, and what came since goes apart."""
    board, now, pause = Noticeboard(store), datetime.now(UTC), timedelta(seconds=1)
    first, second, third = (_notice(number) for number in (1, 2, 3))
    assert board.add([first, second], 10, now) == 2
    message = board.open_message(first.id, "person:ann", pause, now)
    assert isinstance(message, Message)
    assert board.add([first, third], 10, now) == 1

    assert board.open_message(second.id, "person:ann", pause, now) == "sending"
    again = board.open_message(first.id, "person:ann", pause, now)
    later = board.open_message(second.id, "person:ann", pause, now + LEASE)
    assert isinstance(again, Message)
    assert isinstance(later, Message)
    assert message.reference == again.reference == later.reference
    assert {notice.id for notice in later.notices} == {first.id, second.id}
    fresh = board.open_message(third.id, "person:ann", pause, now)
    assert isinstance(fresh, Message)
    assert [notice.id for notice in fresh.notices] == [third.id]
    board.sent(later, [first.id, second.id], now)
    assert board.open_message(first.id, "person:ann", pause, now) == "sent"


def test_a_channel_that_failed_is_left_alone_for_a_while(store: Store):
    """Not each of many notices tries it; after its patience the oldest is given up, and told with the next."""
    board, now, pause = Noticeboard(store), datetime.now(UTC), timedelta(seconds=30)
    first, second = _notice(1), _notice(2)
    board.add([first], 10, now)
    message = board.open_message(first.id, "person:ann", pause, now)
    assert isinstance(message, Message)
    assert board.undelivered(message, "nothing listens there", timedelta(minutes=1), now) == "waiting"
    board.add([second], 10, now)
    assert board.open_message(second.id, "person:ann", pause, now + pause / 2) == "waiting"
    late = now + timedelta(minutes=2)
    message = board.open_message(first.id, "person:ann", pause, late)
    assert isinstance(message, Message)
    assert board.undelivered(message, "nothing listens there", timedelta(minutes=1), late) == "failed"
    (incident,) = read_status(store).incidents
    assert (incident.given_up, incident.waiting, incident.since) == (1, 1, now)

    message = board.open_message(second.id, "person:ann", pause, late + pause)
    assert isinstance(message, Message)
    assert {notice.id for notice in message.notices} == {first.id, second.id}
    board.sent(message, [first.id, second.id], late + pause)
    assert read_status(store).incidents == ()


def test_old_notices_are_forgotten_unless_their_task_is_open(store: Store):
    """What is forgotten could be told again; of an open task nothing is."""
    board, now = Noticeboard(store), datetime.now(UTC)
    board.add([_notice(1), _notice(2)], 10, now)
    assert board.prune(now, set()) == 0
    assert board.prune(now + timedelta(seconds=1), {_notice(2).task_id}) == 1
    assert board.add([_notice(2)], 10, now) == 0
    board.passed(now, now)
    board.passed(now - timedelta(hours=1), now)
    assert board.mark() == now


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("window = -1", "window: a number from 0 to 3600"),
        ("cap = true", "cap: a number from 1 to 100"),
        ('mail = "nothing"', "mail: not a URL that apprise knows"),
        ("channels = 1", "there is no such key"),
        ('[[channel]]\nurl = "json://localhost"', "whose channel is it?"),
        ('[[channel]]\nperson = "a"\nrole = "b"\nurl = "json://localhost"', "whose channel is it?"),
        ('[[channel]]\nperson = "a"\nurl = "tops3cret://x"', "url: not a URL that apprise knows"),
        ('[[channel]]\nperson = "a"', "url: it is missing"),
        ('[[channel]]\nrole = "a"\nurl = "json://h"\n[[channel]]\nrole = "a"\nurl = "json://h"', "there twice"),
    ],
)
def test_what_is_not_right_in_the_file_is_named_with_its_line(tmp_path: Path, text: str, why: str):
    """And never a URL, which holds passwords."""
    path = tmp_path / "channels.toml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(FileError) as refused:
        load_routes(path)
    assert why in str(refused.value)
    assert f"{path}:" in str(refused.value)
    assert "tops3cret" not in str(refused.value)


def test_a_file_of_passwords_that_anyone_may_read_is_refused(tmp_path: Path):
    """With what to do."""
    path = tmp_path / "channels.toml"
    path.write_text("")
    path.chmod(0o644)
    with pytest.raises(FileError, match="chmod o-r"):
        load_routes(path)


async def _has_status(handle: Any, status: WorkflowExecutionStatus) -> bool:
    return bool((await handle.describe()).status == status)


async def until_async(look: Any, patience: float = 20) -> None:
    """Wait until something is so, where it has to be asked."""
    async with asyncio.timeout(patience):
        while not await look():  # noqa: ASYNC110, the engine tells nobody
            await asyncio.sleep(0.02)


def _link(task: Task) -> str:
    return f"{URL}/task/{task.id.replace(':', '%3A')}"
