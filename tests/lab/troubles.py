"""Units in trouble: steps that wait for an operator, and work that is undone."""

import asyncio

from tests.lab.contracts import Decision, Facts, Odd, Request, Result, Unreadable
from workunits.core.spec import Learning, Measure, On, OnFailure, Outcome, automated, elapsed, human
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


class Held(WorkUnit, name="held", version="1", key="request"):
    """A machine step that waits for an operator when it has failed for good, beside a person's."""

    outcome = OUTCOME
    learning = LEARNING
    admins = ("operations",)

    BOOK = automated("book", Request, Facts, attempts=1, raises=(Odd,), after="incident")
    SIGN = human("sign", Request, Decision, role="clerk", accountable=BOSS)
    CONFIRM = automated("confirm", Facts, Facts, inline=True, attempts=1, after="incident")

    rules = (On(Odd, BOOK),)

    async def work(self, case: Request) -> Result:
        """Book and sign at the same time, then confirm."""
        booked, signed = await asyncio.gather(self.perform(self.BOOK, case), self.perform(self.SIGN, case))
        confirmed = await self.perform(self.CONFIRM, booked)
        return Result(granted=signed.decision == "grant", by=[confirmed.risk])


class Trip(WorkUnit, name="trip", version="1", key="request"):
    """What was booked is cancelled again when the last booking cannot be had."""

    outcome = OUTCOME
    learning = LEARNING

    CANCEL_FLIGHT = automated("cancel_flight", Facts, Facts, attempts=1, after="incident")
    CANCEL_ROOM_BY_HAND = human("cancel_room_by_hand", Facts, Facts, role="clerk", decides=False)
    CANCEL_ROOM = automated("cancel_room", Facts, Facts, attempts=1)
    CANCEL_GUIDE = automated("cancel_guide", Facts, Facts, attempts=1)
    BOOK_FLIGHT = automated("book_flight", Request, Facts, compensated_by=CANCEL_FLIGHT)
    BOOK_ROOM = automated("book_room", Request, Facts, compensated_by=CANCEL_ROOM)
    BOOK_GUIDE = automated("book_guide", Request, Facts, compensated_by=CANCEL_GUIDE)
    BOOK_CAR = automated("book_car", Request, Facts, attempts=1, raises=(Odd, Unreadable))
    ASK = human("ask", Request, Decision, role="clerk", accountable=BOSS)

    rules = (
        On(Odd, BOOK_CAR, compensate=True),
        On(Unreadable, BOOK_CAR),
        OnFailure(CANCEL_ROOM, instead=CANCEL_ROOM_BY_HAND),
    )

    async def work(self, case: Request) -> Result:
        """Book flight and room, then the car, with a guide and a question on the way."""
        await self.perform(self.BOOK_FLIGHT, case)
        await self.perform(self.BOOK_ROOM, case)
        if case.mood == "given up":
            await self.compensate()
            await self.compensate()
            return Result(granted=False)
        car, _, _ = await asyncio.gather(
            self.perform(self.BOOK_CAR, case), self.perform(self.BOOK_GUIDE, case), self.perform(self.ASK, case)
        )
        return Result(granted=True, by=[car.risk])


TROUBLES = (Held, Trip)
