"""Offer and acceptance: draw up an offer that binds the bank, send it, and get the applicant's answer.

What was promised is an offer and its answer, so a declined one achieves the outcome, too. An offer that nobody
answers, even when an adviser calls, lapses and leaves it unachieved; one that is accepted too late is withdrawn.
"""

from workunits.contracts.lending import Letter, Sent, band
from workunits.contracts.offer_and_acceptance import (
    Acceptance,
    Answer,
    Approval,
    Binding,
    Mailing,
    Offer,
    OfferExpired,
    Result,
    Wish,
    Withdrawn,
)
from workunits.core.spec import (
    Learning,
    Measure,
    On,
    Outcome,
    Pause,
    Quality,
    Rate,
    Target,
    automated,
    elapsed,
    human,
    working_days,
)
from workunits.core.unit import WorkUnit

OFFERS = 3
"""So many offers are drawn up for one approval; a wish for yet another counts as declined."""


class OfferAndAcceptance(WorkUnit, name="offer_and_acceptance", version="1", key="application"):
    """Draw up the offer, send it, hear the answer, and see that no stale offer binds the bank."""

    stream = "lending"
    outcome = Outcome(
        Result,
        "The applicant has an offer and has accepted or declined it, within 2 working days of the bank's own time.",
        achieved=lambda result: result.verdict in ("accepted", "declined"),
        within=Target(working_days(2), calendar="back-office", pauses=(Pause("customer", cap=elapsed(days=45)),)),
        accountable="head of loan sales",
        quality=(Quality("accepted", of_result=lambda result: result.verdict == "accepted"),),
    )
    learning = Learning(
        owner="head of loan sales",
        review=elapsed(days=30),
        measures=(
            Measure("cycle_time", at_most=elapsed(days=10), at="median", baseline="the bank's log of 2012"),
            Measure("outcome_attainment", at_least=0.85, baseline="the bank's log of 2012"),
            Measure("handoffs", at_most=4, baseline="the bank's log of 2012"),
        ),
        rates={"loan adviser": Rate(44)},
        segment=lambda case: band(case.terms.amount),
    )

    WITHDRAW = automated("withdraw", Offer, Withdrawn)
    DRAW_UP = automated("draw_up", Wish, Offer, compensated_by=WITHDRAW)
    SEND_OFFER = automated("send_offer", Mailing, Sent)
    CALL = human("call", Offer, Answer, role="loan adviser", decides=False)
    ANSWER = human(
        "answer",
        Offer,
        Answer,
        role="customer",
        external=True,
        decides=False,
        expires=elapsed(days=21),
        instead=CALL,
    )
    CHECK_ACCEPTANCE = automated("check_acceptance", Acceptance, Binding, raises=(OfferExpired,))
    TELL = automated("tell", Letter, Sent)

    rules = (On(OfferExpired, CHECK_ACCEPTANCE, compensate=True),)

    async def work(self, case: Approval) -> Result:
        """Get an answer to an offer."""
        offer = await self.perform(self.DRAW_UP, Wish.first(case))
        answer = await self._answer(case, offer)
        for _ in range(OFFERS - 1):
            if answer.verdict != "change":
                break
            await self.compensate()  # at no time do two offers bind the bank
            offer = await self.redo(self.DRAW_UP, Wish.changed(case, offer, answer))
            answer = await self._answer(case, offer)
        if answer.verdict == "accept":
            binding = await self.perform(self.CHECK_ACCEPTANCE, Acceptance(offer=offer, answer=answer))
            letter = await self.perform(self.TELL, case.confirmed(offer))
            return Result(verdict="accepted", offer=offer, binding=binding, letter=letter)
        await self.compensate()
        letter = await self.perform(self.TELL, case.closed(offer))
        lapsed = answer.verdict == "unreachable"
        return Result(verdict="lapsed" if lapsed else "declined", offer=offer, letter=letter)

    async def _answer(self, case: Approval, offer: Offer) -> Answer:
        await self.perform(self.SEND_OFFER, Mailing(full_name=case.full_name, email=case.email, offer=offer))
        return await self.perform(self.ANSWER, offer)
