"""Notices: who is told what of a task, once, as long as there is something to tell; and what a dead channel does."""

from __future__ import annotations

import contextlib
import functools
import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from temporalio.client import Client, WorkflowExecutionStatus

from inbox.channels import mail_url
from inbox.notice_tables import notices
from observability.ledger.store import Ledger
from tests.inbox.conftest import PEOPLE
from tests.inbox.town import (
    LIVES,
    PACE,
    ROOT,
    URL,
    Town,
    bench,
    has_status,
    ledger,
    post,
    running,
    store,
    town,
    until_async,
)
from tests.observability.conftest import database, postgres
from tests.patience import until
from tests.workers.conftest import clean_environment
from workers.catalog import load_catalog
from workers.engine.ports import free_ports
from workers.people import accountable_roles
from workunits.client import Cases
from workunits.core.lifecycle import Task
from workunits.plugin import work_units

__all__ = ["bench", "database", "ledger", "post", "postgres", "store", "town"]


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
    town.pace(window=600)
    task = await town.start()
    await town.seen(task.id)
    notifier = town.notifier()
    async with running(notifier):
        await town.gathering(task)
        if blind:
            notifier._teller._ledger = Ledger(f"sqlite:///{tmp_path / 'none.sqlite'}")
        case = task.id.partition("/")[0]
        await town.bench.cases.cancel(case, actor="test", reason="not needed")
        await town.bench.closed(case)
        await town.gathered(task)
        await town.settled()

    assert town.states() == {"withdrawn": 3}
    assert town.post.letters == []


async def test_nobody_is_told_of_a_task_that_someone_has_claimed_meanwhile(town: Town):
    """The others would find nothing to do."""
    town.pace(window=600)
    task = await town.start()
    await town.seen(task.id)
    async with running(town.notifier()):
        await town.gathering(task)
        await town.act(task, "claim", "ben")
        await town.gathered(task)
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


def told(town: Town, who: str) -> set[str]:
    """The tasks of which someone was told."""
    return {link for one in town.post.of(who) for link in one.tasks}


async def test_a_dead_channel_is_an_incident_and_holds_up_nothing(town: Town):
    """It is given up after its patience and shown; the case goes on; the next message that arrives tells it all."""
    town.post.status = 500
    town.pace(patience=1)
    task = await town.start()
    async with running(town.notifier()):
        await until(lambda: town.states() == {"failed": 3})
        status = town.status()
        handle = town.bench.client.get_workflow_handle(f"notice:{task.id}:assignment")
        await until_async(lambda: has_status(handle, WorkflowExecutionStatus.FAILED))
        await town.bench.answer(task, {"request": "x"}, by="ann")
        check = await town.bench.task(task.id.partition("/")[0], "check")
        await town.seen(check.id)
        await until(lambda: town.status().notices.get("begun", 0) == 2)
        town.pace(patience=60)  # what comes now is not given up before its channel lives again
        another = await town.start()
        await town.seen(another.id)
        town.post.status = 200
        letter = await town.letter("ben")
        await until(lambda: told(town, "ben") >= {_link(check), _link(another)})
        await town.settled()

    assert [one.recipient for one in status.incidents] == ["person:ann", "person:ben", "person:cleo"]
    assert "500" in status.incidents[0].error
    assert len(set(letter.tasks)) <= 2
    assert told(town, "ben") == {_link(check), _link(another)}
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
            await until(functools.partial(lambda enough: len(told()) >= enough, enough), 110)
    with process(town, tmp_path) as last:
        await until(lambda: town.states(notices.c.state).get("begun") == len(those), 110)
        await town.settled(60)
        last.terminate()
        assert last.wait(60) == 0

    once = {(one.to, one.reference): one for one in town.post.letters}.values()
    links = [(one.to, link) for one in once for link in one.tasks]
    assert sorted(links) == sorted((who, _link(task)) for who in ("ann", "ben", "cleo") for task in those)
    assert len(town.post.letters) - len(once) <= LIVES * 3
    assert (town.states(), town.status().error) == ({"sent": LIVES * 9}, "")


def _link(task: Task) -> str:
    return f"{URL}/task/{task.id.replace(':', '%3A')}"
