"""The plan of the ledger: how far its follower is behind a steady load, what it holds, how fast it catches up."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, select

from bench.driver import Driver
from bench.meter import rss
from bench.processes import ROOT, environment, running
from observability.ledger.keeping import definitions, followers
from observability.ledger.store import Ledger
from observability.ledger.tables import cases

WARM_UP, CASES = 60, 600
POLL = 0.01
MIB = 1024 * 1024
P99 = 98
"""The last of the 99 cuts into hundredths."""


async def plan(driver: Driver, tag: str, address: str, *urls: str) -> dict[str, object]:
    """Seconds from a close to its row, MiB of the follower, and cases per second into each empty ledger.

    Args:
        driver: Drives the cases.
        tag: Names them.
        address: Of the engine, for the follower.
        urls: Of empty databases: the first is followed under load, each other one is filled at once.
    """
    followed, *empty = map(Ledger, urls)
    followed.migrate()
    with _following(address, urls[0]) as follower:
        await _passed(followed)
        await driver.load(f"{tag}-warm", WARM_UP)
        watching = asyncio.create_task(_lags(followed, f"{driver.variant.unit}:{tag}-load"))
        await driver.load(f"{tag}-load", CASES)
        lags = await watching
        held = rss(follower.pid) / MIB
    return {
        "lag_p50_s": statistics.median(lags),
        "lag_p99_s": statistics.quantiles(lags, n=100)[P99],
        "follower_mib": held,
        "projected_per_s": [await _project(address, ledger, url) for ledger, url in zip(empty, urls[1:], strict=True)],
    }


@contextmanager
def _following(address: str, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """The follower as it is run: `workunits follow`."""
    ours = {"TEMPORAL_ADDRESS": address, "WORKUNITS_LEDGER": url, "WORKUNITS_MODULES": "bench.ledger_package"}
    command = [sys.executable, "-m", "workers.cli", "follow"]
    with running(subprocess.Popen(command, cwd=ROOT, env=environment() | ours, stderr=subprocess.DEVNULL)) as process:  # noqa: S603
        yield process


async def _passed(ledger: Ledger) -> None:
    """Until the follower has made its first pass."""
    async with asyncio.timeout(60):
        while not _rows(ledger, select(followers.c.passed_at)):  # noqa: ASYNC110, another process tells nobody
            await asyncio.sleep(POLL)


async def _lags(ledger: Ledger, prefix: str) -> list[float]:
    """Seconds from the engine's close of each case to when another process can read that row."""
    found: dict[str, float] = {}
    newest = datetime.fromtimestamp(0, UTC)
    async with asyncio.timeout(600):
        while len(found) < CASES:
            wanted = select(cases.c.case_id, cases.c.changed_at, cases.c.written_at).where(
                cases.c.close.is_not(None), cases.c.written_at >= newest
            )
            for case, closed, written in await asyncio.to_thread(_rows, ledger, wanted):
                newest = max(newest, written)
                if case.startswith(prefix):
                    found.setdefault(case, (datetime.now(UTC) - closed).total_seconds())
            await asyncio.sleep(POLL)
    return list(found.values())


def _rows(ledger: Ledger, wanted: Select[Any]) -> Sequence[Any]:
    with ledger.read() as connection:
        return connection.execute(wanted).all()


async def _project(address: str, ledger: Ledger, url: str) -> float:
    """Cases per second of the first pass into an empty ledger, by what the follower itself notes of it.

    It notes the definitions before its first listing, and the pass after its last commit.
    """
    ledger.migrate()
    with _following(address, url):
        await _passed(ledger)
    ((began,),) = _rows(ledger, select(definitions.c.first_seen_at).where(definitions.c.unit == "approval"))
    ((ended, written),) = _rows(ledger, select(followers.c.passed_at, followers.c.rows))
    ledger.close()
    return float(written / (ended - began).total_seconds())
