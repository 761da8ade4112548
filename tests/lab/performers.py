"""Performers whose behaviour the case's mood decides."""

from __future__ import annotations

import asyncio
import copy
import time

from temporalio import activity
from temporalio.exceptions import ApplicationError

from tests.lab.branching import Beside, Caller, Hasty, Redrawn
from tests.lab.contracts import Evidence, Facts, Load, Odd, Request, Unreadable, Weight
from tests.lab.freight import Freighter
from tests.lab.units import Inline, Plain, Ruled, Sequence
from workunits.performs import effect_key, performs

EFFECTS: list[str] = []
"""The keys of effects, in order; a test counts them."""
HELD: dict[str, asyncio.Event] = {}
"""By request: what a case in the mood `held` waits for."""


_RAISED: dict[str, Exception] = {
    "broken": ConnectionError("the network is down"),
    "refused": ApplicationError("no such customer", type="not_found", non_retryable=True),
    "undeclared": Unreadable(),
    "unreadable": Unreadable(),
    "odd": Odd("an odd request", evidence=Evidence(found="a second head")),
    "too much evidence": Odd("an odd request", evidence=Evidence(found="x" * 70_000)),
}
_GIVEN: dict[str, object] = {
    "nan": Facts(risk="low", score=float("nan")),
    "misfit": Facts.model_construct(risk=7),  # type: ignore[arg-type]
    "none": None,
    "huge_integer": Facts.model_construct(risk="low", score=10**5000),
    "large": Facts(risk="x" * 600_000),
}


async def _behave(case: Request) -> Facts:
    mood = case.mood
    EFFECTS.append(effect_key())
    if mood == "flaky" and activity.info().attempt < 3:
        raise ConnectionError("the network is down")
    if mood == "stuck":
        await asyncio.sleep(60)
    if mood == "held":
        await HELD[case.request].wait()
    if mood in _RAISED:
        # A copy: one object raised twice at the same time would share its traceback.
        raise copy.copy(_RAISED[mood])
    return _GIVEN.get(mood, Facts(risk=mood or "low"))  # type: ignore[return-value]


@performs(Plain.LOOK)
async def look_plainly(case: Request) -> Facts:
    """Behave."""
    return await _behave(case)


@performs(Inline.LOOK)
async def look_inline(case: Request) -> Facts:
    """Behave."""
    if case.mood == "slow":
        await asyncio.sleep(0.4)
    return await _behave(case)


@performs(Sequence.LOOK)
async def look_between(case: Request) -> Facts:
    """Behave."""
    return await _behave(case)


@performs(Beside.LOOK)
async def look_beside(case: Request) -> Facts:
    """Behave."""
    return await _behave(case)


@performs(Redrawn.DRAW)
async def draw(case: Request) -> Facts:
    """Behave."""
    return await _behave(case)


@performs(Redrawn.TAKE_BACK)
async def take_back(_: Facts) -> Facts:
    """Take it back."""
    return await _behave(Request(request=""))


@performs(Caller.LOOK)
async def look_at_caller(case: Request) -> Facts:
    """Behave, or find something odd after a while."""
    if case.mood == "odd later":
        await HELD[case.request].wait()
        raise Odd
    return await _behave(case)


@performs(Hasty.LOOK)
async def look_hastily(case: Request) -> Facts:
    """Behave."""
    return await _behave(case)


class Ruler:
    """A class of performers that asks for nothing."""

    @performs(Ruled.LOOK)
    async def look(self, case: Request) -> Facts:
        """Behave, unless the trouble is the adviser's."""
        return await _behave(case.model_copy(update={"mood": case.mood.removeprefix("look ")}))

    @performs(Ruled.ADVISE)
    def advise(self, case: Request) -> Facts:
        """Block a thread, as a client of an old library does."""
        time.sleep(0.01)
        if case.mood == "adviser odd":
            raise Odd
        if case.mood == "adviser broken":
            raise ConnectionError("no model")
        return Facts(risk="advised")


@performs(Freighter.CARRY)
async def carry(load: Load) -> Weight:
    """Weigh what arrives."""
    return Weight(weight=len(load.text.encode()))
