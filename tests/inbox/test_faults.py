"""What happens to decisions when their sender, the workers or the engine go away: none is lost, none counts twice."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest_asyncio
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker

from inbox.courier import Courier
from inbox.directory import Directory
from inbox.identity import Actor
from inbox.journal import Journal
from inbox.service import TaskService
from observability.ledger.store import Ledger
from tests.faults.proxy import Proxy
from tests.lab.units import Pair
from tests.patience import PATIENCE
from workers.engine.embedded import Engine, Plan
from workunits.cases import CaseView
from workunits.client import Cases
from workunits.core.record import Record
from workunits.plugin import work_units
from workunits.registry import Catalog, Package

T = TypeVar("T")
HURRIED = True

GRANT = {"decision": "grant"}
ANN, BEN = (Actor(name, name.title(), ("clerk", "expert"), "inbox") for name in ("ann", "ben"))
CATALOG = Catalog([Package("faults", (Pair,), ("tests.lab.contracts",), ())])
QUEUE = "faults"


class House:
    """An engine with its state in a file, and an inbox; workers come and go."""

    def __init__(self, engine: Engine, client: Client, folder: Path) -> None:
        """Begin without a worker."""
        self.engine = engine
        self.client = client
        self.folder = folder
        self.cases = Cases(client, CATALOG, queue=QUEUE)
        self.journal = Journal(f"sqlite:///{folder / 'journal.sqlite'}")
        self.journal.open()
        self.ledger = Ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
        self.ledger.migrate()
        self.service = self.inbox(self.cases)

    def inbox(self, cases: Cases) -> TaskService:
        """An inbox on this journal."""
        return TaskService(
            cases=cases, catalog=CATALOG, ledger=self.ledger, directory=Directory(), journal=self.journal
        )

    def worker(self) -> Worker:
        """A worker; not started."""
        return Worker(self.client, task_queue=QUEUE, workflows=[Pair])

    @asynccontextmanager
    async def delivering(self) -> AsyncIterator[None]:
        """The inbox's background work."""
        stop = asyncio.Event()
        task = asyncio.create_task(self.service.deliver_forever(stop))
        yield
        stop.set()
        await task

    async def start(self) -> str:
        """A case with two open tasks."""
        started = await self.cases.start("pair", f'{{"request": "{uuid.uuid4().hex[:12]}"}}'.encode())
        await self.until(started.case, lambda view: view.tasks)
        return started.case

    async def until(self, case: str, look: Callable[[CaseView], T | None]) -> T:
        """What `look` finds in a case, once it finds something."""
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    found = look(await self.cases.show(case))
                except RPCError:
                    found = None
                if found:
                    return found
                await asyncio.sleep(0.02)

    async def closed(self, case: str) -> Record:
        """The record of a case, once it has closed."""
        return await self.until(case, lambda view: None if view.is_open else view.record)

    async def lose_engine(self) -> None:
        """End the engine as a machine does that loses its power."""
        os.kill(self.engine.pid, signal.SIGKILL)
        while self.engine.alive:  # noqa: ASYNC110 - a process tells nobody
            await asyncio.sleep(0.01)


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """An engine of its own: the test may take it away."""
    async with Engine(Plan(tmp_path / "engine", usual_ports=False, ui=False)) as engine:
        client = await Client.connect(engine.address.host, plugins=[work_units(*CATALOG.contracts)])
        there = House(engine, client, tmp_path)
        yield there
        there.journal.close()
        there.ledger.close()


async def test_f05_the_sender_dies_after_sending_and_the_answer_is_lost(house: House):
    """The same action id again: one effect, and the answer of the first."""
    async with house.worker():
        case = await house.start()
        await house.service.act(ANN, f"{case}/left", "complete", GRANT, hold=30)
        (entry,) = house.journal.unsettled(f"{case}/left")
        house.journal.release(entry.held_until or datetime.now(UTC))
        said = await house.cases.send(dict(entry.envelope) | {"revision": 1})  # and nobody writes down what it said
        assert house.journal.sending()
        after = Journal(f"sqlite:///{house.folder / 'journal.sqlite'}")
        assert (await Courier(house.cases, after).deliver(after.sending()[0])).is_settled
        (settled,) = after.answered_since(entry.sent_at)
        after.close()
        await house.service.act(BEN, f"{case}/right", "complete", GRANT)
        record = await house.closed(case)

    assert (settled.action_id, settled.answer) == (entry.action_id, said)
    assert [acted.id for acted in record.actions].count(entry.action_id) == 1
    assert len(record.actions) == 2


