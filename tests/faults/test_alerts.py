"""The alerts: a running system is broken five ways, before a real Prometheus and a real Alertmanager.

The rules are those of the command, with its documented `--pace`: each duration is a tenth, so that an alert that waits
for five minutes waits for thirty seconds. The configurations are those of the repository: of Prometheus's, the test
changes the two intervals (a scrape has the time between two of them, on a busy machine, too) and the lists of targets,
of Alertmanager's nothing.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2

from tests.faults.durable import Durable, durable
from tests.faults.fleet import ROOT, TASK_TIMEOUT, kill
from tests.faults.test_f20_bug_in_a_unit import BUG
from tests.faults.units import Advised, Urgent
from tests.workers.conftest import Process
from workers.engine.ports import free_ports
from workunits.delivery import UndeliveredError

PACE = "0.1"
BROKEN = {
    ("WorkunitCaseWedged", "errand"),
    ("WorkunitSlaBurnFast", "urgent"),
    ("WorkunitCasesStuck", "advised"),
    ("WorkunitFollowerBehind", ""),
    ("WorkunitNoWorker", "errand"),
}
LATE_EVERY = 0.4
"""Seconds between cases that break their promise; they keep coming until somebody was called, as in life."""
BLOCKING = 10
"""Steps that each keep the worker's only hand for a while, so that nothing else on the queue comes to its turn."""
_PAUSE = 0.3
"""Seconds before each question: who asks all the time keeps those from working who are asked."""
PROMETHEUS, ALERTMANAGER = ROOT / "observability" / "prometheus", ROOT / "observability" / "alertmanager"


class System:
    """A fleet that is watched and counted, and the two that call somebody."""

    def __init__(self, fleet: Durable, prometheus: str, alertmanager: str) -> None:
        """Ask nothing yet."""
        self.fleet = fleet
        self.fired: set[tuple[str, str]] = set()
        """What has fired in Prometheus, by alert and unit."""
        self.reached: set[tuple[str, str]] = set()
        """What has reached Alertmanager."""
        self._prometheus, self._alertmanager = prometheus, alertmanager
        self._client = httpx2.AsyncClient()

    async def well(self) -> Any:
        """Whether all that is scraped is up, and every rule was evaluated since without firing."""
        try:
            up = await self._ask("query", query="sum(up)")
            groups = (await self._ask("rules"))["groups"]
        except httpx2.TransportError:
            return False
        there = [float(one["value"][1]) for one in up["result"]]
        rules = [rule for group in groups for rule in group["rules"]]
        quiet = all(rule["health"] == "ok" and rule.get("state", "inactive") == "inactive" for rule in rules)
        return there == [2.0] and len(rules) > 30 and quiet

    async def called(self, *alerts: str) -> Any:
        """Whether these have fired and reached Alertmanager; what has, is kept."""
        said = (await self._ask("alerts"))["alerts"]
        self.fired |= {_name(one) for one in said if one["state"] == "firing"}
        held = await self._client.get(f"{self._alertmanager}/api/v2/alerts")
        self.reached |= {_name(one) for one in held.raise_for_status().json()}
        both = {name for name, _ in self.fired & self.reached}
        return both >= set(alerts)

    async def until_called(self, *alerts: str) -> None:
        """Wait until these have."""
        try:
            await self.fleet.until(lambda: self.called(*alerts))
        except TimeoutError:
            raise AssertionError(f"of {alerts}: fired {self.fired}, reached {self.reached}") from None

    async def close(self) -> None:
        """Ask no more."""
        await self._client.aclose()

    async def _ask(self, what: str, **query: str) -> Any:
        await asyncio.sleep(_PAUSE)
        answer = await self._client.get(f"{self._prometheus}/api/v1/{what}", params=query)
        return answer.raise_for_status().json()["data"]


def _name(alert: dict[str, Any]) -> tuple[str, str]:
    return alert["labels"]["alertname"], alert["labels"].get("unit", "")


