"""The plan of open cases: what one that waits for its person costs the worker in resident memory."""

from __future__ import annotations

from typing import Any

from bench.driver import Driver
from bench.meter import rss

OPEN = 2000
KIB = 1024


async def plan(driver: Driver, tag: str) -> dict[str, Any]:
    """KiB per open case, beyond what the worker holds after its first ones."""
    await driver.load(f"{tag}-warm", 100)
    before = rss(driver.worker.pid)
    await driver.open(tag, OPEN)
    after = rss(driver.worker.pid)
    return {"kib_per_open_case": (after - before) / KIB / OPEN, "worker_mib": after / KIB / KIB}
