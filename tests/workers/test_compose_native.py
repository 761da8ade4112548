"""The services of docker-compose.yml as processes of this machine: the same command lines and configuration files.

PostgreSQL is a real one; the dev server stands in for Temporal's containers. Variables of the compose file and its
names of hosts are what differs, and of Prometheus the lists of its targets, which may change at any time.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.compose_file import ROOT, SECRETS, compose, mounts
from tests.observability.postgres import Postgres
from tests.otlp import Sink, sink
from tests.patience import PATIENCE
from tests.workers.conftest import Shell
from workers.demo_cases import SEED_CASES
from workers.engine.ports import free_ports

BUILD = "native"
STAY = ("worker", "worker-ai", "follow", "inbox", "notify", "watchdog", "metrics")
UP = {
    "worker": "polling",
    "worker-ai": "polling",
    "follow": "following",
    "inbox": "the inbox is at",
    "notify": "telling people",
    "watchdog": "watching",
    "metrics": "/metrics",
}


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server."""
    server = Postgres.make()
    try:
        server.start()
        yield server
    finally:
        server.remove()


class Native:
    """The compose file, and where things are on this machine."""

    def __init__(self, folder: Path, postgres: Postgres, engine: str, there: Sink) -> None:
        (self.inbox, self.worker, self.ai, self.watchdog, self.metrics, self.prometheus, self.alertmanager) = (
            free_ports(7)
        )
        variables = {"WORKUNITS_BUILD_ID": BUILD, "LISTEN": "127.0.0.1", "INBOX_PORT": str(self.inbox)}
        self.services: dict[str, Any] = compose(variables)["services"]
        self.folder, self.secrets = folder, folder / "secrets"
        subprocess.run([ROOT / "compose" / "make-secrets.sh", self.secrets], check=True)
        for name in ("ledger", "journal"):
            secret = self.secrets / f"{name}_url"
            secret.chmod(0o600)
            secret.write_text(postgres.create(name), encoding="utf-8")
        self._places = {
            "temporal:7233": engine,
            "http://otel-collector:4318": f"http://127.0.0.1:{there.port}",
            SECRETS: f"{self.secrets}/",
        }
        self._ports = {
            "WORKUNITS_WATCHDOG_PORT": str(self.watchdog),
            "WORKUNITS_METRICS_PORT": str(self.metrics),
        }

    def environment(self, name: str) -> dict[str, str]:
        """A service's variables, with the names of hosts and folders of this machine."""
        given: dict[str, str] = dict(self.services[name].get("environment", {}))
        for place, here in (*self._places.items(), *self._mounted(name)):
            given = {variable: value.replace(place, here) for variable, value in given.items()}
        ports = self._ports | {"WORKUNITS_WORKER_METRICS_PORT": str(self.ai if name == "worker-ai" else self.worker)}
        given |= {variable: port for variable, port in ports.items() if variable in given}
        state = self.folder / name
        return given | {
            "WORKUNITS_STATE": str(state),
            "WORKUNITS_DATA": str(state / "data"),
            "OTEL_SERVICE_NAME": name,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }

    def _mounted(self, name: str) -> list[tuple[str, str]]:
        return [(target, str(ROOT / source)) for source, target in mounts(self.services[name])]

    def config(self, name: str, folder: Path) -> list[str]:
        """A program's own files as it finds them in its container, and its command line with this machine's paths."""
        words = list(self.services[name]["command"])
        for source, target in mounts(self.services[name]):
            here = folder / target.lstrip("/")
            here.parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
            copy(ROOT / source, here)
        return [word.replace("=/", f"={folder}/", 1) for word in words]


@contextmanager
def program(folder: Path, *command: str) -> Iterator[None]:
    """A program that is none of ours."""
    with (folder / f"{Path(command[0]).name}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(PATIENCE)


async def until(look: Callable[[], Any]) -> Any:
    """What is there, once it is."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                if found := look():
                    return found
            except (httpx2.TransportError, ValueError, LookupError):
                pass  # it does not answer yet, or not with what is asked for
            await asyncio.sleep(0.1)


async def test_the_installation_runs(shell: Shell, engine, postgres, tmp_path):
    """In the order of the compose file; cases close, and are seen by Prometheus and by the collector."""
    with ExitStack() as stack:
        there = stack.enter_context(sink())
        native = Native(tmp_path, postgres, engine.address.host, there)
        services = native.services

        def run(name: str, *command: str) -> subprocess.CompletedProcess[str]:
            done = shell.run(*(command or services[name]["command"]), **native.environment(name))
            assert done.returncode == 0, done.stderr
            return done

        run("ledger-migrate")
        started = {name: shell.spawn(*services[name]["command"], **native.environment(name)) for name in STAY}
        for name, process in started.items():
            process.until(UP[name])
        run("deploy")
        for unit in ("refund_request", "customer_onboarding"):
            case = next(data for of, data in SEED_CASES if of == unit)
            run("follow", "start", unit, "--input", str(shell.write(f"{unit}.json", json.dumps(case))))
        await until(lambda: there.named("workunit refund_request"))
        await until(lambda: [s for s in there.spans if s.name.startswith("attempt summarise")])
        await until(lambda: {"worker", "worker-ai", "follow"} <= there.services)

        targets = {
            "metrics": [native.metrics],
            "watchdog": [native.watchdog],
            "workers": [native.worker, native.ai],
            "temporal": [],
            "alertmanager": [native.alertmanager],
        }
        words = native.config("prometheus", tmp_path / "p")
        for file, ports in targets.items():
            said = json.dumps([{"targets": [f"127.0.0.1:{port}" for port in ports]}])
            (tmp_path / "p/etc/prometheus/targets" / f"{file}.json").write_text(said)
        (tmp_path / "p/prometheus").mkdir()
        config = tmp_path / "p/etc/prometheus/prometheus.yml"
        # A scrape may take as long as its interval: all four are up at once only where that is enough.
        config.write_text(config.read_text().replace("scrape_interval: 15s", "scrape_interval: 3s"))
        listen = f"--web.listen-address=127.0.0.1:{native.prometheus}"
        stack.enter_context(program(tmp_path, "prometheus", *words, listen))
        words = native.config("alertmanager", tmp_path / "a")
        listen = f"--web.listen-address=127.0.0.1:{native.alertmanager}"
        stack.enter_context(program(tmp_path, "prometheus-alertmanager", *words, listen))

        def ask(query: str) -> list[dict[str, Any]]:
            answer = httpx2.get(f"http://127.0.0.1:{native.prometheus}/api/v1/query", params={"query": query})
            found: list[dict[str, Any]] = answer.json()["data"]["result"]
            return found

        assert len(await until(lambda: ask("sum(up) == 4") and ask("up"))) == 4
        closed = await until(lambda: ask('workunit_closed_total{unit="refund_request",close="achieved"} > 0'))
        assert float(closed[0]["value"][1]) >= 1  # other files' cases may run on this engine, too
        assert await until(lambda: ask('workunit_runtime_attempts_total{executor="ai",result="done"} > 0'))
        managers = f"http://127.0.0.1:{native.prometheus}/api/v1/alertmanagers"
        assert await until(lambda: httpx2.get(managers).json()["data"]["activeAlertmanagers"])
        assert httpx2.get(f"http://127.0.0.1:{native.alertmanager}/-/ready").status_code == 200
        assert httpx2.get(f"http://127.0.0.1:{native.inbox}/health").text == "ok"
        run("follow", "ledger", "status")
        assert {name: process.stop() for name, process in started.items()} == dict.fromkeys(STAY, 0)
