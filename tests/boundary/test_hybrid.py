"""A hybrid step end to end: who decides, what the record keeps, and that what is done is what was decided."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from tests.boundary.contracts import Claim, Household, Receipt, Suspicious, Verdict
from tests.boundary.units import Cover, Damage, Ransom
from workunits.cases import CaseView
from workunits.core.proposal import Asked, Review, Standing, digest
from workunits.core.proposal import Proposed as Kept
from workunits.core.spec import Step
from workunits.proposing import Proposal
from workunits.testing import Answer, Lab, Proposed

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAY = Verdict(verdict="pay", amount=100)
REFUSE = Verdict(verdict="refuse")
POINTS = [(0.0, 0.0), (1.0, 1.0)]


class Fixed:
    """Says one level."""

    def __init__(self, standing: Standing) -> None:
        self.standing = standing

    async def of(self, _: Step[Any, Any], __: Asked, ___: str) -> Standing:
        """It."""
        return self.standing


class Broken:
    """Nobody knows."""

    async def of(self, _: Step[Any, Any], __: Asked, ___: str) -> Standing:
        """Fails."""
        raise ConnectionError


def proposes(verdict: Verdict = PAY, confidence: float = 0.9) -> Proposal[Verdict]:
    """What the model says."""
    return Proposal(verdict, confidence, evidence=("the window is broken",), model="test", prompt="3")


def paid(order: Any) -> Receipt:
    """Pays what it is given."""
    return Receipt(number=order.number, paid=order.decided.amount)


async def run(lab: Lab, proposed: Proposed, *, standing: Standing | None = None, **claim: Any) -> CaseView:
    """A case of its own, run to its close."""
    case = Claim(number=uuid.uuid4().hex[:10], **claim)
    return await lab.run(
        Damage,
        case,
        {Damage.DECIDE: proposed, Damage.PAY: paid, Damage.INSPECT: REFUSE},
        standings=None if standing is None else Fixed(standing),
    )


def proposal_of(view: CaseView) -> Kept:
    """What the record has of it."""
    assert view.record is not None
    return view.record.proposals[0]


async def test_a_suggestion_that_is_taken_as_it_is_counts_as_accepted(court: Lab) -> None:
    """The decision is the person's; what was proposed, by whom and what came of it is on the record, as hashes."""
    view = await run(court, Proposed(proposes(), Answer(PAY, by="ana", review=Review(proposal=digest(PAY), opened=1))))
    kept = proposal_of(view)
    assert (view.close, kept.route, kept.why, kept.shown) == ("achieved", "review", "suggest", True)
    assert (kept.decision, kept.fields, kept.opened, kept.overridden) == ("accept", [], 1, False)
    assert kept.executor == "test|3|"
    assert kept.output == digest(PAY)
    assert view.record is not None
    assert [(w.key, w.kind, w.decides, w.by) for w in view.record.steps[:2]] == [
        ("decide-ai", "ai", False, None),
        ("decide", "human", True, "ana"),
    ]
    assert view.record.decided_by == ["ana"]


async def test_a_change_that_matters_is_an_override(court: Lab) -> None:
    """An edit of a material field overrides; one of a note does not."""
    other = await run(court, Proposed(proposes(), Answer(REFUSE, review=Review(decision="reject", reason="policy"))))
    assert (proposal_of(other).decision, proposal_of(other).overridden) == ("reject", True)
    assert proposal_of(other).reason == "policy"
    noted = await run(court, Proposed(proposes(), PAY.model_copy(update={"note": "checked by phone"})))
    assert (proposal_of(noted).decision, proposal_of(noted).fields) == ("edit", ["note"])
    assert not proposal_of(noted).overridden


@pytest.mark.parametrize("code", ["ai_unavailable", "ai_output_invalid", "ai_budget_exceeded"])
async def test_f23_a_model_that_fails_leaves_the_decision_to_a_person(court: Lab, code: str) -> None:
    """The case goes on, and the person and the record are told why there is no proposal."""
    failure = ApplicationError("no", type=code, non_retryable=True)
    view = await run(court, Proposed(failure, Answer(REFUSE, by="ana")))
    kept = proposal_of(view)
    assert (view.close, kept.route, kept.why, kept.shown) == ("achieved", "human_only", code, False)


async def test_a_proposal_of_the_wrong_shape_leaves_the_decision_to_a_person(court: Lab) -> None:
    """The performer's result is checked in the worker, and the case goes on."""
    view = await run(court, Proposed(lambda _: PAY, Answer(REFUSE, by="ana")))
    assert (view.close, proposal_of(view).why) == ("achieved", "bad_result")


async def test_a_business_exception_of_the_model_is_routed_by_the_units_rules(court: Lab) -> None:
    """What the model finds is no failure."""
    view = await run(court, Proposed(Suspicious("odd"), None))
    assert view.record is not None
    assert [(r.code, r.to) for r in view.record.routes] == [("suspicious", "inspect")]


async def test_above_the_certificates_threshold_the_model_decides(court: Lab) -> None:
    """Nobody is asked; below it a person is."""
    certified = Standing(level="A5", threshold=0.8, points=POINTS, calibration="c1", certificate="cert")
    auto = await run(court, Proposed(proposes(confidence=0.9)), standing=certified)
    assert (auto.close, proposal_of(auto).route, proposal_of(auto).certificate) == ("achieved", "auto", "cert")
    assert auto.record is not None
    assert not [work for work in auto.record.steps if work.kind == "human"]
    below = await run(court, Proposed(proposes(confidence=0.7), PAY), standing=certified)
    assert (proposal_of(below).route, proposal_of(below).why) == ("review", "below_threshold")


