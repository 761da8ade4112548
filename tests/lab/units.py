"""Units that only tests use. Not named test_*.py: pytest rewrites those, and the sandbox refuses them."""

import asyncio
from datetime import timedelta

from tests.lab.contracts import Decision, Facts, Odd, Request, Result, Unreadable
from workunits.core.spec import Learning, Measure, On, OnFailure, Outcome, ai, automated, elapsed, human
from workunits.core.unit import WorkUnit

OUTCOME = Outcome(
    Result,
    "The request is decided within 24 hours.",
    achieved=lambda result: result.granted,
    within=elapsed(hours=24),
    accountable="head of tests",
)
LEARNING = Learning(
    owner="test owner",
    review=elapsed(days=30),
    measures=(Measure("cycle_time", at="p85", at_most=elapsed(hours=4), baseline="the first 100 cases"),),
)
BOSS = "head of tests"


class Plain(WorkUnit, name="plain", version="1", key="request"):
    """A machine step, then a person."""

    outcome = OUTCOME
    learning = LEARNING
    facts = ("amount",)

    LOOK = automated("look", Request, Facts, timeout=timedelta(seconds=2))
    DECIDE = human("decide", Facts, Decision, role="clerk", accountable=BOSS, expires=elapsed(hours=36))

    async def work(self, case: Request) -> Result:
        """Look, then decide."""
        facts = await self.perform(self.LOOK, case)
        decision = await self.perform(self.DECIDE, facts)
        return Result(granted=decision.decision == "grant", overdue=self.overdue)


class Inline(WorkUnit, name="inline", version="1", key="request"):
    """As Plain, its machine step inline."""

    outcome = OUTCOME
    learning = LEARNING

    LOOK = automated("look", Request, Facts, inline=True)
    DECIDE = human("decide", Facts, Decision, role="clerk", accountable=BOSS)

    async def work(self, case: Request) -> Result:
        """Look, then decide."""
        facts = await self.perform(self.LOOK, case)
        decision = await self.perform(self.DECIDE, facts)
        return Result(granted=decision.decision == "grant")


class Ruled(WorkUnit, name="ruled", version="1", key="request"):
    """Every kind of rule."""

    outcome = OUTCOME
    learning = LEARNING

    LOOK = automated("look", Request, Facts, raises=(Odd, Unreadable), attempts=2, timeout=timedelta(seconds=2))
    LOOK_BY_HAND = human("look_by_hand", Request, Facts, role="expert", accountable=BOSS)
    MEND = human("mend", Request, Request, role="customer", external=True, decides=False, expires=elapsed(days=14))
    ADVISE = ai("advise", Request, Facts, raises=(Odd,), attempts=2)
    ADVISE_BY_HAND = human("advise_by_hand", Request, Facts, role="expert", accountable=BOSS)

    rules = (
        On(Odd, LOOK, instead=LOOK_BY_HAND),
        On(Unreadable, LOOK, repair=MEND, times=1),
        On(Odd, ADVISE),
        OnFailure(ADVISE, instead=ADVISE_BY_HAND),
    )

    async def work(self, case: Request) -> Result:
        """Look and get advice at the same time."""
        facts, advice = await asyncio.gather(self.perform(self.LOOK, case), self.perform(self.ADVISE, case))
        return Result(granted=True, by=[facts.risk, advice.risk])


class Pair(WorkUnit, name="pair", version="1", key="request"):
    """Two people at the same time."""

    outcome = OUTCOME
    learning = LEARNING

    LEFT = human("left", Request, Decision, role="clerk", accountable=BOSS)
    RIGHT = human("right", Request, Decision, role="expert", accountable=BOSS)

    async def work(self, case: Request) -> Result:
        """Both decide."""
        left, right = await asyncio.gather(self.perform(self.LEFT, case), self.perform(self.RIGHT, case))
        return Result(granted=left.decision == right.decision == "grant")


class Sequence(WorkUnit, name="sequence", version="1", key="request"):
    """Person, machine, person: what continue-as-new must carry."""

    outcome = OUTCOME
    learning = LEARNING

    FIRST = human("first", Request, Decision, role="clerk", accountable=BOSS)
    LOOK = automated("look", Request, Facts, raises=(Odd,))
    LOOK_BY_HAND = human("look_by_hand", Request, Facts, role="expert", accountable=BOSS)
    LAST = human("last", Facts, Decision, role="clerk", accountable=BOSS)

    rules = (On(Odd, LOOK, instead=LOOK_BY_HAND),)

    async def work(self, case: Request) -> Result:
        """Decide, look, decide."""
        await self.perform(self.FIRST, case)
        facts = await self.perform(self.LOOK, case)
        last = await self.perform(self.LAST, facts)
        return Result(granted=last.decision == "grant", by=[facts.risk])


UNITS = (Plain, Inline, Ruled, Pair, Sequence)
