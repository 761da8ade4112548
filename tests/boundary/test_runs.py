"""A hybrid step whose case goes on as a new run, and two people who differ."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from temporalio.worker import Worker

from tests.boundary.contracts import Claim, Receipt, Verdict
from tests.boundary.units import Damage
from tests.lab.waiting import until
from workunits.cases import CaseView
from workunits.client import Cases
from workunits.core.lifecycle import Task
from workunits.core.proposal import Review
from workunits.performs import Performer
from workunits.proposing import Proposal
from workunits.registry import Catalog, Package
from workunits.testing import Lab

pytestmark = pytest.mark.asyncio(loop_scope="session")
SHORT = 6
PAY, REFUSE = Verdict(verdict="pay", amount=100), Verdict(verdict="refuse")
ROLE, HEAD = "adjuster", "head of claims"
asked = 0


async def propose(_: Claim) -> Proposal[Verdict]:
    """Counts how often it is asked."""
    global asked  # noqa: PLW0603 - this worker's own
    asked += 1
    return Proposal(PAY, 0.9, model="test", prompt="1")


def pay(order: object) -> Receipt:
    """Pays."""
    return Receipt(number="1", paid=getattr(order, "decided").amount)  # noqa: B009 - of any order


class Office:
    """A worker, and the way to its cases."""

    def __init__(self, lab: Lab) -> None:
        self.queue = f"office-{uuid.uuid4().hex[:8]}"
        self.cases = Cases(lab.client, Catalog([Package("here", (Damage,), (), ())]), queue=self.queue)
        performers = (Performer(Damage.DECIDE, propose, "here"), Performer(Damage.PAY, pay, "here"))
        activities = [performer.as_activity() for performer in performers]
        self.worker = Worker(lab.client, task_queue=self.queue, workflows=[Damage], activities=activities)

    async def start(self, amount: int = 100) -> str:
        """A case of its own."""
        claim = Claim(number=uuid.uuid4().hex[:10], amount=amount)
        return (await self.cases.start("damage", claim.model_dump_json().encode())).case

    async def until(self, case: str, look: Callable[[CaseView], bool]) -> CaseView:
        """The case, once it looks so."""
        return await until(self.cases, case, look)

    async def task(self, case: str, key: str = "decide") -> Task:
        """An open task."""
        view = await self.until(case, lambda view: any(task.id.endswith(f"/{key}") for task in view.tasks))
        return view.tasks[0]

    async def complete(
        self, task: Task, verdict: Verdict, by: str, *, role: str = ROLE, review: Review | None = None
    ) -> None:
        """Answer it."""
        body = verdict.model_dump(mode="json")
        await self.cases.act(task.id, "complete", actor=by, roles=[role], body=body, review=review)


async def test_a_proposal_goes_with_its_case_into_the_next_run(court: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is asked once, the person sees the same proposal, and the review is noted."""
    monkeypatch.setattr("workunits.core.course.MESSAGES_PER_RUN", SHORT)
    office, before = Office(court), asked
    async with office.worker:
        case = await office.start()
        task = await office.task(case)
        for _ in range(SHORT // 2):
            await office.cases.act(task.id, "claim", actor="bo", roles=[ROLE])
            await office.cases.act(task.id, "release", actor="bo", roles=[ROLE])
        await office.until(case, lambda view: view.record is not None and view.record.runs > 1)
        question = await office.cases.question(task.id)
        assert question["proposal"]["output"] == PAY.model_dump(mode="json")
        review = Review(proposal=question["proposal"]["hash"])
        await office.complete(await office.task(case), PAY, "ana", review=review)
        view = await office.until(case, lambda view: not view.is_open)
    assert view.record is not None
    assert (view.close, view.record.proposals[0].decision, asked - before) == ("achieved", "accept", 1)


async def test_what_was_withdrawn_is_not_shown_in_the_next_run(court: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proposal still goes with the case; the stop does, too."""
    monkeypatch.setattr("workunits.core.course.MESSAGES_PER_RUN", SHORT)
    office = Office(court)
    async with office.worker:
        case = await office.start()
        task = await office.task(case)
        stop, body = f"{case}/ai:decide", {"reason": "odd"}
        await office.cases.act(stop, "stop_autonomy", actor="eve", roles=[HEAD], body=body, revision=1)
        for _ in range(SHORT // 2):
            await office.cases.act(task.id, "claim", actor="bo", roles=[ROLE])
            await office.cases.act(task.id, "release", actor="bo", roles=[ROLE])
        await office.until(case, lambda view: view.record is not None and view.record.runs > 1)
        asked_again = await office.cases.question(task.id)
        await office.complete(await office.task(case), PAY, "ana")
        view = await office.until(case, lambda view: not view.is_open)
    assert view.record is not None
    assert asked_again["proposal"] is None
    assert (view.close, view.record.proposals[0].route) == ("achieved", "human_only")


async def test_of_two_who_differ_the_accountable_role_decides(court: Lab) -> None:
    """Nobody does two of the three, and the last word is what the case goes on with."""
    office = Office(court)
    async with office.worker:
        case = await office.start(amount=20_000)
        await office.complete(await office.task(case, "decide-v1"), PAY, "ana")
        second = await office.task(case, "decide-v2")
        assert second.excluded == ["ana"]
        await office.complete(second, REFUSE, "bo")
        third = await office.task(case, "decide-v3")
        assert (third.role, third.excluded) == (HEAD, ["ana", "bo"])
        await office.complete(third, REFUSE, "carla", role=HEAD)
        view = await office.until(case, lambda view: not view.is_open)
    assert view.record is not None
    assert (view.close, view.record.decided_by) == ("achieved", ["ana", "bo", "carla"])


async def test_a_decision_on_another_proposal_than_the_one_shown_is_refused(court: Lab) -> None:
    """Whoever was shown something else looks again; nothing has happened meanwhile."""
    office = Office(court)
    async with office.worker:
        case = await office.start()
        task = await office.task(case)
        with pytest.raises(Exception, match="another proposal was shown"):
            await office.complete(task, PAY, "ana", review=Review(proposal="0" * 32))
        with pytest.raises(Exception, match="should be one of"):
            await office.complete(task, REFUSE, "ana", review=Review(decision="reject", reason="a whim"))
        await office.complete(task, REFUSE, "ana", review=Review(decision="reject", reason="policy"))
        view = await office.until(case, lambda view: not view.is_open)
    assert view.record is not None
    assert (view.record.proposals[0].decision, view.record.proposals[0].reason) == ("reject", "policy")
