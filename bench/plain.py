"""The approval case on Temporal by hand: what the product is measured against."""

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from bench.plain_steps import Decision, assess, enrich


@workflow.defn
class PlainApproval:
    """Enrich, assess, wait for a person; one timer for the SLA."""

    def __init__(self) -> None:
        self.decision: Decision | None = None

    @workflow.run
    async def run(self, case: dict[str, Any]) -> dict[str, Any]:
        """Conduct the case."""
        sla = asyncio.create_task(asyncio.sleep(86400))
        limit = timedelta(seconds=30)
        facts = await workflow.execute_activity(enrich, case, start_to_close_timeout=limit)
        advice = await workflow.execute_activity(assess, case, start_to_close_timeout=limit)
        await workflow.wait_condition(lambda: self.decision is not None)
        overdue = sla.done()
        sla.cancel()
        approved = self.decision is not None and self.decision.approved
        return {"approved": approved, "facts": facts, "advice": advice, "overdue": overdue}

    @workflow.signal
    def decide(self, decision: Decision) -> None:
        """Take the decision; nobody is answered."""
        self.decision = decision

    @workflow.update
    def decide_now(self, decision: Decision) -> str:
        """Take the decision and answer."""
        self.decision = decision
        return "accepted"

    @decide_now.validator
    def check(self, decision: Decision) -> None:
        """Refuse a second one."""
        if self.decision not in (None, decision):
            raise ApplicationError("decided already")
