"""A unit with a step that is a model's alone, and people who take over and decide."""

from tests.boundary.contracts import Claim, Receipt, Verdict
from workunits.core.spec import Learning, Measure, OnFailure, Outcome, ai, elapsed, human
from workunits.core.unit import WorkUnit


class Flood(WorkUnit, name="flood", version="1", key="number"):
    """A claim after a flood is decided."""

    outcome = Outcome(
        Verdict,
        "The claim is decided within 24 hours.",
        achieved=lambda result: result.verdict in ("pay", "refuse"),
        within=elapsed(hours=24),
        accountable="head of claims",
    )
    learning = Learning(
        owner="head of claims",
        review=elapsed(days=30),
        measures=(Measure("cycle_time", at_most=elapsed(hours=4), at="median", baseline="the first 100 cases"),),
    )
    SORT = ai("sort", Claim, Receipt, attempts=2)
    SORT_BY_HAND = human("sort_by_hand", Claim, Receipt, role="adjuster", decides=False)
    DECIDE = human("decide", Receipt, Verdict, role="adjuster", accountable="head of claims")
    rules = (OnFailure(SORT, instead=SORT_BY_HAND),)

    async def work(self, case: Claim) -> Verdict:
        """Sort, then decide."""
        return await self.perform(self.DECIDE, await self.perform(self.SORT, case))
