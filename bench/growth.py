"""The plan of growth: what a case costs and how long a decision takes beside 10,000 open cases."""

from __future__ import annotations

from typing import Any

from bench.driver import Driver
from bench.meter import MILLI, p50

OPEN = 10_000
CASES = 150
QUIET = 20


async def plan(driver: Driver, tag: str) -> dict[str, Any]:
    """Server CPU and quiet latency: on an empty server, on a full one, and their ratio."""
    await driver.load(f"{tag}-warm", 60)
    empty = await _measure(driver, f"{tag}-empty")
    await driver.open(f"{tag}-open", OPEN)
    full = await _measure(driver, f"{tag}-full")
    return {
        "server_cpu_ms": [empty[0], full[0]],
        "quiet_ms": [empty[1], full[1]],
        "server_slope": full[0] / empty[0],
        "quiet_slope": full[1] / empty[1],
    }


async def _measure(driver: Driver, tag: str) -> tuple[float, float]:
    before = driver.cpu().server
    await driver.load(f"{tag}-load", CASES)
    used = (driver.cpu().server - before) * MILLI / CASES
    return used, p50(await driver.quiet(f"{tag}-quiet", QUIET)) * MILLI
