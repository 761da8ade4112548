"""The kill switch of a hybrid step, as it reaches open cases."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import SecretStr
from temporalio.client import Client, WorkflowExecution
from temporalio.worker import Worker

from observability.ledger.autonomy import Grant, LedgerStandings, sign
from observability.ledger.proposal_rows import proposal_rows
from observability.ledger.store import Ledger
from tests.boundary.contracts import Claim, Receipt, Verdict
from tests.boundary.units import Damage
from tests.lab.waiting import listed, until
from workers.settings import Settings
from workers.stopping import stop_for_all, tell_open_cases
from workunits.client import Cases
from workunits.core.autonomy import STOPPED
from workunits.core.proposal import Proposed as Kept
from workunits.core.record import Record
from workunits.performs import Performer
from workunits.proposing import Proposal
from workunits.registry import Catalog, Package
from workunits.testing import Lab


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger in a file."""
    store = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    store.migrate()
    yield store
    store.close()


OPEN = "WorkflowType = 'damage' AND ExecutionStatus = 'Running'"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look a second time without waiting."""
    monkeypatch.setattr("workers.stopping.LISTED_WITHIN", 0.0)


@pytest.mark.asyncio(loop_scope="session")
async def test_the_kill_switch_reaches_every_open_case_within_one_task(court: Lab, quick: Ledger) -> None:
    """Of cases in the veto window, with the model still thinking, or not yet begun, none is decided by it any more."""
    points = [(0.0, 0.1), (1.0, 0.9)]
    sign(quick, Grant("damage", "1", "decide", "test|1|", "A4", "ana", "head of claims", threshold=0.1, points=points))
    thinking, go = asyncio.Event(), asyncio.Event()

    async def propose(claim: Claim) -> Proposal[Verdict]:
        if claim.story == "slow":
            thinking.set()
            await go.wait()
        return Proposal(Verdict(verdict="refuse"), 0.9, model="test", prompt="1")

    queue = f"kill-{uuid.uuid4().hex[:8]}"
    catalog = Catalog([Package("here", (Damage,), (), ())])
    there = Cases(court.client, catalog, queue=queue)
    settings = Settings(ledger=SecretStr(f"sqlite:///{quick.url.database}"))
    performers = [Performer(Damage.DECIDE, propose, "here"), Performer(Damage.PAY, pay, "here")]
    standings = LedgerStandings(quick)

    async def start(story: str) -> str:
        claim = Claim(number=uuid.uuid4().hex[:10], story=story)
        return (await there.start("damage", claim.model_dump_json().encode())).case

    activities = [performer.as_activity(standings) for performer in performers]
    async with Worker(court.client, task_queue=queue, workflows=[Damage], activities=activities):
        held, slow = await start("held"), await start("slow")
        await until(there, held, lambda view: any(task.expires for task in view.tasks))
        await thinking.wait()
        await listed(court.client, OPEN, held, slow)
        said = {"actor": "ana", "reason": "it refuses everyone"}
        reach = stop_for_all(settings, Damage.DECIDE, **said)
        await tell_open_cases(there, Damage.DECIDE, reach, **said)
        after = await start("after")
        go.set()
        for case in (held, slow, after):
            view = await until(there, case, lambda view: bool(view.tasks) and not view.tasks[0].expires)
            assert view.record is not None
            assert [(kept.route, kept.why) for kept in view.record.proposals] == [("human_only", STOPPED)]
            assert view.tasks[0].proposal is None
            await court.client.get_workflow_handle(case).terminate()
    assert (reach.anew, reach.told >= 2, reach.missed) == (True, True, {})


def pay(order: object) -> Receipt:
    """Nothing is to be paid here."""
    raise AssertionError(order)


class Slow:
    """A client of an engine that lists nothing yet when it is asked for the first time."""

    def __init__(self, client: Client) -> None:
        """Ask this one."""
        self._client = client
        self._asked = 0

    def __getattr__(self, name: str) -> Any:
        """Be as the client is."""
        return getattr(self._client, name)

    async def list_workflows(self, query: str) -> AsyncIterator[WorkflowExecution]:
        """List what is there from the second time on."""
        self._asked += 1
        async for execution in self._client.list_workflows(query):
            if self._asked > 1:
                yield execution


@pytest.mark.asyncio(loop_scope="session")
async def test_the_kill_switch_reaches_a_case_that_the_engine_does_not_list_yet(court: Lab, quick: Ledger) -> None:
    """It began a moment before the stop and is in its veto window, in which a person decides now."""
    points = [(0.0, 0.1), (1.0, 0.9)]
    sign(quick, Grant("damage", "1", "decide", "test|1|", "A4", "ana", "head of claims", threshold=0.1, points=points))

    async def propose(_: Claim) -> Proposal[Verdict]:
        return Proposal(Verdict(verdict="refuse"), 0.9, model="test", prompt="1")

    queue = f"kill-{uuid.uuid4().hex[:8]}"
    catalog = Catalog([Package("here", (Damage,), (), ())])
    there = Cases(court.client, catalog, queue=queue)
    late = Cases(cast("Client", Slow(court.client)), catalog, queue=queue)
    performers = [Performer(Damage.DECIDE, propose, "here"), Performer(Damage.PAY, pay, "here")]
    activities = [performer.as_activity(LedgerStandings(quick)) for performer in performers]
    claim = Claim(number=uuid.uuid4().hex[:10], story="held")
    async with Worker(court.client, task_queue=queue, workflows=[Damage], activities=activities):
        case = (await there.start("damage", claim.model_dump_json().encode())).case
        await until(there, case, lambda view: any(task.expires for task in view.tasks))
        await listed(court.client, OPEN, case)
        said = {"actor": "ana", "reason": "it refuses everyone"}
        settings = Settings(ledger=SecretStr(f"sqlite:///{quick.url.database}"))
        reach = stop_for_all(settings, Damage.DECIDE, **said)
        await tell_open_cases(late, Damage.DECIDE, reach, **said)
        (task,) = (await there.show(case)).tasks
        await court.client.get_workflow_handle(case).terminate()
    assert (task.expires, task.proposal, case in reach.missed) == (None, None, False)


def test_a_proposal_that_was_stopped_before_its_model_was_asked_has_a_row() -> None:
    """It is counted among those that people decided because of the stop, though no machine has worked."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    record = Record(unit="damage", version="1", case="damage:1", started=at, due=1)
    record.proposals = [Kept(key="decide", step="decide", at=5, input="h", level="A0", route="human_only", why=STOPPED)]
    (row,) = proposal_rows(record)
    assert (row["key"], row["outcome"], row["route"], row["why"]) == ("decide-ai", "not_asked", "human_only", STOPPED)
