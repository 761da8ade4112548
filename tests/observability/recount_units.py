"""A unit with rates, segments and quality measures. Not named test_*.py: pytest rewrites those."""

import asyncio

from tests.lab.contracts import Decision, Facts, Odd, Request, Result, Unreadable
from workunits.core.spec import Learning, Measure, On, OnFailure, Outcome, Quality, Rate, ai, automated, elapsed, human
from workunits.core.unit import WorkUnit

BOSS = "head of tests"


class Billed(WorkUnit, name="billed", version="3", key="request"):
    """A machine, then a person beside another machine, then a machine; whose people cost money."""

    outcome = Outcome(
        Result,
        "The request is decided within 6 hours.",
        achieved=lambda result: result.granted,
        within=elapsed(hours=6),
        accountable=BOSS,
        quality=(Quality("signatures", of_result=lambda result: len(result.by)),),
    )
    learning = Learning(
        owner="test owner",
        review=elapsed(days=30),
        measures=(Measure("cycle_time", at="p85", at_most=elapsed(hours=4), baseline="the first 100 cases"),),
        rates={"clerk": Rate(60), "expert": Rate(90)},
        segment=lambda case: "large" if case.amount > 2 else "small",
    )

    PREPARE = automated("prepare", Request, Facts, raises=(Odd, Unreadable), inline=True)
    CORRECT = human("correct", Request, Request, role="clerk", decides=False)
    SIGN = human("sign", Request, Decision, role="clerk", accountable=BOSS, expires=elapsed(hours=10))
    CHECK = ai("check", Request, Facts, raises=(Odd,), attempts=1)
    CHECK_BY_HAND = human("check_by_hand", Request, Facts, role="assistant", decides=False)
    FILE = automated("file", Request, Facts)

    rules = (
        On(Odd, PREPARE),
        On(Unreadable, PREPARE, repair=CORRECT, times=2),
        On(Odd, CHECK, instead=CHECK_BY_HAND),
        OnFailure(CHECK, instead=CHECK_BY_HAND),
    )

    async def work(self, case: Request) -> Result:
        """Prepare, sign and check, file."""
        await self.perform(self.PREPARE, case)
        signed, checked = await asyncio.gather(self.perform(self.SIGN, case), self.perform(self.CHECK, case))
        await self.perform(self.FILE, case)
        return Result(granted=signed.decision == "grant", by=[checked.risk])
