"""How much one workflow task may do: the SDK ends one that takes two seconds, and the case could never go on."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from temporalio import workflow

_NEXT_TASK = 0.001
"""Seconds of a timer whose only purpose is that the rest is done in another workflow task."""


class Pace:
    """Counts within one workflow task, and starts again in the next."""

    def __init__(self, most: int) -> None:
        """Allow so many."""
        self._most = most
        self._task = -1
        self._count = 0

    def allows(self) -> bool:
        """Count one more; false when it is too many for this task."""
        task = workflow.info().get_current_history_length()
        if task != self._task:
            self._task, self._count = task, 0
        self._count += 1
        return self._count <= self._most


async def until_next_task(work: asyncio.Task[Any]) -> None:
    """Wait for the next workflow task, but not with the close: a decision that ends the case ends it at once."""
    with suppress(TimeoutError):
        await workflow.wait_condition(work.done, timeout=_NEXT_TASK)
