"""How long tests wait for what has to come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

PATIENCE = 240.0
"""Seconds. Nothing takes so long but what is broken, whatever else the machine is busy with."""


async def until(look: Callable[[], object], patience: float = PATIENCE, pause: float = 0.02) -> None:
    """Wait until something is so that tells nobody, with pauses between the looks, all in seconds."""
    async with asyncio.timeout(patience):
        while not look():  # noqa: ASYNC110
            await asyncio.sleep(pause)
