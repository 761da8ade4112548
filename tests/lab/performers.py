"""Performers whose behaviour the case's mood decides."""

from __future__ import annotations

import asyncio
import time

from pydantic import BaseModel
from temporalio import activity
from temporalio.exceptions import ApplicationError

from tests.lab.contracts import Evidence, Facts, Odd, Request, Unreadable
from tests.lab.units import Inline, Plain, Ruled, Sequence
from workunits.performs import effect_key, performs

EFFECTS: list[str] = []
"""The keys of effects, in order; a test counts them."""


async def _behave(case: Request) -> Facts:
    mood, attempt = case.mood, activity.info().attempt
    EFFECTS.append(effect_key())
    if mood == "flaky" and attempt < 3:
        raise ConnectionError("the network is down")
    if mood == "broken":
        raise ConnectionError("the network is down")
    if mood == "refused":
        raise ApplicationError("no such customer", type="not_found", non_retryable=True)
    if mood == "stuck":
        await asyncio.sleep(60)
    if mood == "odd":
        raise Odd("an odd request", evidence=Evidence(found="a second head"))
    if mood == "unreadable":
        raise Unreadable
    if mood == "undeclared":
        raise Unreadable
    if mood == "nan":
        return Facts(risk="low", score=float("nan"))
    if mood == "misfit":
        return Facts.model_construct(risk=7)  # type: ignore[arg-type]
    if mood == "none":
        return None  # type: ignore[return-value]
    if mood == "huge_integer":
        return Facts.model_construct(risk="low", score=10**5000)
    if mood == "large":
        return Facts(risk="x" * 600_000)
    return Facts(risk=mood or "low")


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


class Unfit(BaseModel):
    """No step gives this."""
