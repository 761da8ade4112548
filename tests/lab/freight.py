"""A unit that sends much. In a file of its own: the sandbox runs a unit's file again for every case."""

import asyncio

from tests.lab.contracts import Decision, Delivered, Freight, Load, Weight
from workunits.core.spec import Learning, Measure, Outcome, automated, elapsed, human
from workunits.core.unit import WorkUnit


class Freighter(WorkUnit, name="freight", version="1", key="request"):
    """Carry loads at the same time, then perhaps have them signed for."""

    outcome = Outcome(
        Delivered,
        "The freight is delivered within 24 hours.",
        achieved=lambda result: True,
        within=elapsed(hours=24),
        accountable="head of tests",
    )
    learning = Learning(
        owner="test owner",
        review=elapsed(days=30),
        measures=(Measure("cycle_time", at="p85", at_most=elapsed(hours=4), baseline="the first 100 cases"),),
    )

    CARRY = automated("carry", Load, Weight)
    SIGN = human("sign", Freight, Decision, role="clerk", accountable="head of tests")

    async def work(self, case: Freight) -> Delivered:
        """Carry, and have it signed for."""
        load = Load(text=case.letter * case.size)
        await asyncio.gather(*(self.perform(self.CARRY, load) for _ in range(case.loads)))
        if case.ask:
            await self.perform(self.SIGN, case)
        return Delivered(text=case.letter * case.result)
