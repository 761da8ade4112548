"""Refund requests, told case by case: an example of how to test a unit of your own."""

from __future__ import annotations

import uuid
from datetime import date, timedelta

import pytest
from temporalio.exceptions import ApplicationError

from workunits.catalog.refund_request import RefundRequest as Unit
from workunits.contracts.refund_request import (
    AlreadyRefunded,
    Decision,
    Money,
    Order,
    OrderNumber,
    OrderUnknown,
    Paid,
    Request,
    Ruling,
    Sent,
)
from workunits.core.parts import parts
from workunits.testing import Answer, Cancel

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

PRICE = Money(minor=45_00, currency="EUR")
ORDER = Order(
    order="O-1",
    email="mira@example.org",
    cost=PRICE,
    ordered_on=date(2026, 2, 20),
    delivered_on=date(2026, 2, 24),
    refunded_minor=0,
)
PAY = Decision(verdict="pay")
REFUSE = Decision(verdict="refuse", reason="The seal was broken.")
LEDGER_DOWN = ApplicationError("the ledger is down", type="ledger_down", non_retryable=True)
"""A failure for good: no other attempt is made."""

ROUTINE = {
    Unit.FIND_ORDER: ORDER,
    Unit.APPLY_POLICY: Ruling(verdict="pay", reason="In time and small."),
    Unit.PAY: Paid(payment=7, amount=PRICE),
    Unit.TELL_CUSTOMER: Sent(message="m-1"),
}
"""What happens in a request that the policy settles by itself."""
ASK = ROUTINE | {
    Unit.APPLY_POLICY: Ruling(verdict="ask", reason="The amount is over 100.00 EUR."),
    Unit.DECIDE: Answer(PAY, by="piet", after=5 * HOUR),
}
"""What happens in one that a person decides."""


def request() -> Request:
    """A request, each with a number of its own: it is the business key."""
    return Request(
        request=f"RR-{uuid.uuid4().int % 10**12}",
        order="O-1",
        amount=PRICE,
        cause="damaged",
        requested_on=date(2026, 3, 2),
        email="mira@example.org",
    )


def performed(view) -> list[str]:
    """The steps of a case, in the order in which they were ready."""
    return [work.key for work in view.record.steps]


async def result_of(lab, view):
    """What the case delivered."""
    return (await lab.client.get_workflow_handle(view.case).result())["result"]


async def test_a_small_refund_goes_straight_through(lab):
    """No person touches it."""
    view = await lab.run(Unit, request(), ROUTINE)
    result = await result_of(lab, view)

    assert view.close == "achieved"
    assert performed(view) == ["find_order", "apply_policy", "pay", "tell_customer"]
    assert (view.record.decided_by, parts(view.record)["touch_human"]) == ([], 0)
    assert result["paid"] == {"payment": 7, "amount": {"minor": 45_00, "currency": "EUR"}}
    assert (view.record.facts, view.record.segment) == ({"cause": "damaged"}, "damaged")


async def test_the_policy_may_refuse_by_itself(lab):
    """A refusal with its reason achieves the outcome: it was the answer that was promised."""
    ruling = Ruling(verdict="refuse", reason="The return period of 30 days is over.")
    view = await lab.run(Unit, request(), ROUTINE | {Unit.APPLY_POLICY: ruling})
    result = await result_of(lab, view)

    assert view.close == "achieved"
    assert performed(view) == ["find_order", "apply_policy", "tell_customer"]
    assert (result["paid"], result["decision"]["reason"]) == (None, ruling.reason)


@pytest.mark.parametrize(("decision", "paid"), [(PAY, True), (REFUSE, False)])
async def test_what_the_policy_leaves_open_is_decided_by_a_person(lab, decision, paid):
    """Either way the customer is told, and the outcome achieved."""
    view = await lab.run(Unit, request(), ASK | {Unit.DECIDE: Answer(decision, by="piet", after=5 * HOUR)})

    assert (view.close, view.record.decided_by) == ("achieved", ["piet"])
    assert ("pay" in performed(view)) is paid
    assert "tell_customer" in performed(view)


async def test_an_unknown_order_goes_back_to_the_customer_once(lab):
    """A corrected number is looked up again; the day of waiting was the customer's."""

    def find(number: OrderNumber) -> Order:
        if number.order == "O-1":
            raise OrderUnknown
        return ORDER

    corrected = Answer(OrderNumber(order="O-2"), by="mira", after=DAY)
    view = await lab.run(Unit, request(), ROUTINE | {Unit.FIND_ORDER: find, Unit.CORRECT_NUMBER: corrected})

    assert view.close == "achieved"
    assert performed(view)[:3] == ["find_order", "correct_number", "find_order-2"]
    assert parts(view.record)["external_wait"] // 60_000_000 == 24 * 60


async def test_an_order_that_stays_unknown_ends_it(lab):
    """The customer is asked once."""
    answers = {Unit.FIND_ORDER: OrderUnknown(), Unit.CORRECT_NUMBER: OrderNumber(order="O-3")}
    view = await lab.run(Unit, request(), ROUTINE | answers)

    assert (view.close, view.record.reason) == ("not_achieved", "order_unknown")
    assert performed(view) == ["find_order", "correct_number", "find_order-2"]


async def test_a_customer_who_does_not_answer_lets_it_expire(lab):
    """Silence for 14 days is no decision, and a breach on the way."""
    view = await lab.run(Unit, request(), ROUTINE | {Unit.FIND_ORDER: OrderUnknown()})

    assert (view.close, view.record.reason, view.record.sla) == ("expired", "no_answer", "breached")


async def test_a_refund_that_another_has_overtaken_is_not_achieved(lab):
    """Nothing is paid twice, and nobody is told that it was."""
    view = await lab.run(Unit, request(), ROUTINE | {Unit.PAY: AlreadyRefunded()})

    assert (view.close, view.record.reason) == ("not_achieved", "already_refunded")
    assert "tell_customer" not in performed(view)


async def test_a_decision_after_three_days_is_late(lab):
    """Paid all the same; the breach is a fact of its own."""
    view = await lab.run(Unit, request(), ASK | {Unit.DECIDE: Answer(PAY, after=4 * DAY)})

    assert (view.close, view.record.sla) == ("achieved_late", "breached")
    assert [rung.rung for rung in view.record.rungs] == ["warn", "deadline"]


async def test_a_payment_that_fails_for_good_fails_the_case(lab):
    """It closes as failed, and no notice claims otherwise."""
    view = await lab.run(Unit, request(), ROUTINE | {Unit.PAY: LEDGER_DOWN})

    assert (view.close, view.record.why) == ("failed", "pay: ledger_down")
    assert "tell_customer" not in performed(view)


async def test_a_cancelled_request_ends_its_open_tasks(lab):
    """Nobody is left with a task of a case that is over."""
    view = await lab.run(Unit, request(), ASK | {Unit.DECIDE: Cancel(by="ops", reason="entered twice")})

    assert (view.close, view.record.cancelled_by) == ("cancelled", "ops: entered twice")
    assert (view.tasks, view.record.steps[-1].end) == ((), "cancelled")