async def test_what_is_not_routine_is_never_decided_by_a_model(court: Lab) -> None:
    """Over the limit one person decides whatever was signed; what cannot be undone, two do."""
    certified = Standing(level="A5", threshold=0.1, points=POINTS)
    big = Verdict(verdict="pay", amount=5_000)
    over = await run(court, Proposed(proposes(big), big), standing=certified)
    assert (proposal_of(over).route, proposal_of(over).why) == ("review", "ceiling")


async def test_what_cannot_be_undone_two_people_decide(court: Lab) -> None:
    """Each in a task of their own, one after the other."""
    view = await run(court, Proposed(proposes(), PAY), amount=20_000)
    assert proposal_of(view).route == "dual_review"
    assert view.record is not None
    people = [(work.key, work.by) for work in view.record.steps if work.kind == "human"]
    assert people == [("decide-v1", "someone"), ("decide-v2", "a colleague of someone")]


HUGE = Verdict(verdict="pay", amount=60_000)


@pytest.mark.parametrize(
    ("proposed", "standing", "amount", "route"),
    [
        (Proposed(proposes(), HUGE), None, 100, "review"),
        (Proposed(proposes(), HUGE), Standing(level="A4", threshold=0.5, points=POINTS), 100, "auto"),
        (Proposed(proposes(), PAY), Standing(level="A1"), 20_000, "human_only"),
        (Proposed(ApplicationError("no", type="ai_unavailable", non_retryable=True), PAY), None, 20_000, "human_only"),
    ],
    ids=["edited into it", "in the veto window", "in the shadow", "without a model"],
)
async def test_what_one_person_decided_takes_a_second_where_it_cannot_be_undone(
    court: Lab, proposed: Proposed, standing: Standing | None, amount: int, route: str
) -> None:
    """The risk is that of the decision, too: a failed model, or an edit, is no way around the second pair of eyes."""
    view = await run(court, proposed, standing=standing, amount=amount)
    assert (view.close, proposal_of(view).route) == ("achieved", route)
    assert view.record is not None
    people = [(work.key, work.by) for work in view.record.steps if work.kind == "human"]
    assert people == [("decide", "someone"), ("decide-v2", "a colleague of someone")]
    assert view.record.decided_by == ["someone", "a colleague of someone"]


async def test_within_the_veto_window_a_person_may_decide_otherwise(court: Lab) -> None:
    """Nobody objects: what the model decided counts when the window is over, and not before."""
    certified = Standing(level="A4", threshold=0.5, points=POINTS)
    silent = await run(court, Proposed(proposes()), standing=certified)
    assert silent.record is not None
    assert silent.record.closed is not None
    assert (silent.close, proposal_of(silent).route) == ("achieved", "auto")
    assert silent.record.closed >= timedelta(hours=2) // timedelta(microseconds=1)
    vetoed = await run(court, Proposed(proposes(), Answer(REFUSE, by="ana")), standing=certified)
    assert (proposal_of(vetoed).decision, proposal_of(vetoed).overridden) == ("edit", True)
    assert vetoed.record is not None
    assert vetoed.record.decided_by == ["ana"]


async def test_where_nobody_can_say_the_level_a_person_decides(court: Lab) -> None:
    """A store that is down makes nobody bolder."""
    case = Claim(number=uuid.uuid4().hex[:10])
    answers: dict[Step[Any, Any], Any] = {Damage.DECIDE: Proposed(proposes(), REFUSE), Damage.PAY: paid}
    view = await court.run(Damage, case, answers, standings=Broken())
    assert (proposal_of(view).why, proposal_of(view).route) == ("autonomy_unknown", "human_only")


async def test_the_executor_of_the_act_refuses_what_was_not_decided(court: Lab) -> None:
    """The payload's hash is taken again where it is acted on: the case fails, and nothing is paid."""
    view = await run(court, Proposed(proposes(), PAY), story="tampered")
    assert (view.close, view.record.reason if view.record else None) == ("failed", "technical_failure")
    assert view.record is not None
    assert view.record.steps[-1].code == "approval_stale"


async def test_a_yes_is_to_what_was_shown(court: Lab) -> None:
    """Where the answer is not the payload, what the person was shown is, to the letter."""
    for story, close in (("a window broke", "achieved"), ("raised", "failed")):
        claim = Claim(number=uuid.uuid4().hex[:10], story=story)
        paid = Receipt(number="1", paid=claim.amount)
        view = await court.run(Ransom, claim, {Ransom.ALLOW: PAY, Ransom.PAY: paid})
        assert view.close == close
        assert view.record is not None
        assert (view.record.steps[-1].code == "approval_stale") == (close == "failed")


async def test_a_unit_calls_another_and_points_at_its_case(court: Lab) -> None:
    """The step's time is what the other case says of its own, so the parts still add up to the whole."""
    number = uuid.uuid4().hex[:10]
    case = Household(policy=uuid.uuid4().hex[:10], claim=Claim(number=number))
    answers: dict[Step[Any, Any], Any] = {
        Damage.DECIDE: Proposed(proposes(), Answer(PAY, by="ana")),
        Damage.PAY: paid,
    }
    view = await court.run(Cover, case, answers, beside=(Damage,))
    assert view.record is not None
    work = view.record.steps[0]
    assert (view.close, work.kind, work.child, work.end) == ("achieved", "unit", f"damage:{number}", "done")
    assert {part for part, _, _ in work.inside} >= {"queue"}
