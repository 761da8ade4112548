"""The approval case with both machine steps inline: what a unit gains when its steps are short."""

from bench.contracts import Advice, Case, Decision, Facts, Question, Result
from workunits.core.spec import Learning, Measure, Outcome, automated, elapsed, human
from workunits.core.unit import WorkUnit


class ApprovalInline(WorkUnit, name="approval_inline", version="1"):
    """Decide on a customer's request."""

    outcome = Outcome(
        Result,
        "The request is decided within 24 hours.",
        achieved=lambda result: result.advice.score >= 0,
        within=elapsed(hours=24),
        accountable="head of credit",
    )
    learning = Learning(
        owner="credit quality",
        review=elapsed(days=30),
        measures=(Measure("cycle_time", at="p85", at_most=elapsed(hours=4), baseline="the first 100 cases"),),
    )

    ENRICH = automated("enrich", Case, Facts, inline=True)
    ASSESS = automated("assess", Case, Advice, inline=True)
    DECIDE = human("decide", Question, Decision, role="reviewer", accountable="head of credit")

    async def work(self, case: Case) -> Result:
        """Enrich, assess, decide."""
        facts = await self.perform(self.ENRICH, case)
        advice = await self.perform(self.ASSESS, case)
        decision = await self.perform(self.DECIDE, Question(facts=facts, advice=advice))
        return Result(approved=decision.approved, facts=facts, advice=advice, overdue=self.overdue)
