"""The tasks that call a case's steps: the procedure's own line, and what it lets run beside it."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio import workflow

_STOPPED = "what was stopped begins nothing more"
"""Cases in which something had begun before there was this go on with it, as their histories say."""


class Branches:
    """Knows who calls steps, so that they can be stopped when the case ends."""

    __slots__ = ("_begun", "_is_over", "_stopped")

    def __init__(self) -> None:
        """Begin before the procedure does."""
        self._begun: list[asyncio.Task[Any]] = []
        self._stopped: frozenset[asyncio.Task[Any]] = frozenset()
        self._is_over = False

    def begin(self, task: asyncio.Task[Any] | None) -> None:
        """Take note of a task before its first step; the procedure's own comes first."""
        if task is not None and task not in self._begun:
            self._begun.append(task)

    def current(self) -> asyncio.Task[Any] | None:
        """The present task, when it is not the procedure's own."""
        current = asyncio.current_task()
        return None if current is self._begun[0] else current

    def is_stopped(self) -> bool:
        """Whether the present task was told to end. Its cancel may have come too late for what was under way."""
        stopped = self._is_over or asyncio.current_task() in self._stopped
        return stopped and workflow.patched(_STOPPED)

    async def stop(self, *, for_good: bool) -> None:
        """Cancel all but the present task, and wait until they have ended.

        Args:
            for_good: The case closes, and nobody begins anything more: a cancel that comes meanwhile changes nothing.
        """
        others = [task for task in self._begun if task is not asyncio.current_task()]
        self._stopped |= frozenset(others)
        self._is_over = self._is_over or for_good
        for task in others:
            task.cancel()
        while True:
            try:
                return await workflow.wait_condition(lambda: all(task.done() for task in others))
            except asyncio.CancelledError:
                if not for_good:
                    raise