@contextmanager
def running(folder: Path, *command: str) -> Iterator[None]:
    """A program that is none of ours."""
    with (folder / f"{command[0]}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.kill()
            process.wait()


@asynccontextmanager
async def watched(fleet: Durable) -> AsyncIterator[System]:
    """Watchdog and metrics of a fleet, Prometheus and Alertmanager with the repository's own files."""
    folder = fleet.shell.folder
    metrics, watchdog, prometheus, alertmanager = free_ports(4)
    settings = fleet._env | {"WORKUNITS_WATCHDOG_GRACE_SECONDS": "1", "WORKUNITS_WATCHDOG_EVERY_SECONDS": "1"}
    served = fleet.shell.spawn("metrics", "serve", "--port", str(metrics), **settings)
    watching = fleet.shell.spawn("watchdog", "--port", str(watchdog), **settings)
    fleet.command("metrics", "rules", "--out", "rules", "--pace", PACE)
    config = (PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8")
    (folder / "prometheus.yml").write_text(
        config.replace("scrape_interval: 15s", "scrape_interval: 4s").replace(
            "evaluation_interval: 15s", "evaluation_interval: 2s"
        )
    )
    there = {"metrics": metrics, "watchdog": watchdog, "alertmanager": alertmanager}
    for path in (PROMETHEUS / "targets").iterdir():
        ports = [port for name, port in there.items() if name == path.stem]
        targets = [{"targets": [f"127.0.0.1:{port}" for port in ports]}] if ports else []
        fleet.shell.write(f"targets/{path.name}", json.dumps(targets))
    shutil.copy(ALERTMANAGER / "alertmanager.yml", folder)
    served.until("serving metrics")
    watching.until("watching")
    listen, tsdb = "--web.listen-address=127.0.0.1:", "--storage.tsdb.path=tsdb"
    with (
        running(
            folder,
            "prometheus-alertmanager",
            "--config.file=alertmanager.yml",
            "--storage.path=alerts",
            "--cluster.listen-address=",
            f"{listen}{alertmanager}",
        ),
        running(folder, "prometheus", "--config.file=prometheus.yml", tsdb, f"{listen}{prometheus}"),
    ):
        system = System(fleet, f"http://127.0.0.1:{prometheus}", f"http://127.0.0.1:{alertmanager}")
        try:
            yield system
        finally:
            await system.close()


async def test_a_system_that_is_broken_five_ways_calls_somebody_each_time(tmp_path):
    """Wedged, late, blocked, not counted, without workers: five alerts, which nothing raised while all was well."""
    async with durable(tmp_path) as fleet:
        worker = fleet.worker(PYTHONPATH=fleet.edited(*BUG), WORKUNITS_MAX_ACTIVITIES="1", WORKUNITS_GRACE_SECONDS="0")
        follower = fleet.follower()
        async with watched(fleet) as system:
            well = await fleet.start(kind="letter")
            await fleet.answer(await fleet.task(well))
            await fleet.closed(well)
            await fleet.until(system.well)
            await system.called()
            before = set(system.fired)

            answering = await wedge(fleet)
            breaking = asyncio.create_task(keep_breaking(fleet))
            await asyncio.gather(*(fleet.start(Advised, trouble="blocked") for _ in range(BLOCKING)))
            await system.until_called("WorkunitCaseWedged", "WorkunitSlaBurnFast", "WorkunitCasesStuck")
            during = {name for name, _ in system.fired}
            breaking.cancel()
            with suppress(asyncio.CancelledError):
                await breaking
            await stop(follower)
            kill(worker)
            await fleet.start()
            await system.until_called("WorkunitFollowerBehind", "WorkunitNoWorker")
            answering.cancel()
            with suppress(asyncio.CancelledError, UndeliveredError):
                await answering

    assert before == set()
    assert during.isdisjoint({"WorkunitFollowerBehind", "WorkunitNoWorker"})
    assert system.fired & system.reached >= BROKEN


async def keep_breaking(fleet: Durable) -> None:
    """Start cases that nobody answers in time."""
    while True:
        await fleet.start(Urgent)
        await asyncio.sleep(LATE_EVERY)


async def wedge(fleet: Durable) -> asyncio.Task[float]:
    """Have a case come to the line that fails; whoever answers it waits."""
    case = await fleet.start(task_timeout=TASK_TIMEOUT)
    return asyncio.create_task(fleet.answer(await fleet.task(case)))


async def stop(process: Process) -> None:
    """End a process of ours as an operator does."""
    assert await asyncio.to_thread(process.stop) == 0
