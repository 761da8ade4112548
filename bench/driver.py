"""The driver process: starts a worker, drives cases from another process, and measures one plan."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from temporalio.client import Client, WorkflowHandle

from bench.bell import Bells
from bench.meter import cpu
from bench.plain_steps import Decision
from bench.processes import start, stop
from bench.server import Server
from bench.variants import QUEUE, VARIANTS, Variant
from bench.worker import UP, start_worker
from workunits.client import Cases
from workunits.registry import Catalog, Package

CASE = {"customer": "c-1", "amount": 1250, "currency": "EUR", "lines": [{"sku": "a", "qty": 2}]}
BODY = {"approved": True, "note": "ok"}
AT_ONCE = 20


@dataclass
class Cpu:
    """CPU seconds so far."""

    server: float
    worker: float
    driver: float


class Driver:
    """Drives the cases of one variant."""

    def __init__(self, variant: Variant, client: Client, bells: Bells, server_pid: int, address: str) -> None:
        self.variant, self.client, self.bells, self.server_pid = variant, client, bells, server_pid
        self._address = address
        self.worker: subprocess.Popen[bytes]
        unit: Any = variant.workflow()
        self._cases = (
            Cases(client, Catalog([Package("bench", (unit,), (), ())]), queue=QUEUE) if variant.product else None
        )
        self._case = json.dumps(CASE).encode()

    async def start_worker(self) -> None:
        """Start a worker and wait until it polls."""
        self.worker = start_worker(self.variant, self._address, self.bells.port)
        await self.bells.rung(UP)

    def handle(self, name: str) -> WorkflowHandle[Any, Any]:
        """The case of this name."""
        return self.client.get_workflow_handle(f"{self.variant.unit}:{name}")

    async def start(self, name: str) -> None:
        """Start a case: the product by its own client, the twin by Temporal's."""
        if self._cases:
            await self._cases.start(self.variant.unit, self._case, key=name)
        else:
            case_id = f"{self.variant.unit}:{name}"
            await self.client.start_workflow(self.variant.unit, CASE, id=case_id, task_queue=QUEUE)

    async def waits(self, name: str) -> None:
        """Until the case waits for its person."""
        await self.bells.rung(f"{self.variant.unit}:{name}")

    async def decide(self, name: str) -> float:
        """Give the decision and wait for the result; seconds from one to the other."""
        began = time.perf_counter()
        handle = self.handle(name)
        if self._cases:
            task = f"{handle.id}/decide"
            await self._cases.act(task, "complete", actor="r-1", roles=["reviewer"], body=BODY, revision=1)
        elif self.variant.by_signal:
            await handle.signal("decide", Decision(approved=True, note="ok"))
        else:
            await handle.execute_update("decide_now", Decision(approved=True, note="ok"))
        result = await handle.result()
        if not (result.get("result") or result)["approved"]:
            raise RuntimeError(f"{handle.id} was not approved: {result}")
        return time.perf_counter() - began

    async def load(self, tag: str, count: int, at_once: int = AT_ONCE) -> list[float]:
        """Drive cases to their results, so many at once; decision to result, each."""
        limit, latencies = asyncio.Semaphore(at_once), []

        async def one(name: str) -> None:
            async with limit:
                await self.start(name)
                await self.waits(name)
                latencies.append(await self.decide(name))

        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(one(f"{tag}-{number}"))
        return latencies

    async def quiet(self, tag: str, count: int) -> list[float]:
        """Drive cases one at a time; the person takes 250 ms."""
        latencies = []
        for number in range(count):
            name = f"{tag}-{number}"
            await self.start(name)
            await self.waits(name)
            await asyncio.sleep(0.25)
            latencies.append(await self.decide(name))
        return latencies

    async def open(self, tag: str, count: int, at_once: int = AT_ONCE) -> None:
        """Leave cases waiting for their person."""
        limit = asyncio.Semaphore(at_once)

        async def one(name: str) -> None:
            async with limit:
                await self.start(name)
                await self.waits(name)

        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(one(f"{tag}-{number}"))

    def cpu(self) -> Cpu:
        """What the three processes have used so far."""
        # The worker is this process's child, so its tree is not counted here.
        return Cpu(cpu(self.server_pid), cpu(self.worker.pid), cpu(os.getpid(), tree=False))


@asynccontextmanager
async def driving(variant: Variant, address: str, server_pid: int) -> AsyncIterator[Driver]:
    """A driver with a worker that polls."""
    bells = await Bells.listen()
    driver = Driver(variant, await variant.connect(address, "bench-driver"), bells, server_pid, address)
    await driver.start_worker()
    try:
        yield driver
    finally:
        stop(driver.worker)


def measure(plan: str, variant: Variant, server: Server, *args: object) -> dict[str, Any]:
    """Run a plan in a driver process; what it measured."""
    command = (plan, variant.name, server.address, server.pid, *args)
    read, write = os.pipe()
    with os.fdopen(read) as said:
        process = start("bench.driver", *command, "--to", write, pass_fds=(write,))
        os.close(write)
        text = said.read()
    if process.wait() or not text:
        raise RuntimeError(f"the driver of {variant.name} failed in {plan}")
    measured: dict[str, Any] = json.loads(text)
    return measured


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("plan")
    parser.add_argument("variant", choices=VARIANTS)
    parser.add_argument("address")
    parser.add_argument("server_pid", type=int)
    parser.add_argument("args", nargs="*")
    parser.add_argument("--to", type=int, default=sys.stdout.fileno())
    args = parser.parse_args()
    variant = VARIANTS[args.variant]
    plan = importlib.import_module(f"bench.{args.plan}")

    async def run() -> dict[str, Any]:
        async with driving(variant, args.address, args.server_pid) as driver:
            measured: dict[str, Any] = await plan.plan(driver, *args.args)
            return measured

    if variant.uvloop:
        import uvloop

        measured = uvloop.run(run())
    else:
        measured = asyncio.run(run())
    with os.fdopen(args.to, "w") as to:
        json.dump(measured, to)
    # A thread of Temporal's core may still let go of an object while Python takes itself apart, and abort it.
    os._exit(0)


if __name__ == "__main__":
    main()
