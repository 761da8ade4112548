"""A unit whose one human step asks for every kind of field that a form knows, and one that is always late."""

from tests.inbox.wide import Asked, Call, Done, Opinion, Seen, Verdict
from workunits.core.spec import Learning, Measure, Outcome, ai, elapsed, human
from workunits.core.unit import WorkUnit


class Museum(WorkUnit, name="museum_piece", version="1", key="request"):
    """Someone offers a piece, a model has an opinion, a curator decides."""

    outcome = Outcome(
        Done,
        "The offer is decided within 2 hours.",
        achieved=lambda result: result.kept,
        within=elapsed(hours=2),
        accountable="head of customer care",
    )
    learning = Learning(
        owner="head of customer care",
        review=elapsed(days=30),
        measures=(Measure("cycle_time", at="median", at_most=elapsed(hours=1), baseline="the first 100 cases"),),
    )

    JUDGE = ai("judge", Seen, Opinion)
    DECIDE = human("decide", Asked, Verdict, role="curator", accountable="head of customer care", waits=("customer",))

    async def work(self, case: Seen) -> Done:
        """Ask the model, then the curator."""
        opinion = await self.perform(self.JUDGE, case)
        verdict = await self.perform(self.DECIDE, Asked(case=case, opinion=opinion))
        return Done(kept=verdict.decision == "keep")


class CallBack(WorkUnit, name="call_back", version="1", key="request"):
    """A customer wants to be called at once, and nobody is that quick."""

    outcome = Outcome(
        Done,
        "The customer is called back within 2 seconds.",
        achieved=lambda result: result.kept,
        within=elapsed(seconds=2),
        accountable="head of customer care",
    )
    learning = Learning(
        owner="head of customer care",
        review=elapsed(days=30),
        measures=(Measure("cycle_time", at="median", at_most=elapsed(hours=1), baseline="the first 100 cases"),),
    )

    CALL = human("call", Call, Done, role="refund approver", decides=False)

    async def work(self, case: Call) -> Done:
        """Have the customer called."""
        return await self.perform(self.CALL, case)
