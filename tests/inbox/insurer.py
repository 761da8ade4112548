"""A unit with a hybrid step: a model proposes how a damage is ruled on, and the level is in the case."""

from tests.inbox.damages import Damage, Ruling, Settled
from workunits.core.spec import Autonomy, Learning, Measure, Outcome, elapsed, hybrid
from workunits.core.unit import WorkUnit


class Insurer(WorkUnit, name="damage_claim", version="1", key="claim"):
    """A damage is ruled on."""

    outcome = Outcome(
        Settled,
        "The damage is ruled on within 2 days.",
        achieved=lambda result: result.paid >= 0,
        within=elapsed(days=2),
        accountable="head of customer care",
    )
    learning = Learning(
        owner="head of customer care",
        review=elapsed(days=30),
        measures=(Measure("cycle_time", at="median", at_most=elapsed(hours=4), baseline="the first 100 cases"),),
        segment=lambda case: case.how,
    )
    RULE = hybrid(
        "rule",
        Damage,
        Ruling,
        role="adjuster",
        accountable="head of customer care",
        autonomy=Autonomy(
            level="A2",
            material=("verdict", "amount"),
            blind=0.0,
            veto=elapsed(hours=2),
            reasons=("wrong_facts", "wrong_judgement"),
        ),
    )

    async def work(self, case: Damage) -> Settled:
        """Have it ruled on."""
        ruling = await self.perform(self.RULE, case)
        return Settled(paid=ruling.amount if ruling.verdict == "pay" else 0)
