"""The plan of restarts: how long the first decision takes after a worker is gone, and a worker's start."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from bench.driver import Driver
from bench.processes import stop

TIMES = 3
SETTLED = 0.5
"""Seconds for the server to take what the case sent when the bell rang; killed before, its task would be lost."""


async def plan(driver: Driver, tag: str) -> dict[str, Any]:
    """Seconds, one value per round."""
    await driver.load(f"{tag}-warm", 20)
    killed, stopped, started = [], [], []
    for number in range(TIMES):
        await driver.open(f"{tag}-killed-{number}", 1)
        await asyncio.sleep(SETTLED)
        driver.worker.kill()
        driver.worker.wait()
        await driver.start_worker()
        killed.append(await driver.decide(f"{tag}-killed-{number}-0"))

        await driver.open(f"{tag}-stopped-{number}", 1)
        await asyncio.sleep(SETTLED)
        await asyncio.to_thread(stop, driver.worker)
        await driver.start_worker()
        stopped.append(await driver.decide(f"{tag}-stopped-{number}-0"))

        stop(driver.worker)
        began = time.perf_counter()
        await driver.start_worker()
        started.append(time.perf_counter() - began)
    return {"killed_s": killed, "stopped_s": stopped, "started_s": started}
