"""The storm: kills and freezes the parts of a site, in an order that follows from the seed."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.soak.plan import Plan
from tests.soak.site import Part, Site, send


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong."""

    parts: tuple[str, ...]
    how: Literal["kill", "freeze"]
    seconds: float
    """How long the parts are gone, or stand still."""
    after: float
    """Seconds since the fault before it began."""


_KINDS: dict[tuple[tuple[str, ...], Literal["kill", "freeze"]], tuple[int, float, float]] = {
    (("worker-1",), "kill"): (3, 0, 3),
    (("worker-2",), "kill"): (3, 0, 3),
    (("worker-1", "worker-2"), "kill"): (1, 2, 8),
    (("worker-1",), "freeze"): (2, 8, 14),
    (("engine",), "kill"): (3, 0, 4),
    (("engine",), "freeze"): (2, 3, 12),
    (("follower",), "kill"): (4, 0, 4),
    (("follower",), "freeze"): (1, 3, 10),
    (("postgres",), "kill"): (3, 0, 6),
    (("postgres",), "freeze"): (1, 3, 8),
}
"""How often a kind comes in a deck, and the shortest and longest that it lasts, in seconds."""


def forecast(plan: Plan) -> list[Fault]:
    """All faults of a soak: each kind once, as far as there are so many, then as they are drawn."""
    rng = plan.rng("storm")
    once = list(_KINDS)
    rng.shuffle(once)
    drawn = rng.choices(once, [_KINDS[kind][0] for kind in once], k=max(0, plan.kills - len(once)))
    mean = plan.seconds / max(1, plan.kills)
    faults = []
    for parts, how in [*once, *drawn][: plan.kills]:
        _, shortest, longest = _KINDS[parts, how]
        faults.append(Fault(parts, how, rng.uniform(shortest, longest), rng.uniform(0.3, 1.7) * mean))
    return faults


class Storm:
    """Makes the faults happen."""

    def __init__(self, site: Site, faults: list[Fault], tell: Callable[..., None]) -> None:
        """Prepare; `tell` hears of each fault."""
        self._site = site
        self._faults = faults
        self._tell = tell
        self._locks = {name: asyncio.Lock() for name in site.parts}

    async def blow(self) -> None:
        """Let all faults happen; several parts may be gone at a time. Afterwards, all are there again."""
        under_way = []
        for fault in self._faults:
            await asyncio.sleep(fault.after)
            under_way.append(asyncio.create_task(self._happen(fault)))
        await asyncio.gather(*under_way)

    async def _happen(self, fault: Fault) -> None:
        await asyncio.gather(*(self._strike(self._site.parts[name], fault) for name in fault.parts))

    async def _strike(self, part: Part, fault: Fault) -> None:
        async with self._locks[part.name]:  # one thing at a time for each part
            self._tell("fault", part=part.name, how=fault.how, seconds=round(fault.seconds, 1))
            if fault.how == "kill":
                await part.kill()
                await asyncio.sleep(fault.seconds)
                await part.revive()
            else:
                pids = part.pids()
                send(pids, signal.SIGSTOP)
                try:
                    await asyncio.sleep(fault.seconds)
                finally:
                    send(pids, signal.SIGCONT)
