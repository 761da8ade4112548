"""Performers of the planted unit, whose behaviour the case's mood decides."""

from __future__ import annotations

from tests.lab.contracts import Facts, Odd, Request
from tests.replay.planted import ADVISE, FILE, LOOK, WEIGH, Planted
from workunits.performs import performs

assert Planted  # its class gives the steps their unit


@performs(LOOK)
async def look(case: Request) -> Facts:
    """Find something out, or do not."""
    if case.mood == "odd":
        raise Odd
    if case.mood == "broken":
        raise ConnectionError("the network is down")
    return Facts(risk=case.mood or "low")


@performs(WEIGH)
async def weigh(facts: Facts) -> Facts:
    """Weigh it."""
    return facts.model_copy(update={"score": 0.75})


@performs(ADVISE)
async def advise(facts: Facts) -> Facts:
    """Advise, or do not."""
    if facts.risk == "no advice":
        raise ConnectionError("no model")
    return facts


@performs(FILE)
async def file(facts: Facts) -> Facts:
    """File it."""
    return facts
