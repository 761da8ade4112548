"""Units whose clocks meet what rarely happens: outages, releases, incidents, small adjustments, late words."""

from tests.lab.contracts import Decision, Facts, Request, Result
from workunits.core.spec import (
    Between,
    Learning,
    Measure,
    Outcome,
    Passed,
    Pause,
    Rise,
    Target,
    automated,
    elapsed,
    human,
    working_hours,
)
from workunits.core.unit import WorkUnit

BOSS = "head of tests"
LEARNING = Learning(
    owner="test owner",
    review=elapsed(days=30),
    measures=(Measure("cycle_time", at="p85", at_most=elapsed(hours=4), baseline="the first 100 cases"),),
)


def promised(target: Target) -> Outcome[Result]:
    """An outcome that is promised so."""
    return Outcome(Result, "The request is decided.", lambda result: result.granted, within=target, accountable=BOSS)


class Overtaken(WorkUnit, name="overtaken", version="1", key="request"):
    """A wait ends just after the task goes to the lead or, by the case's mood, expires."""

    outcome = promised(Target(elapsed(hours=48)))
    learning = LEARNING

    ASK = human(
        "ask",
        Request,
        Decision,
        role="clerk",
        accountable=BOSS,
        waits=("customer",),
        finish_by=Target(elapsed(hours=2), warn=0.9999, ladder=(Rise("deadline", to="lead", how="reassign_up"),)),
    )
    BRIEFLY = human(
        "briefly", Request, Decision, role="clerk", accountable=BOSS, waits=("customer",), expires=elapsed(hours=2)
    )

    async def work(self, case: Request) -> Result:
        """Ask."""
        decision = await self.perform(self.BRIEFLY if case.mood == "briefly" else self.ASK, case)
        return Result(granted=decision.decision == "grant")


class Picked(WorkUnit, name="picked", version="1", key="request"):
    """A promise that begins when someone first takes the task."""

    outcome = promised(Target(elapsed(hours=48)))
    learning = LEARNING
    targets = (
        Between(
            "work_time",
            "ask.claimed",
            "ask.done",
            Target(elapsed(hours=4), ladder=(Rise("deadline", to="lead", how="reassign_up"),)),
        ),
    )

    ASK = human("ask", Request, Decision, role="clerk", accountable=BOSS)

    async def work(self, case: Request) -> Result:
        """Ask."""
        decision = await self.perform(self.ASK, case)
        return Result(granted=decision.decision == "grant")


class Stalled(WorkUnit, name="stalled", version="1", key="request"):
    """A promise that holds stop, and a machine step that may wait for an operator."""

    outcome = promised(Target(elapsed(hours=2), pauses=(Pause("operations_hold", cap=elapsed(days=30)),)))
    learning = LEARNING

    LOOK = automated("look", Request, Facts, attempts=1, after="incident")

    async def work(self, case: Request) -> Result:
        """Look."""
        facts = await self.perform(self.LOOK, case)
        return Result(granted=True, by=[facts.risk])


class Reminded(WorkUnit, name="reminded", version="1", key="request"):
    """Four reminders, of which the first gives the task to the lead."""

    outcome = promised(
        Target(
            elapsed(hours=10),
            passed=Passed(every=elapsed(hours=1), at_most=4),
            ladder=(Rise("passed", to="lead", how="reassign_up", number=1),),
        )
    )
    learning = LEARNING

    ASK = human("ask", Request, Decision, role="clerk", accountable=BOSS)

    async def work(self, case: Request) -> Result:
        """Ask."""
        decision = await self.perform(self.ASK, case)
        return Result(granted=decision.decision == "grant")


class Patient(WorkUnit, name="patient", version="1", key="request"):
    """A promise that stands still while the customer is waited for."""

    outcome = promised(Target(elapsed(hours=2), pauses=(Pause("customer", cap=elapsed(days=30)),)))
    learning = LEARNING

    ASK = human("ask", Request, Decision, role="clerk", accountable=BOSS, waits=("customer",))

    async def work(self, case: Request) -> Result:
        """Ask."""
        decision = await self.perform(self.ASK, case)
        return Result(granted=decision.decision == "grant")


class Twofold(WorkUnit, name="twofold", version="1", key="request"):
    """Promises by two calendars."""

    outcome = promised(Target(working_hours(8), calendar="shifting"))
    learning = LEARNING

    ASK = human(
        "ask", Request, Decision, role="clerk", accountable=BOSS, finish_by=Target(working_hours(8), calendar="fixed")
    )

    async def work(self, case: Request) -> Result:
        """Ask."""
        decision = await self.perform(self.ASK, case)
        return Result(granted=decision.decision == "grant")


CLOCKED: tuple[type[WorkUnit], ...] = (Overtaken, Picked, Stalled, Reminded, Patient, Twofold)
