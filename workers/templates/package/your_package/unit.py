"""Purchase request: decide whether something is bought, and from whose budget.

A refusal with its reason achieves the outcome as an approval does: what was promised is a decision. A request
that is withdrawn, or one for a cost centre that does not exist, leaves it unachieved.

This file is replayed: it imports contracts and `workunits.core`, and reads no clock, no file and no network.
"""

from workunits.core.spec import Learning, Measure, On, Outcome, Rate, automated, elapsed, human
from workunits.core.unit import WorkUnit

from your_package.contracts import Budget, CostCentreUnknown, Decision, Purchase, Question, Result


class PurchaseRequest(WorkUnit, name="purchase_request", version="1", key="number"):
    """Check the budget, then let its holder decide."""

    # 1. Outcome: what does done look like, by when, and who answers for it?
    outcome = Outcome(
        Result,
        "The purchase is approved or refused within 2 days.",
        achieved=lambda result: result.decision.verdict in ("approve", "refuse"),
        within=elapsed(days=2),
        accountable="head of purchasing",
    )

    # 2. Learning: which signals tell whether it works, against what, and who looks at them?
    learning = Learning(
        owner="head of purchasing",
        review=elapsed(days=30),
        measures=(
            Measure("cycle_time", at="p85", at_most=elapsed(hours=24), baseline="the first 100 cases of version 1"),
            Measure("on_time", at_least=0.95, baseline="the first 100 cases of version 1"),
        ),
        rates={"budget holder": Rate(60)},
    )

    # 3. Structure: who or what performs each step, and who answers for each decision?
    CHECK_BUDGET = automated("check_budget", Purchase, Budget, raises=(CostCentreUnknown,))
    DECIDE = human(
        "decide", Question, Decision, role="budget holder", accountable="head of purchasing", expires=elapsed(days=14)
    )

    # 4. Logic: the exception rules, and the procedure.
    rules = (On(CostCentreUnknown, CHECK_BUDGET),)  # no budget could pay: the case closes, not achieved

    async def work(self, case: Purchase) -> Result:
        """Decide on the purchase."""
        budget = await self.perform(self.CHECK_BUDGET, case)
        decision = await self.perform(self.DECIDE, Question(purchase=case, budget=budget))
        return Result(decision=decision, budget=budget)
