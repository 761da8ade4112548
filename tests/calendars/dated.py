"""A unit that records a calendar when it starts, and counts with it."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from tests.lab.contracts import Decision, Request, Result
from workunits.core.spec import Learning, Measure, Outcome, elapsed, human
from workunits.core.unit import WorkUnit
from workunits.core.working import CALENDAR_ACTIVITY, SECOND, Pinned, PinOrder

SINCE = 1_780_668_000 * SECOND
"""Friday 5 June 2026, 16:00 in Berlin."""
DAYS = 400 * 86_400 * SECOND


class Dated(WorkUnit, name="dated", version="1", key="request"):
    """Says two due times by the calendar that its case names; asks a person when the case names none."""

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
    ASK = human("ask", Request, Decision, role="clerk", accountable="head of tests")

    async def work(self, case: Request) -> Result:
        """Record it, and count with what came back."""
        if not case.mood:
            asked = await self.perform(self.ASK, case)
            return Result(granted=asked.decision == "grant", by=[])
        order = PinOrder(name=case.mood, since=SINCE, until=SINCE + DAYS * max(1, case.amount))
        try:
            pinned = await workflow.execute_activity(
                CALENDAR_ACTIVITY, order, result_type=Pinned, start_to_close_timeout=timedelta(seconds=20)
            )
        except ActivityError as error:
            cause = error.cause
            assert isinstance(cause, ApplicationError)
            return Result(granted=True, by=[str(cause.type), cause.message, str(cause.non_retryable)])
        hours, days = pinned.working.advance(SINCE, 2 * 3600 * SECOND), pinned.next_day_due(SINCE, 2)
        return Result(granted=True, by=[str(hours), str(days.at if days else None), f"{pinned.name} {pinned.version}"])
