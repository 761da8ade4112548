"""Refund request: decide whether the customer gets the money back, pay it once, and tell the customer.

What was promised is an answer that is carried out, not a yes: a refusal with its reason achieves the outcome,
and a refund that was granted achieves it only when the whole amount is in the payments ledger. A request for an
order that nobody can find, or one that another refund has overtaken, is answered by nothing, and not achieved.
"""

from workunits.contracts.refund_request import (
    AlreadyRefunded,
    Claim,
    Decision,
    Notice,
    Order,
    OrderNumber,
    OrderUnknown,
    Paid,
    Payment,
    Question,
    Request,
    Result,
    Ruling,
    Sent,
)
from workunits.core.spec import Learning, Measure, On, Outcome, Quality, Rate, automated, elapsed, human
from workunits.core.unit import WorkUnit


class RefundRequest(WorkUnit, name="refund_request", version="1", key="request"):
    """Find the order, apply the policy, ask a person where it leaves the decision open, pay, and answer."""

    outcome = Outcome(
        Result,
        "The refund is paid, or refused with a reason, and the customer is told within 3 days.",
        achieved=lambda result: (result.decision.verdict == "pay") == (result.paid is not None),
        within=elapsed(days=3),
        accountable="head of customer care",
        quality=(
            Quality("paid_in_full", of_result=lambda result: result.paid is not None),
            Quality("complaints", within=elapsed(days=60)),
            Quality("wrong_payments", within=elapsed(days=90), stands=lambda found: found == 0),
        ),
    )
    learning = Learning(
        owner="head of customer care",
        review=elapsed(days=30),
        measures=(
            Measure("straight_through_rate", at_least=0.6, baseline="the first 100 cases of version 1"),
            Measure("cycle_time", at_most=elapsed(hours=8), at="p85", baseline="the first 100 cases of version 1"),
            Measure("on_time", at_least=0.98, baseline="the first 100 cases of version 1"),
        ),
        rates={"refund approver": Rate(42)},
        segment=lambda case: case.cause,
    )
    facts = ("cause",)

    FIND_ORDER = automated("find_order", OrderNumber, Order, raises=(OrderUnknown,))
    CORRECT_NUMBER = human(
        "correct_number",
        OrderNumber,
        OrderNumber,
        role="customer",
        external=True,
        decides=False,
        expires=elapsed(days=14),
    )
    APPLY_POLICY = automated(
        "apply_policy", Claim, Ruling, decides=True, accountable="head of customer care", inline=True
    )
    DECIDE = human("decide", Question, Decision, role="refund approver", accountable="head of customer care")
    PAY = automated("pay", Payment, Paid, raises=(AlreadyRefunded,))
    TELL_CUSTOMER = automated("tell_customer", Notice, Sent)

    rules = (
        On(OrderUnknown, FIND_ORDER, repair=CORRECT_NUMBER, times=1),
        On(AlreadyRefunded, PAY),
    )

    async def work(self, case: Request) -> Result:
        """Settle the request."""
        order = await self.perform(self.FIND_ORDER, OrderNumber(order=case.order))
        claim = Claim(
            order=order, amount=case.amount, cause=case.cause, requested_on=case.requested_on, email=case.email
        )
        ruling = await self.perform(self.APPLY_POLICY, claim)
        if ruling.verdict == "ask":
            decision = await self.perform(self.DECIDE, Question(request=case, order=order, ruling=ruling))
        else:
            decision = Decision(verdict=ruling.verdict, reason=ruling.reason)
        paid = None
        if decision.verdict == "pay":
            paid = await self.perform(self.PAY, Payment(order=order.order, amount=case.amount))
        notice = await self.perform(
            self.TELL_CUSTOMER,
            Notice(request=case.request, order=order.order, email=case.email, decision=decision, paid=paid),
        )
        return Result(decision=decision, paid=paid, notice=notice)
