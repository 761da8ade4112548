"""The plan of a timed run: warm-up, a closed loop at 20 cases in flight, then quiet cases one at a time."""

from __future__ import annotations

import time
from typing import Any

from bench.driver import Driver
from bench.meter import MILLI, p50

WARM_UP, CASES, QUIET = 40, 150, 12


async def plan(driver: Driver, tag: str) -> dict[str, Any]:
    """Milliseconds of CPU per case, cases per second, milliseconds from decision to result."""
    await driver.load(f"{tag}-warm", WARM_UP)
    before, began = driver.cpu(), time.perf_counter()
    loaded = await driver.load(f"{tag}-load", CASES)
    took, after = time.perf_counter() - began, driver.cpu()
    quiet = await driver.quiet(f"{tag}-quiet", QUIET)
    used = {name: (getattr(after, name) - getattr(before, name)) * MILLI / CASES for name in vars(before)}
    return {
        "server_cpu_ms": used["server"],
        "worker_cpu_ms": used["worker"],
        "driver_cpu_ms": used["driver"],
        "total_cpu_ms": sum(used.values()),
        "cases_per_s": CASES / took,
        "loaded_ms": p50(loaded) * MILLI,
        "quiet_ms": p50(quiet) * MILLI,
    }
