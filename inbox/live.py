"""Live updates: browsers are told that something has changed, never what; they ask for it with their own rights.

One loop looks for all browsers of this process, and only while there are any.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from temporalio.client import Client
from temporalio.service import RPCError

from observability.ledger.store import Ledger, LedgerError
from observability.ledger.tables import tasks

EVERY = 0.5
"""Seconds between two looks."""
AGAIN = 60.0
"""Seconds after which pages are made anew although nothing changed: what is due comes nearer."""
BEAT = 15.0
"""Seconds after which an idle connection says that it lives."""
_GLANCE = 1.0
"""Seconds between looks whether the server ends."""
_PATIENCE = timedelta(seconds=2)

NO_LEDGER = "The ledger does not answer. Lists come from the engine for now, and may lack what is old; you can go on."
NO_ENGINE = "The engine does not answer. What you decide is saved and is delivered as soon as it is back."
log = logging.getLogger("workunits.inbox")


class Pulse:
    """Looks at the ledger and at the engine, and tells all who listen."""

    def __init__(self, ledger: Ledger, client: Client, *, every: float = EVERY) -> None:
        """Use them; nothing runs until someone listens."""
        self._ledger = ledger
        self._client = client
        self._every = every
        self._listeners: set[asyncio.Queue[tuple[str, str]]] = set()
        self._loop: asyncio.Task[None] | None = None
        self._troubles: tuple[str, ...] = ()
        self.version = 0
        """Counts the changes that were seen."""

    @property
    def troubles(self) -> tuple[str, ...]:
        """What did not work when it was looked at last."""
        return self._troubles

    async def listen(self, stopping: asyncio.Event, seen: int | None = None) -> AsyncGenerator[str]:
        """Events for one browser, until it goes away.

        Args:
            stopping: Set when the server ends: then so does this.
            seen: The version when the page was made: it is told at once what it has missed since.
        """
        queue: asyncio.Queue[tuple[str, str]] = asyncio.Queue(maxsize=16)
        self._listeners.add(queue)
        if self._loop is None or self._loop.done():
            self._loop = asyncio.create_task(self._run())
        try:
            yield _event("health", json.dumps(self._troubles))
            if seen is not None and seen != self.version:
                yield _event("tasks", "")
            beat = 0.0
            while not stopping.is_set():
                try:
                    name, data = await asyncio.wait_for(queue.get(), _GLANCE)
                except TimeoutError:
                    beat += _GLANCE
                    if beat >= BEAT:
                        beat = 0.0
                        yield ": beat\n\n"
                else:
                    yield _event(name, data)
        finally:
            self._listeners.discard(queue)

    async def _run(self) -> None:
        """Look while anyone listens."""
        before: Any = None
        looked = 0.0
        clock = asyncio.get_running_loop()
        while self._listeners:
            troubles, state = await self.look()
            if troubles != self._troubles:
                self._troubles = troubles
                self._tell("health", json.dumps(troubles))
                state = object() if state is None else state
            now = clock.time()
            if (state is not None and state != before) or now - looked >= AGAIN:
                self.version += 1
                self._tell("tasks", "")
                before, looked = state, now
            await asyncio.sleep(self._every)

    async def look(self) -> tuple[tuple[str, ...], Any]:
        """What does not work, in words; and something that differs when any open task has changed."""
        state, engine = await asyncio.gather(asyncio.to_thread(self._state), self._engine_answers())
        troubles = (*(() if state is not None else (NO_LEDGER,)), *(() if engine else (NO_ENGINE,)))
        return troubles, state

    def _state(self) -> Any:
        wanted = select(
            func.count(), func.sum(tasks.c.revision), func.max(tasks.c.ready_at), func.max(tasks.c.task_id)
        ).where(tasks.c.open)
        try:
            with self._ledger.read() as connection:
                return tuple(connection.execute(wanted).one())
        except LedgerError:
            return None

    async def _engine_answers(self) -> bool:
        try:
            return await self._client.service_client.check_health(timeout=_PATIENCE)
        except (RPCError, OSError, RuntimeError):
            return False

    def _tell(self, name: str, data: str) -> None:
        for queue in self._listeners:
            if queue.full():  # it is told the newest, and asks for the whole
                queue.get_nowait()
            queue.put_nowait((name, data))


def _event(name: str, data: str) -> str:
    return f"event: {name}\ndata: {data}\n\n"