async def test_f05_the_way_to_the_engine_holds_what_was_sent(house: House):
    """The page says that it is saved; when the way is free again, it takes effect once."""
    async with house.worker(), Proxy(house.engine.address.host) as proxy:
        case = await house.start()
        client = await Client.connect(proxy.address, plugins=[work_units(*CATALOG.contracts)])
        service = house.inbox(Cases(client, CATALOG, queue=QUEUE))
        await service.sheet(ANN, f"{case}/left")
        proxy.hold()
        outcome = await service.act(ANN, f"{case}/left", "complete", GRANT, action_id="held-1", patience=0.2)
        again = await service.act(ANN, f"{case}/left", "complete", GRANT, action_id="held-1", patience=0.2)
        proxy.heal()
        async with house.delivering():
            view = await house.until(case, lambda view: view if len(view.tasks) == 1 else None)
        settled = await service.act(ANN, f"{case}/left", "complete", GRANT, action_id="held-1")

    assert (outcome.state, again.state, settled.state) == ("pending", "pending", "applied")
    assert view.record is not None
    assert [acted.id for acted in view.record.actions] == ["held-1"]


async def test_f06_people_go_on_deciding_while_workers_and_engine_are_down(house: House):
    """Their decisions are kept and delivered, each at the time at which it was made."""
    async with house.worker():
        cases = [await house.start() for _ in range(3)]
    outcomes = [await house.service.act(ANN, f"{case}/left", "complete", GRANT, patience=0.1) for case in cases]
    sheet = await house.service.sheet(ANN, f"{cases[0]}/left")
    await house.lose_engine()
    outcomes += [await house.service.act(BEN, f"{case}/right", "complete", GRANT, patience=0.1) for case in cases]
    decided = datetime.now(UTC)
    await house.engine.start()
    async with house.worker(), house.delivering():
        records = [await house.closed(case) for case in cases]

    assert {outcome.state for outcome in outcomes} == {"pending"}
    assert [entry.state for entry in sheet.pending] == ["sending"]
    assert house.journal.sending() == []
    for record in records:
        assert record.close == "achieved"
        assert sorted((acted.by, acted.task) for acted in record.actions) == [("ann", "left"), ("ben", "right")]
        for acted in record.actions:
            entry = house.journal.find(acted.id)
            assert entry is not None
            assert record.when(acted.at) == entry.sent_at <= decided


async def test_f21_decisions_come_back_after_a_restore_from_an_older_copy(house: House):
    """Whatever the copy lacks is sent again from the journal, in its order; twice changes nothing."""
    async with house.worker():
        cases = [await house.start() for _ in range(2)]
        since = datetime.now(UTC)
        await house.service.act(ANN, f"{cases[0]}/left", "claim", {})
        copy = house.folder / "copy.db"
        with closing(sqlite3.connect(house.engine.plan.state)) as live, closing(sqlite3.connect(copy)) as to:
            live.backup(to)
        for case in cases:
            assert (await house.service.act(ANN, f"{case}/left", "complete", GRANT)).state == "applied"
            assert (await house.service.act(BEN, f"{case}/right", "complete", GRANT)).state == "applied"
        before = [await house.closed(case) for case in cases]
    await house.lose_engine()
    for old in house.engine.plan.folder.glob("engine.db*"):
        old.unlink()
    copy.rename(house.engine.plan.state)
    await house.engine.start()
    async with house.worker():
        found = await house.service.redeliver(since)
        after = [await house.closed(case) for case in cases]
        again = await house.service.redeliver(since)

    assert sorted(one.outcome for one in found) == ["applied"] * 4 + ["known"]
    assert {one.outcome for one in again} == {"known"}
    for old_record, new in zip(before, after, strict=True):
        assert new.close == old_record.close == "achieved"
        assert [(a.id, a.at, a.state) for a in new.actions] == [(a.id, a.at, a.state) for a in old_record.actions]


async def test_f21_what_cannot_come_back_is_told(house: House):
    """A case that the copy does not have, a task that went another way: each with its reason."""
    async with house.worker():
        case = await house.start()
        since = datetime.now(UTC)
        await house.service.act(ANN, f"{case}/left", "complete", GRANT)
        entry = house.journal.answered_since(since)[0]
        for action_id, change in (("lost-1", {"task_id": "pair:never/left"}), ("lost-2", {"actor": "ben"})):
            house.journal.take(dict(entry.envelope) | change | {"action_id": action_id})
            house.journal.settle(action_id, "answered", {"state": "completed", "revision": 2})
        found = {one.action_id: one for one in await house.service.redeliver(since, patience=0.5)}

    assert found[entry.action_id].outcome == "known"
    assert (found["lost-1"].outcome, found["lost-1"].code) == ("refused", "unknown_task")
    assert (found["lost-2"].outcome, found["lost-2"].code) == ("refused", "closed")
