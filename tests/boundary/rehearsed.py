"""A unit that keeps its inputs, with a hybrid step and a step of a model's alone."""

from tests.boundary.contracts import Claim, Receipt, Suspicious, Verdict
from workunits.core.autonomy import Risk
from workunits.core.spec import Autonomy, Learning, Measure, On, Outcome, ai, elapsed, human, hybrid
from workunits.core.unit import WorkUnit


def _risk(_: Claim, verdict: Verdict) -> Risk:
    return "over_limit" if verdict.amount > 1_000 else "routine"


class Hail(WorkUnit, name="hail", version="1", key="number"):
    """A claim after a storm is decided."""

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
    keep_inputs = True
    SORT = ai("sort", Claim, Receipt)
    DECIDE = hybrid(
        "decide",
        Claim,
        Verdict,
        role="adjuster",
        accountable="head of claims",
        raises=(Suspicious,),
        autonomy=Autonomy(risk=_risk, material=("verdict", "amount"), blind=0.0, audit=0.1),
    )
    INSPECT = human("inspect", Claim, Verdict, role="inspector", accountable="head of claims")
    rules = (On(Suspicious, DECIDE, instead=INSPECT),)

    async def work(self, case: Claim) -> Verdict:
        """Sort, then decide."""
        await self.perform(self.SORT, case)
        return await self.perform(self.DECIDE, case)
