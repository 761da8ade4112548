"""Who performs the machine steps of the unit that only the recount uses; the case's mood tells them how."""

from __future__ import annotations

import asyncio

from tests.lab.contracts import Facts, Odd, Request, Unreadable
from tests.observability.recount_units import Billed
from workunits.performs import performs


@performs(Billed.PREPARE)
async def prepare(case: Request) -> Facts:
    """Read the request."""
    if case.mood == "unreadable":
        raise Unreadable
    if case.mood == "odd":
        raise Odd
    return Facts(risk="low")


@performs(Billed.CHECK)
async def check(case: Request) -> Facts:
    """Judge the request."""
    if case.mood == "check slow":
        await asyncio.sleep(0.5)
    if case.mood == "check odd":
        raise Odd
    if case.mood == "check broken":
        raise ConnectionError("no model")
    return Facts(risk="checked")


@performs(Billed.FILE)
async def keep(case: Request) -> Facts:
    """Keep the request."""
    if case.mood == "full":
        raise OSError("no space left")
    return Facts(risk="filed")
