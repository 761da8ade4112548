"""What a stop takes off the open reviews of a case, and what the record says of who decided after it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio.worker import Worker

from observability.learning.proposed import told
from observability.ledger.proposal_rows import proposal_rows
from tests.boundary.contracts import Claim, Receipt, Verdict
from tests.boundary.test_hybrid import POINTS, Fixed, paid, proposes
from tests.boundary.units import Damage
from tests.lab.waiting import until
from workers.replaying.histories import load
from workers.replaying.replay import replay
from workunits.cases import CaseView
from workunits.client import Cases
from workunits.core.autonomy import STOPPED
from workunits.core.errors import Refused
from workunits.core.proposal import Proposed as Kept
from workunits.core.proposal import Review, Standing, digest
from workunits.core.record import Record
from workunits.performs import Performer
from workunits.proposing import Proposal
from workunits.registry import Catalog, Package
from workunits.testing import Lab

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAY = Verdict(verdict="pay", amount=100)
SUGGESTS = Standing(level="A2")


class Desk:
    """People at the tasks of one unit."""

    def __init__(self, cases: Cases) -> None:
        self.cases = cases

    async def case(self, **claim: Any) -> CaseView:
        """A case of its own, once its decision waits for a person."""
        case = Claim(number=uuid.uuid4().hex[:10], **claim)
        started = await self.cases.start("damage", case.model_dump_json().encode())
        return await self.until(started.case, lambda view: bool(view.tasks))

    async def until(self, case: str, look: Callable[[CaseView], bool]) -> CaseView:
        """The case, once it looks so."""
        return await until(self.cases, case, look)

    async def stop(self, view: CaseView) -> CaseView:
        """Tell the case of the stop."""
        body = {"reason": "it pays everyone"}
        task = f"{view.case}/ai:decide"
        await self.cases.act(task, "stop_autonomy", actor="eve", roles=["head of claims"], body=body, revision=1)
        return await self.cases.show(view.case)

    async def decide(self, view: CaseView, by: str = "ana", **more: Any) -> None:
        """Answer the open task; pay, as the model has it."""
        body = PAY.model_dump(mode="json")
        await self.cases.act(view.tasks[0].id, "complete", actor=by, roles=["adjuster"], body=body, **more)


@asynccontextmanager
async def desk(lab: Lab, standing: Standing, made: Proposal[Verdict]) -> AsyncIterator[Desk]:
    """A worker, and people."""

    async def propose(_: Claim) -> Proposal[Verdict]:
        return made

    async def pay(order: Any) -> Receipt:
        return paid(order)

    queue = f"withdrawn-{uuid.uuid4().hex[:8]}"
    performers = [Performer(Damage.DECIDE, propose, "here"), Performer(Damage.PAY, pay, "here")]
    activities = [performer.as_activity(Fixed(standing)) for performer in performers]
    async with Worker(lab.client, task_queue=queue, workflows=[Damage], activities=activities):
        yield Desk(Cases(lab.client, Catalog([Package("here", (Damage,), (), ())]), queue=queue))


def kept_of(view: CaseView) -> Kept:
    """What the record has of the proposal."""
    assert view.record is not None
    return view.record.proposals[0]


def record_of(view: CaseView) -> Record:
    """The record."""
    assert view.record is not None
    return view.record


async def test_after_a_stop_nobody_is_shown_what_was_proposed(court: Lab) -> None:
    """The task asks the same without it, at a new revision; whoever accepts it is told to decide."""
    async with desk(court, SUGGESTS, proposes()) as people:
        before = await people.case()
        shown = (await people.cases.question(before.tasks[0].id))["proposal"]
        after = await people.stop(before)
        task = after.tasks[0]
        asked = await people.cases.question(task.id)
        with pytest.raises(Refused) as stale:
            await people.decide(before, revision=before.tasks[0].revision)
        with pytest.raises(Refused, match="the model was stopped: decide yourself") as refused:
            await people.decide(after, review=Review(proposal=digest(PAY), decision="accept"))
        await people.decide(after)
        done = await people.until(before.case, lambda view: not view.is_open)

    assert shown["output"]["verdict"] == "pay"
    assert (asked["proposal"], asked["task"].get("proposal")) == (None, None)
    assert (before.tasks[0].revision, task.revision, task.proposal) == (1, 2, None)
    assert (stale.value.code, refused.value.code) == ("stale_revision", STOPPED)
    kept = kept_of(done)
    assert (kept.route, kept.why, kept.level) == ("human_only", STOPPED, "A0")
    assert (kept.shown, kept.withdrawn) == (True, record_of(done).stopped["decide"])
    assert (kept.decision, kept.agrees, kept.decided is not None) == (None, None, True)
    (row,) = proposal_rows(record_of(done))
    assert (row["shown"], row["decision"], row["agrees"], row["overridden"]) == (True, None, None, None)
    assert [one.decision for one in told(record_of(done))] == ["decided; since the stop it was not shown any more"]


async def test_the_second_of_two_people_sees_nothing_after_a_stop(court: Lab) -> None:
    """Two people still decide what cannot be undone; what the first made of the proposal does not stand for both."""
    async with desk(court, SUGGESTS, proposes()) as people:
        first = await people.case(amount=20_000)
        await people.decide(first, review=Review(proposal=digest(PAY), decision="accept"))
        second = await people.until(first.case, lambda view: bool(view.tasks) and view.tasks[0].id != first.tasks[0].id)
        await people.stop(second)
        unseen = (await people.cases.question(second.tasks[0].id))["proposal"]
        await people.decide(second, by="ben")
        done = await people.until(first.case, lambda view: not view.is_open)

    assert unseen is None
    assert record_of(done).decided_by == ["ana", "ben"]
    kept = kept_of(done)
    assert (kept.route, kept.why, kept.decision, kept.withdrawn is not None) == ("dual_review", STOPPED, None, True)


async def test_a_task_that_opens_after_the_stop_shows_nothing_either(court: Lab) -> None:
    """The stop came while the first of two people had the case; the second one's task opens later."""
    async with desk(court, SUGGESTS, proposes()) as people:
        first = await people.stop(await people.case(amount=20_000))
        await people.decide(first)
        second = await people.until(first.case, lambda view: bool(view.tasks) and view.tasks[0].id != first.tasks[0].id)
        asked = await people.cases.question(second.tasks[0].id)
        await people.decide(second, by="ben")
        done = await people.until(first.case, lambda view: not view.is_open)

    assert (asked["proposal"], second.tasks[0].proposal) == (None, None)
    assert (kept_of(done).decision, record_of(done).decided_by) == (None, ["ana", "ben"])


async def test_a_veto_window_becomes_a_plain_task_without_a_proposal(court: Lab) -> None:
    """It does not run out any more, and nobody is asked to object to something that they cannot see."""
    certified = Standing(level="A4", threshold=0.5, points=POINTS, certificate="c")
    async with desk(court, certified, proposes()) as people:
        before = await people.case()
        after = await people.stop(before)
        asked = await people.cases.question(after.tasks[0].id)
        await people.decide(after)
        done = await people.until(before.case, lambda view: not view.is_open)

    assert before.tasks[0].expires is not None
    assert (after.tasks[0].expires, asked["proposal"]) == (None, None)
    assert (kept_of(done).route, kept_of(done).decision) == ("human_only", None)


async def test_a_case_that_was_told_before_proposals_were_withdrawn_goes_on_as_it_did() -> None:
    """In its history two people accepted, after the stop, what they were still shown."""
    history = load(Path(__file__).parent / "told_before.json")
    catalog = Catalog([Package("here", (Damage,), ("tests.boundary.contracts",), ())])
    (verdict,) = await replay([history], catalog)
    assert (verdict.status, verdict.findings) == ("clean", ())
