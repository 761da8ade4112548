"""A unit in whose business things expire, which is another matter than a task that nobody answers."""

from tests.lab.contracts import Decision, Facts, OfferExpired, Request, Result
from workunits.core.spec import Learning, Measure, On, OnFailure, Outcome, automated, elapsed, human
from workunits.core.unit import WorkUnit

BOSS = "head of tests"


class Lapsed(WorkUnit, name="lapsed", version="1", key="request"):
    """Looks at an offer, and has it signed."""

    outcome = Outcome(
        Result,
        "The offer is signed within 24 hours.",
        achieved=lambda result: result.granted,
        within=elapsed(hours=24),
        accountable=BOSS,
    )
    learning = Learning(
        owner="test owner",
        review=elapsed(days=30),
        measures=(Measure("cycle_time", at="p85", at_most=elapsed(hours=4), baseline="the first 100 cases"),),
    )

    LOOK = automated("look", Request, Facts, raises=(OfferExpired,), attempts=1)
    BY_HAND = human("by_hand", Request, Facts, role="clerk", decides=False)
    REPAIR = human("repair", Request, Facts, role="clerk", decides=False)
    LATE = human("late", Request, Decision, role="expert", accountable=BOSS)
    OTHER = human("other", Request, Decision, role="expert", accountable=BOSS)
    SIGN = human(
        "sign",
        Request,
        Decision,
        role="clerk",
        accountable=BOSS,
        raises=(OfferExpired,),
        expires=elapsed(hours=1),
        instead=LATE,
    )

    rules = (
        On(OfferExpired, LOOK, instead=BY_HAND),
        OnFailure(LOOK, instead=REPAIR),
        On(OfferExpired, SIGN, instead=OTHER),
    )

    async def work(self, case: Request) -> Result:
        """Look and sign."""
        facts = await self.perform(self.LOOK, case)
        signed = await self.perform(self.SIGN, case)
        return Result(granted=signed.decision == "grant", by=[facts.risk])
