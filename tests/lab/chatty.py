"""A unit with a handler of its own: its definition is found again in every case."""

from temporalio import workflow

from tests.lab.contracts import Decision, Request, Result
from workunits.core.spec import Learning, Measure, Outcome, elapsed, human
from workunits.core.unit import WorkUnit


class Chatty(WorkUnit, name="chatty", version="1", key="request"):
    """Says how it feels, when asked."""

    outcome = Outcome(
        Result,
        "The request is decided within 24 hours.",
        achieved=lambda result: result.granted,
        within=elapsed(hours=24),
        accountable="head of tests",
    )
    learning = Learning(
        owner="test owner",
        review=elapsed(days=30),
        measures=(Measure("cycle_time", at="p85", at_most=elapsed(hours=4), baseline="the first 100 cases"),),
    )
    DECIDE = human("decide", Request, Decision, role="clerk", accountable="head of tests")

    async def work(self, case: Request) -> Result:
        """Decide."""
        decision = await self.perform(self.DECIDE, case)
        return Result(granted=decision.decision == "grant")

    @workflow.query(name="mood")
    def mood(self) -> str:
        """How it feels."""
        return "fine"
