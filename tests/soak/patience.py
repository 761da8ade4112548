"""How the people of a soak bear with an engine that comes and goes."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio.service import RPCError

from workunits.cases import CaseView
from workunits.client import Cases
from workunits.delivery import UndeliveredError

T = TypeVar("T")

ATTEMPT = 5.0
"""Seconds for which one attempt to act waits for its answer."""
STALE = 1.0
"""Seconds for which what was seen of a case is good enough."""
_PAUSE = 0.3


class StuckError(Exception):
    """Nobody took something for too long."""


class Insist:
    """Repeats what the engine does not take, until it does."""

    def __init__(self, errors: Counter[str]) -> None:
        """Count the errors there; nothing counts as stuck until `end` is set."""
        self._errors = errors
        self.end: float | None = None
        """On the monotonic clock."""

    async def __call__(self, what: Callable[[], Awaitable[T]]) -> T:
        """Do it, again and again.

        Raises:
            StuckError: the end has passed.
        """
        while True:
            try:
                return await asyncio.wait_for(what(), 3 * ATTEMPT)
            except (RPCError, UndeliveredError, TimeoutError) as error:
                name = error.status.name.lower() if isinstance(error, RPCError) else type(error).__name__
                self._errors[name] += 1
                self.check(f"nobody took it: {error}")
                await asyncio.sleep(_PAUSE)

    def check(self, why: str) -> None:
        """Give up when it has taken too long.

        Raises:
            StuckError: the end has passed.
        """
        if self.end is not None and time.monotonic() > self.end:
            raise StuckError(why)


class Watch:
    """What can be seen of one case; however many look, it is asked for only now and then."""

    def __init__(self, cases: Cases, case: str, insist: Insist) -> None:
        """Look at nothing yet."""
        self._cases, self._case, self._insist = cases, case, insist
        self._lock = asyncio.Lock()
        self._seen: tuple[float, CaseView] | None = None

    async def look(self) -> CaseView:
        """The case, as it was at most a second ago."""
        async with self._lock:
            if self._seen is None or time.monotonic() - self._seen[0] > STALE:
                view = await self._insist(lambda: self._cases.show(self._case))
                self._seen = time.monotonic(), view
            return self._seen[1]
