"""The price of the codec: `python -m bench.sealed [ROUNDS]`.

The approval case with the codec and without it, in turns on one server, worker and driver in this one process. Every
round gives a ratio of its own, so that what else the machine does falls on both sides.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio.client import Client
from temporalio.worker import Worker

from bench import performers
from bench.approval import Approval
from bench.driver import BODY, CASE
from bench.meter import MILLI, cpu, spread
from bench.server import Server, serving
from workunits.client import Cases
from workunits.codec import Key, KeyRing
from workunits.core.record import OPEN_TASKS
from workunits.performs import collect, match
from workunits.plugin import work_units
from workunits.registry import Catalog, Package

ROUNDS, CASES, AT_ONCE, WARM_UP = 7, 150, 20, 20
POLL = 0.1
CLEAR, SEALED = "in clear", "sealed"
RING = KeyRing([Key("bench", datetime(2026, 1, 1, tzinfo=UTC), os.urandom(32))])
CATALOG = Catalog([Package("bench", (Approval,), (), ())])


@dataclass(frozen=True)
class Run:
    """What a round of one side took, per case."""

    ours_ms: float
    """CPU of worker and client."""
    server_ms: float
    """CPU of the engine."""
    wall_ms: float
    history_bytes: float


class Side:
    """One way to run the cases."""

    def __init__(self, client: Client, queue: str) -> None:
        self.client, self.queue = client, queue
        self.cases = Cases(client, CATALOG, queue=queue)

    @classmethod
    async def connect(cls, server: Server, name: str) -> Side:
        """Connect, with the codec or without it."""
        plugin = work_units("bench.contracts", keys=RING if name == SEALED else None)
        return cls(await Client.connect(server.address, plugins=[plugin]), name.replace(" ", "-"))

    def worker(self) -> Worker:
        """Its worker."""
        wanted = [performer for performer in collect([performers], {}) if performer.step.unit == "approval"]
        activities = [performer.as_activity() for performer in match(Approval.steps, wanted)]
        return Worker(self.client, task_queue=self.queue, workflows=[Approval], activities=activities)

    async def run(self, server: Server, tag: str, count: int) -> Run:
        """Start all cases, wait until they wait for their person, decide them all: nothing is asked case by case."""
        keys = [f"{self.queue}-{tag}-{number}" for number in range(count)]
        before = cpu(os.getpid(), tree=False), cpu(server.pid), time.perf_counter()
        await _each(keys, self.start)
        await self.waiting(count)
        await _each(keys, self.decide)
        await self.waiting(0)
        after = cpu(os.getpid(), tree=False), cpu(server.pid), time.perf_counter()
        ours, servers, wall = ((b - a) * MILLI / count for a, b in zip(before, after, strict=True))
        handle = self.client.get_workflow_handle(f"approval:{self.queue}-{tag}-0")
        size = sum([event.ByteSize() async for event in handle.fetch_history_events()])
        return Run(ours, servers, wall, size)

    async def start(self, key: str) -> None:
        """Start one."""
        await self.cases.start("approval", json.dumps(CASE).encode(), key=key)

    async def decide(self, key: str) -> None:
        """Give the decision."""
        task = f"approval:{key}/decide"
        await self.cases.act(task, "complete", actor="r-1", roles=["reviewer"], body=BODY, revision=1)

    async def waiting(self, count: int) -> None:
        """Until so many of this side's cases wait for their person."""
        query = f"TaskQueue = '{self.queue}' AND ExecutionStatus = 'Running' AND {OPEN_TASKS.name} > 0"
        while (await self.client.count_workflows(query)).count != count:  # noqa: ASYNC110, the engine tells nobody
            await asyncio.sleep(POLL)


async def _each(keys: Sequence[str], act: Callable[[str], Awaitable[None]]) -> None:
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(key: str) -> None:
        async with limit:
            await act(key)

    async with asyncio.TaskGroup() as group:
        for key in keys:
            group.create_task(one(key))


async def measure(rounds: int) -> dict[str, list[Run]]:
    with serving() as server:
        sides = {name: await Side.connect(server, name) for name in (CLEAR, SEALED)}
        found: dict[str, list[Run]] = {name: [] for name in sides}
        async with sides[CLEAR].worker(), sides[SEALED].worker():
            for side in sides.values():
                await side.run(server, "warm", WARM_UP)
            for number in range(rounds):
                # Each goes first as often as the other.
                for name in (CLEAR, SEALED) if number % 2 else (SEALED, CLEAR):
                    found[name].append(await sides[name].run(server, f"r{number}", CASES))
        return found


def show(found: dict[str, list[Run]]) -> None:
    print(f"{'per case: median (least-most)':<36}{CLEAR:>26}{SEALED:>26}{'ratio':>22}")
    for figure, label in (
        ("ours_ms", "CPU of worker and client, ms"),
        ("server_ms", "CPU of the engine, ms"),
        ("wall_ms", f"time at {AT_ONCE} at once, ms"),
        ("history_bytes", "history, bytes"),
    ):
        clear, sealed = ([getattr(run, figure) for run in found[name]] for name in (CLEAR, SEALED))
        ratios = [one / other for one, other in zip(sealed, clear, strict=True)]
        print(f"{label:<36}{spread(clear):>26}{spread(sealed):>26}{spread(ratios):>22}")


def main(args: Sequence[str]) -> None:
    show(asyncio.run(measure(int(args[0]) if args else ROUNDS)))


if __name__ == "__main__":
    main(sys.argv[1:])
