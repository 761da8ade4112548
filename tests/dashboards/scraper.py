"""A real Prometheus that scrapes what a test runs, and answers a dashboard's queries."""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2

from tests.dashboards.linter import Query
from tests.patience import PATIENCE
from workers.engine.ports import free_ports

SPANS = {"rate_interval": "2m", "range": "5m"}


class Prometheus:
    """A real one, as it is asked."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ask(self, path: str, **asked: str) -> Any:
        """What its API answers."""
        answer = httpx2.get(f"{self._url}/api/v1/{path}", params=asked, timeout=10).json()
        return answer["data"] if answer["status"] == "success" else answer

    def has(self, query: Query, at: float) -> bool:
        """Whether there is a number, at any time of the last two minutes."""
        span = {"start": str(at - 120), "end": str(at), "step": "5"}
        found = self.ask("query_range", query=query.filled(**SPANS), **span)["result"]
        return any(not math.isnan(float(value)) for one in found for _, value in one["values"])

    def empty(self, asked: list[Query]) -> list[str]:
        """Those without data."""
        at = time.time()
        return [f"{query.where}: {query.expr}" for query in asked if not self.has(query, at)]


@contextmanager
def prometheus(folder: Path, **targets: str) -> Iterator[Prometheus]:
    """Scrape these, once a second."""
    port = free_ports(1)[0]
    jobs = [{"job_name": name, "static_configs": [{"targets": [where]}]} for name, where in targets.items()]
    config = folder / "prometheus.yml"
    config.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}), encoding="utf-8")
    options = (f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}")
    listen = (f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage")
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(["prometheus", *options, *listen], stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        _until_ready(url)
        yield Prometheus(url)
    finally:
        process.terminate()
        process.wait(20)


def _until_ready(url: str) -> None:
    """Until then it answers with words of its own, or not at all."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(httpx2.TransportError):
            if httpx2.get(f"{url}/-/ready", timeout=5).is_success:
                return
        time.sleep(0.1)
    raise AssertionError("Prometheus is not ready")


async def until(look) -> None:
    """Wait for it."""
    deadline = time.monotonic() + PATIENCE
    while not await asyncio.to_thread(look):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)


async def answered(there: Prometheus, asked: list[Query]) -> list[str]:
    """Wait until all queries have data; gives those that never had any."""
    deadline = time.monotonic() + PATIENCE
    while left := await asyncio.to_thread(there.empty, asked):
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(0.2)
    return left
