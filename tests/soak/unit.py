"""The unit that is put through the storm. In a file of its own: the sandbox runs it again for every case."""

from datetime import timedelta

from tests.faults.contracts import Decision, Found, Request, Result
from workunits.core.spec import Learning, Measure, Outcome, automated, elapsed, human
from workunits.core.unit import WorkUnit

BOSS = "head of haulage"
OFTEN = 100
"""Attempts: however often its worker is killed, a step is to be done, and not to fail."""


class Haul(WorkUnit, name="haul", version="1", key="request"):
    """A machine, two people one after the other, a machine."""

    outcome = Outcome(
        Result,
        "The load is delivered within 24 hours.",
        achieved=lambda result: result.granted,
        within=elapsed(hours=24),
        accountable=BOSS,
    )
    learning = Learning(
        owner="haulage owner",
        review=elapsed(days=30),
        measures=(Measure("cycle_time", at="p85", at_most=elapsed(hours=4), baseline="the first 100 cases"),),
    )

    LOAD = automated("load", Request, Found, timeout=timedelta(seconds=5), attempts=OFTEN)
    CONFIRM = human("confirm", Found, Decision, role="clerk", accountable=BOSS)
    RELEASE = human("release", Found, Decision, role="boss", accountable=BOSS)
    DELIVER = automated("deliver", Found, Found, timeout=timedelta(seconds=5), attempts=OFTEN)

    async def work(self, case: Request) -> Result:
        """Load, have it confirmed and released, deliver."""
        found = await self.perform(self.LOAD, case)
        confirmed = await self.perform(self.CONFIRM, found)
        released = await self.perform(self.RELEASE, found)
        await self.perform(self.DELIVER, found)
        return Result(granted=confirmed.granted and released.granted)
