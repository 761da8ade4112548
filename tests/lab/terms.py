"""Units with terms that run side by side, and one that takes no key from its case."""

import asyncio

from temporalio.exceptions import ApplicationError

from tests.lab.contracts import Decision, Note, Odd, Request, Result, Topic
from workunits.core.spec import Learning, Measure, Outcome, elapsed, human
from workunits.core.unit import WorkUnit

OUTCOME = Outcome(
    Result,
    "The request is decided within 24 hours.",
    achieved=lambda result: result.granted,
    within=elapsed(hours=24),
    accountable="head of tests",
)
MEASURES = (Measure("cycle_time", at="p85", at_most=elapsed(hours=4), baseline="the first 100 cases"),)
BOSS = "head of tests"


class Terms(WorkUnit, name="terms", version="1", key="request"):
    """Three people at the same time, with a term each, and one after them without."""

    outcome = OUTCOME
    learning = Learning(owner="test owner", review=elapsed(days=30), measures=MEASURES)

    EARLY = human("early", Request, Decision, role="clerk", accountable=BOSS, expires=elapsed(hours=12))
    LATE = human("late", Request, Decision, role="expert", accountable=BOSS, expires=elapsed(hours=30))
    NEVER = human("never", Request, Decision, role="boss", accountable=BOSS)

    async def work(self, case: Request) -> Result:
        """All decide."""
        answers = await asyncio.gather(*(self.perform(step, case) for step in (self.EARLY, self.LATE, self.NEVER)))
        return Result(granted=all(answer.decision == "grant" for answer in answers), overdue=self.overdue)


class Keyless(WorkUnit, name="keyless", version="1"):
    """Whoever starts a case gives its key."""

    outcome = OUTCOME
    learning = Learning(
        owner="test owner", review=elapsed(days=30), measures=MEASURES, segment=lambda case: "about " + case.subject
    )
    facts = ("subject", "urgent", "on", "share")

    ASK = human("ask", Topic, Note, role="clerk", accountable=BOSS)

    async def work(self, case: Topic) -> Result:
        """Ask, unless the author of the unit has taken the liberty of raising."""
        if case.subject == "odd":
            raise Odd
        if case.subject == "error":
            raise ApplicationError("the author gives up", type="given_up", non_retryable=True)
        note = await self.perform(self.ASK, case)
        return Result(granted=True, by=[note.text])


class Tight(WorkUnit, name="tight", version="1", key="request"):
    """Its rungs lie within two seconds, so that a short outage covers them all."""

    outcome = Outcome(
        Result,
        "The request is decided within 24 hours.",
        achieved=lambda result: result.granted,
        within=elapsed(hours=24),
        accountable=BOSS,
        warn=0.999995,
    )
    learning = Learning(owner="test owner", review=elapsed(days=30), measures=MEASURES)

    BEFORE = human("before", Request, Decision, role="clerk", accountable=BOSS, expires=elapsed(hours=24, seconds=-0.5))
    AFTER = human("after", Request, Decision, role="clerk", accountable=BOSS, expires=elapsed(hours=24, seconds=1.2))
    OPEN = human("open", Request, Decision, role="clerk", accountable=BOSS)

    async def work(self, case: Request) -> Result:
        """One of them decides: whose task expires before the SLA's due time, after it, or never."""
        step = {"before": self.BEFORE, "after": self.AFTER}.get(case.mood, self.OPEN)
        decision = await self.perform(step, case)
        return Result(granted=decision.decision == "grant", overdue=self.overdue)


class Crowd(WorkUnit, name="crowd", version="1", key="request"):
    """As many people at the same time as the case's amount."""

    outcome = OUTCOME
    learning = Learning(owner="test owner", review=elapsed(days=30), measures=MEASURES)

    ASK = human("ask", Request, Decision, role="clerk", accountable=BOSS)

    async def work(self, case: Request) -> Result:
        """All decide."""
        answers = await asyncio.gather(*(self.perform(self.ASK, case) for _ in range(case.amount)))
        return Result(granted=all(answer.decision == "grant" for answer in answers))
