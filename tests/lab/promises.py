"""Units that promise more than one thing, in elapsed and in working time."""

from tests.lab.contracts import Decision, Request, Result
from workunits.core.spec import (
    Between,
    Learning,
    Measure,
    Outcome,
    Passed,
    Pause,
    Rise,
    Target,
    elapsed,
    human,
    working_days,
    working_hours,
)
from workunits.core.unit import WorkUnit

BOSS = "head of tests"
LEARNING = Learning(
    owner="test owner",
    review=elapsed(days=30),
    measures=(Measure("cycle_time", at="p85", at_most=elapsed(hours=4), baseline="the first 100 cases"),),
)
DAY = Target(
    elapsed(hours=24),
    pauses=(
        Pause("customer", cap=elapsed(hours=48)),
        Pause("legal_hold", cap=elapsed(hours=72)),
        Pause("operations_hold", cap=elapsed(hours=8)),
    ),
    goal=0.25,
    warn=0.5,
    passed=Passed(every=elapsed(hours=4), at_most=2),
    ladder=(
        Rise("warn", to="team lead"),
        Rise("deadline", to=BOSS, how="reassign_up"),
        Rise("passed", to="director", number=2),
    ),
)


class Laddered(WorkUnit, name="laddered", version="1", key="request"):
    """One promise with every rung; its task is a person's, or left to expire."""

    outcome = Outcome(
        Result,
        "The request is decided within 24 hours.",
        achieved=lambda result: result.granted,
        within=DAY,
        accountable=BOSS,
    )
    learning = LEARNING

    ASK = human(
        "ask",
        Request,
        Decision,
        role="clerk",
        accountable=BOSS,
        waits=("customer", "supplier"),
        expires=elapsed(hours=240),
    )
    BRIEFLY = human("briefly", Request, Decision, role="clerk", accountable=BOSS, expires=elapsed(hours=40))

    async def work(self, case: Request) -> Result:
        """Ask."""
        decision = await self.perform(self.BRIEFLY if case.mood == "briefly" else self.ASK, case)
        return Result(granted=decision.decision == "grant", overdue=self.overdue)


class Brisk(WorkUnit, name="brisk", version="1", key="request"):
    """Its rungs lie within three seconds, so that a short outage covers them all."""

    outcome = Outcome(
        Result,
        "The request is decided within 24 hours.",
        achieved=lambda result: result.granted,
        within=Target(
            elapsed(hours=24),
            goal=0.99998,
            warn=0.99999,
            passed=Passed(every=elapsed(seconds=0.5), at_most=2),
            ladder=(Rise("deadline", to="team lead"),),
        ),
        accountable=BOSS,
    )
    learning = LEARNING

    ASK = human("ask", Request, Decision, role="clerk", accountable=BOSS)

    async def work(self, case: Request) -> Result:
        """Ask."""
        decision = await self.perform(self.ASK, case)
        return Result(granted=decision.decision == "grant", overdue=self.overdue)


class Manifold(WorkUnit, name="manifold", version="1", key="request"):
    """Promises on a step, and between two events."""

    outcome = Outcome(
        Result,
        "The request is decided within 72 hours.",
        achieved=lambda result: result.granted,
        within=elapsed(hours=72),
        accountable=BOSS,
    )
    learning = LEARNING
    targets = (
        Between("first_answer", "case.started", "ask.done", Target(elapsed(hours=8))),
        Between("second_answer", "ask.done", "check.done", Target(elapsed(hours=8))),
    )

    ASK = human(
        "ask",
        Request,
        Decision,
        role="clerk",
        accountable=BOSS,
        start_by=elapsed(hours=2),
        finish_by=Target(elapsed(hours=6), warn=0.5, ladder=(Rise("warn", to="team lead"),)),
    )
    CHECK = human("check", Request, Decision, role="expert", accountable=BOSS, finish_by=elapsed(hours=6))

    async def work(self, case: Request) -> Result:
        """Ask, then check."""
        await self.perform(self.ASK, case)
        decision = await self.perform(self.CHECK, case)
        return Result(granted=decision.decision == "grant", overdue=self.overdue)


class Officed(WorkUnit, name="officed", version="1", key="request"):
    """Promises in working time."""

    outcome = Outcome(
        Result,
        "The request is decided within one working day of eight hours.",
        achieved=lambda result: result.granted,
        within=Target(working_hours(8), calendar="tests", pauses=(Pause("customer", cap=elapsed(days=30)),)),
        accountable=BOSS,
        worded_on_purpose="what a working day is, is written in its statement",
    )
    learning = LEARNING

    ASK = human(
        "ask",
        Request,
        Decision,
        role="clerk",
        accountable=BOSS,
        waits=("customer",),
        finish_by=Target(working_days(2), calendar="tests"),
    )

    async def work(self, case: Request) -> Result:
        """Ask."""
        decision = await self.perform(self.ASK, case)
        return Result(granted=decision.decision == "grant", overdue=self.overdue)


class Movable(WorkUnit, name="movable", version="1", key="request"):
    """Its calendar gets another version while cases are open."""

    outcome = Outcome(
        Result,
        "The request is decided within 8 working hours.",
        achieved=lambda result: result.granted,
        within=Target(working_hours(8), calendar="movable"),
        accountable=BOSS,
    )
    learning = LEARNING

    ASK = human("ask", Request, Decision, role="clerk", accountable=BOSS)

    async def work(self, case: Request) -> Result:
        """Ask."""
        decision = await self.perform(self.ASK, case)
        return Result(granted=decision.decision == "grant")


class Astray(WorkUnit, name="astray", version="1", key="request"):
    """Its calendar is nowhere."""

    outcome = Outcome(
        Result,
        "The request is decided within 8 working hours.",
        achieved=lambda result: result.granted,
        within=Target(working_hours(8), calendar="nowhere"),
        accountable=BOSS,
    )
    learning = LEARNING

    ASK = human("ask", Request, Decision, role="clerk", accountable=BOSS)

    async def work(self, case: Request) -> Result:
        """Ask."""
        decision = await self.perform(self.ASK, case)
        return Result(granted=decision.decision == "grant")


PROMISING: tuple[type[WorkUnit], ...] = (Laddered, Brisk, Manifold, Officed, Movable, Astray)
