"""Units whose steps are all people's: votes, four eyes, waits, expiry policies, rework."""

import asyncio

from tests.lab.contracts import Decision, Odd, Request, Result
from workunits.core.errors import NoQuorum
from workunits.core.spec import Learning, Measure, On, Outcome, Votes, elapsed, human
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
REFUSED = Decision(decision="refuse", reason="nobody answered")


class Council(WorkUnit, name="council", version="1", key="request"):
    """Three vote, two decide; without a quorum the chair does."""

    outcome = OUTCOME
    learning = LEARNING

    VOTE = human(
        "vote",
        Request,
        Decision,
        role="member",
        accountable=BOSS,
        raises=(Odd,),
        votes=Votes(of=3, quorum=2, on=lambda decision: decision.decision),
    )
    CHAIR = human("chair", Request, Decision, role="chair", accountable=BOSS)

    rules = (On(NoQuorum, VOTE, instead=CHAIR), On(Odd, VOTE))

    async def work(self, case: Request) -> Result:
        """Vote."""
        decision = await self.perform(self.VOTE, case)
        return Result(granted=decision.decision == "grant")


class Jury(WorkUnit, name="jury", version="1", key="request"):
    """Three vote, two decide, within an hour; the case's mood says what follows where somebody stays silent."""

    outcome = OUTCOME
    learning = LEARNING

    BY_DEFAULT = human(
        "by_default",
        Request,
        Decision,
        role="member",
        accountable=BOSS,
        votes=Votes(of=3, quorum=2, on=lambda decision: decision.decision),
        expires=elapsed(hours=1),
        by_default=REFUSED,
        grants=lambda decision: decision.decision == "grant",
    )
    CHAIR = human("chair", Request, Decision, role="chair", accountable=BOSS)
    INSTEAD = human(
        "instead",
        Request,
        Decision,
        role="member",
        accountable=BOSS,
        votes=Votes(of=3, quorum=2, on=lambda decision: decision.reason),
        expires=elapsed(hours=1),
        instead=CHAIR,
    )
    NEITHER = human(
        "neither",
        Request,
        Decision,
        role="member",
        accountable=BOSS,
        votes=Votes(of=3, quorum=2, on=lambda decision: decision.decision),
        expires=elapsed(hours=1),
    )

    rules = (On(NoQuorum, BY_DEFAULT), On(NoQuorum, INSTEAD), On(NoQuorum, NEITHER))

    async def work(self, case: Request) -> Result:
        """Vote."""
        step = {"instead": self.INSTEAD, "neither": self.NEITHER}.get(case.mood, self.BY_DEFAULT)
        decision = await self.perform(step, case)
        return Result(granted=decision.decision == "grant", by=[decision.reason])


class FourEyes(WorkUnit, name="four_eyes", version="1", key="request"):
    """One prepares, another checks and may return it."""

    outcome = OUTCOME
    learning = LEARNING

    PREPARE = human(
        "prepare",
        Request,
        Request,
        role="clerk",
        accountable=BOSS,
        decides=False,
        raises=(Odd,),
        waits=("customer",),
        if_skipped=Request(request="skipped"),
    )
    CHECK = human("check", Request, Decision, role="clerk", accountable=BOSS, excludes=(PREPARE,))

    rules = (On(Odd, PREPARE),)

    async def work(self, case: Request) -> Result:
        """Prepare until the check lets it pass."""
        made = await self.perform(self.PREPARE, case)
        checked = await self.perform(self.CHECK, made)
        while checked.decision == "refuse" and checked.reason == "again":
            made = await self.redo(self.PREPARE, made)
            checked = await self.redo(self.CHECK, made)
        return Result(granted=checked.decision == "grant", by=[made.request])


class Silent(WorkUnit, name="silent", version="1", key="request"):
    """Nobody answers: another is asked, then the safe answer counts."""

    outcome = OUTCOME
    learning = LEARNING

    SECOND = human(
        "second",
        Request,
        Decision,
        role="expert",
        accountable=BOSS,
        expires=elapsed(hours=2),
        by_default=REFUSED,
        grants=lambda decision: decision.decision == "grant",
    )
    FIRST = human("first", Request, Decision, role="clerk", accountable=BOSS, expires=elapsed(hours=1), instead=SECOND)

    async def work(self, case: Request) -> Result:
        """Ask."""
        decision = await self.perform(self.FIRST, case)
        return Result(granted=decision.decision == "grant", by=[decision.reason])


class Hall(WorkUnit, name="hall", version="1", key="request"):
    """One prepares and another checks, while three vote beside them; the unit's admins answer for nothing."""

    outcome = OUTCOME
    learning = LEARNING
    admins = ("operations",)

    PREPARE = human(
        "prepare",
        Request,
        Request,
        role="clerk",
        accountable="desk head",
        raises=(Odd,),
        waits=("customer",),
        if_skipped=Request(request="skipped"),
    )
    CHECK = human(
        "check", Request, Decision, role="clerk", accountable="desk head", excludes=(PREPARE,), forwardable=False
    )
    VOTE = human(
        "vote",
        Request,
        Decision,
        role="member",
        accountable="chair",
        waits=("customer",),
        votes=Votes(of=3, quorum=2, on=lambda decision: decision.decision),
    )

    rules = (On(Odd, PREPARE), On(NoQuorum, VOTE))

    async def work(self, case: Request) -> Result:
        """Prepare and check, and vote."""
        checked, voted = await asyncio.gather(self._checked(case), self.perform(self.VOTE, case))
        return Result(granted=checked.decision == voted.decision == "grant")

    async def _checked(self, case: Request) -> Decision:
        made = await self.perform(self.PREPARE, case)
        checked = await self.perform(self.CHECK, made)
        while checked.reason == "again":
            made = await self.redo(self.PREPARE, made)
            checked = await self.redo(self.CHECK, made)
        return checked


class Unanimous(WorkUnit, name="unanimous", version="1", key="request"):
    """Three vote, and all three have to agree."""

    outcome = OUTCOME
    learning = LEARNING

    VOTE = human(
        "vote",
        Request,
        Decision,
        role="member",
        accountable=BOSS,
        votes=Votes(of=3, quorum=3, on=lambda decision: decision.decision),
    )
    rules = (On(NoQuorum, VOTE),)

    async def work(self, case: Request) -> Result:
        """Vote."""
        decision = await self.perform(self.VOTE, case)
        return Result(granted=decision.decision == "grant")


PEOPLE = (Council, FourEyes, Jury, Silent)
