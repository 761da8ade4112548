"""Units to be put through faults. A test edits a copy of this file to have another version of their code."""

from dataclasses import replace
from datetime import timedelta

from tests.faults.contracts import Decision, Found, Request, Result
from workunits.core.spec import Learning, Measure, OnFailure, Outcome, ai, automated, elapsed, human
from workunits.core.unit import WorkUnit

OUTCOME = Outcome(
    Result,
    "The errand is run within 24 hours.",
    achieved=lambda result: result.granted,
    within=elapsed(hours=24),
    accountable="head of errands",
)
LEARNING = Learning(
    owner="errands owner",
    review=elapsed(days=30),
    measures=(Measure("cycle_time", at="p85", at_most=elapsed(hours=4), baseline="the first 100 cases"),),
)
BOSS = "head of errands"
FEES = {"letter": 1, "parcel": 5}


class Errand(WorkUnit, name="errand", version="1", key="request"):
    """Machine, person, machine: a place for each fault."""

    outcome = OUTCOME
    learning = LEARNING

    FETCH = automated("fetch", Request, Found, timeout=timedelta(seconds=2), attempts=6)
    CONFIRM = human("confirm", Found, Decision, role="clerk", accountable=BOSS)
    DELIVER = automated("deliver", Found, Found, timeout=timedelta(minutes=10))

    async def work(self, case: Request) -> Result:
        """Fetch, have it confirmed, deliver."""
        found = await self.perform(self.FETCH, case)
        decision = await self.perform(self.CONFIRM, found)
        fee = FEES[case.kind]
        await self.perform(self.DELIVER, found)
        return Result(granted=decision.granted, fee=fee)


class Urgent(WorkUnit, name="urgent", version="1", key="request"):
    """A person has seconds."""

    outcome = replace(OUTCOME, statement="The errand is run within 4 s.", within=elapsed(seconds=4))
    learning = LEARNING

    CONFIRM = human("confirm", Request, Decision, role="clerk", accountable=BOSS)

    async def work(self, case: Request) -> Result:
        """Have it confirmed."""
        return Result(granted=(await self.perform(self.CONFIRM, case)).granted)


class Advised(WorkUnit, name="advised", version="1", key="request"):
    """A machine step that a person takes over when it fails."""

    outcome = OUTCOME
    learning = LEARNING

    ADVISE = ai("advise", Request, Decision, timeout=timedelta(seconds=1), attempts=2)
    ADVISE_BY_HAND = human("advise_by_hand", Request, Decision, role="clerk", accountable=BOSS)

    rules = (OnFailure(ADVISE, instead=ADVISE_BY_HAND),)

    async def work(self, case: Request) -> Result:
        """Have advice."""
        return Result(granted=(await self.perform(self.ADVISE, case)).granted)


UNITS = (Errand, Urgent, Advised)
