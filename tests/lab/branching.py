"""Units whose steps run beside each other, or beside another unit's case."""

import asyncio

from tests.lab.contracts import Decision, Facts, Odd, Request, Result
from workunits.core.spec import Learning, Measure, On, OnFailure, Outcome, automated, elapsed, human, unit_step
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


class Beside(WorkUnit, name="beside", version="1", key="request"):
    """Two requests at the same time, each looked at by a machine and then decided by a person."""

    outcome = OUTCOME
    learning = LEARNING

    LOOK = automated("look", Request, Facts)
    DECIDE = human("decide", Facts, Decision, role="clerk", accountable=BOSS)
    LAST = human("last", Request, Decision, role="clerk", accountable=BOSS)

    async def work(self, case: Request) -> Result:
        """Decide both; the first one is looked at for longer."""
        moods = ("held", "quick")
        both = await asyncio.gather(*(self._one(case.model_copy(update={"mood": mood})) for mood in moods))
        await self.perform(self.LAST, case)
        return Result(granted=True, by=list(both))

    async def _one(self, case: Request) -> str:
        facts = await self.perform(self.LOOK, case)
        decision = await self.perform(self.DECIDE, facts)
        again = await self.redo(self.DECIDE, facts) if decision.reason == "again" else decision
        return f"{facts.risk}: {again.decision}"


class Redrawn(WorkUnit, name="redrawn", version="1", key="request"):
    """What was drawn up is taken back and drawn up again when the answer is no."""

    outcome = OUTCOME
    learning = LEARNING

    TAKE_BACK = automated("take_back", Facts, Facts)
    DRAW = automated("draw", Request, Facts, compensated_by=TAKE_BACK)
    ANSWER = human("answer", Facts, Decision, role="clerk", accountable=BOSS)

    async def work(self, case: Request) -> Result:
        """Draw up, ask, and once more."""
        answer = await self.perform(self.ANSWER, await self.perform(self.DRAW, case))
        if answer.decision == "refuse":
            await self.compensate()
            answer = await self.perform(self.ANSWER, await self.redo(self.DRAW, case))
        if answer.decision == "refuse":
            await self.compensate()
        return Result(granted=answer.decision == "grant")


class Caller(WorkUnit, name="caller", version="1", key="request"):
    """Another unit's case beside a machine step, then a person."""

    outcome = OUTCOME
    learning = LEARNING

    SUB = unit_step("sub", Request, Result, unit="pair", key=lambda case: case.request)
    BY_HAND = human("by_hand", Request, Result, role="clerk", accountable=BOSS)
    LOOK = automated("look", Request, Facts, raises=(Odd,))
    DECIDE = human("decide", Request, Decision, role="clerk", accountable=BOSS)

    rules = (On(Odd, LOOK), OnFailure(SUB, instead=BY_HAND))

    async def work(self, case: Request) -> Result:
        """One after the other or beside each other, then decide."""
        if case.mood == "odd later":
            await asyncio.gather(self.perform(self.SUB, case), self.perform(self.LOOK, case))
        await self.perform(self.SUB, case)
        decision = await self.perform(self.DECIDE, case)
        return Result(granted=decision.decision == "grant")


class Hasty(WorkUnit, name="hasty", version="1", key="request"):
    """A step that fails before the called case has begun."""

    outcome = OUTCOME
    learning = LEARNING

    SUB = unit_step(
        "sub", Request, Result, unit="pair", key=lambda case: case.request * (60 if case.mood == "long key" else 1)
    )
    BY_HAND = human("by_hand", Request, Result, role="clerk", accountable=BOSS)
    LOOK = automated("look", Request, Facts, raises=(Odd,), inline=True)

    rules = (On(Odd, LOOK), OnFailure(SUB, instead=BY_HAND))

    async def work(self, case: Request) -> Result:
        """Both."""
        there, _ = await asyncio.gather(self.perform(self.SUB, case), self.perform(self.LOOK, case))
        return Result(granted=there.granted)


BRANCHING = (Beside, Redrawn, Caller, Hasty)
