"""The ways in which a purchase request closes: real cases on a real engine, with time skipped."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from pydantic import ValidationError
from workunits.testing import Answer, Lab

from your_package import performers
from your_package.contracts import Budget, Decision, Purchase
from your_package.unit import PurchaseRequest as Unit

APPROVE = Decision(verdict="approve")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def lab() -> AsyncIterator[Lab]:
    """An engine of its own, with our performers; an answer for an automated step replaces its performer."""
    async with Lab(contracts=["your_package.contracts"], performers=[performers]) as running:
        yield running


def purchase(number: str, *, price: int = 900, cost_centre: str = "IT-100") -> Purchase:
    """A request; each case needs a number of its own."""
    return Purchase(number=number, item="Two monitors", price=price, cost_centre=cost_centre, requester="sam")


async def test_an_approved_purchase(lab: Lab) -> None:
    """The budget is looked up, the holder approves, and the case is achieved."""
    view = await lab.run(Unit, purchase("P-1"), {Unit.DECIDE: Answer(APPROVE, by="kim", after=timedelta(hours=3))})

    assert view.close == "achieved"
    assert view.record is not None
    assert view.record.decided_by == ["kim"]


async def test_a_late_answer(lab: Lab) -> None:
    """After the two days that were promised it is achieved late, and the breach is on the record."""
    budget = Budget(cost_centre="IT-100", left=1000, enough=True)
    late = Answer(APPROVE, after=timedelta(days=3))
    view = await lab.run(Unit, purchase("P-2"), {Unit.CHECK_BUDGET: budget, Unit.DECIDE: late})

    assert view.close == "achieved_late"
    assert view.record is not None
    assert view.record.sla == "breached"


async def test_silence_is_no_decision(lab: Lab) -> None:
    """Nobody answers for two weeks: the case expires, which is not a refusal."""
    view = await lab.run(Unit, purchase("P-3"))

    assert view.close == "expired"


async def test_an_unknown_cost_centre(lab: Lab) -> None:
    """The performer raises, and the rule closes the case before anybody is asked."""
    view = await lab.run(Unit, purchase("P-4", cost_centre="XX-999"))

    assert view.close == "not_achieved"
    assert view.record is not None
    assert view.record.reason == "cost_centre_unknown"


def test_a_refusal_has_a_reason() -> None:
    """The requester is told why."""
    with pytest.raises(ValidationError, match="a reason is required"):
        Decision(verdict="refuse")
