"""The embedded engine: a real Temporal dev server of our own, on loopback only, with its state in one folder.

For a development machine, the demo and the tests; production is a Temporal cluster.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from google.protobuf.duration_pb2 import Duration
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.workflowservice.v1 import UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from workers.address import Address
from workers.attributes import type_name, wanted
from workers.engine_faults import EngineError, check_state, explain
from workers.logs import quiet_core
from workers.ports import LOOPBACK, free_ports, is_free
from workers.settings import make_private
from workunits.testing import ENGINE_FLAGS, temporal_binary

NAMESPACE = "default"
PORT, UI_PORT = 7233, 8233
"""Where Temporal's own tools look first."""
START = 30.0
"""Seconds until an engine that does not answer counts as broken."""
STOP = 10.0
"""Seconds to end by itself; even a kill loses nothing that it acknowledged."""
KEPT = timedelta(days=90)
"""How long it keeps closed cases; a dev server's own default is one day."""
_POLL = 0.05
_LOG_LIMIT = 10_000_000
_SKIPPING = ("WorkflowTimeSkipping", "timerProcessorMaxTimeShift")


_KEEP = UpdateNamespaceRequest(
    namespace=NAMESPACE,
    config=NamespaceConfig(workflow_execution_retention_ttl=Duration(seconds=int(KEPT.total_seconds()))),
)


@dataclass(frozen=True)
class Plan:
    """What engine to start."""

    folder: Path
    """Its log, its lock and, when persistent, its state."""
    persistent: bool = True
    usual_ports: bool = True
    """Temporal's usual port when that is free; otherwise, and without this, free ones."""
    ui: bool = True
    skip_time: bool = False
    """Each case has a clock that can be moved: for the demo and for tests, never for work."""

    @property
    def state(self) -> Path:
        """The SQLite file."""
        return self.folder / "engine.db"

    @property
    def log(self) -> Path:
        """What the server writes."""
        return self.folder / "engine.log"


@dataclass
class Engine:
    """One engine, as an async context manager."""

    plan: Plan
    port: int = 0
    ui_port: int = 0
    _others: tuple[int, ...] = ()
    _lock: int = -1
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _began: int = 0

    async def __aenter__(self) -> Self:
        """Start it."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop it; its state stays."""
        await self.stop()

    @property
    def address(self) -> Address:
        """Where it is."""
        return Address(f"{LOOPBACK}:{self.port}", NAMESPACE, {}, "the embedded engine", encrypted=False)

    @property
    def ui(self) -> str | None:
        """Where its page is."""
        return f"http://{LOOPBACK}:{self.ui_port}" if self.plan.ui else None

    @property
    def pid(self) -> int:
        """Its process; 0 while it does not run."""
        return self._process.pid if self._process else 0

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """Start it and wait until it answers; on the same ports as before when it is started again.

        Raises:
            EngineError: an engine runs on that state, the state cannot be used, or the server ends at once.
        """
        self._take_lock()
        try:
            if self.plan.persistent:
                check_state(self.plan.state)
            if not self.port:
                self._choose_ports()
            self._spawn()
            await self._ready()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Ask it to end, then end it; its state stays."""
        process, self._process = self._process, None
        if process is not None:
            await end(process, STOP)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _take_lock(self) -> None:
        """Hold a lock that the server inherits: two servers on one file would destroy it."""
        if self._lock >= 0:
            return
        make_private(self.plan.folder)  # it holds what cases say
        file = self.plan.folder / "engine.lock"
        lock = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            there = _noted(os.read(lock, 1000))
            os.close(lock)
            where = f" (pid {there['pid']}, {LOOPBACK}:{there['port']})" if there else ""
            remedy = f"use it, or stop it with Ctrl-C in its terminal or kill {there['pid']}" if there else "stop it"
            raise EngineError(f"an engine is running on {self.plan.folder} already{where}: {remedy}") from None
        self._lock = lock

    def _choose_ports(self) -> None:
        port, ui_port, *others = free_ports(4)
        if self.plan.usual_ports:
            port = PORT if is_free(PORT) else port
            ui_port = UI_PORT if is_free(UI_PORT) else ui_port
        self.port, self.ui_port, self._others = port, ui_port, tuple(others)

    def _spawn(self) -> None:
        plan = self.plan
        if plan.log.exists() and plan.log.stat().st_size > _LOG_LIMIT:
            plan.log.replace(plan.log.with_suffix(".log.1"))
        # Its own configuration is for clients; a stray profile must not reach the server's command.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")}
        with plan.log.open("ab") as log:
            self._began = log.tell()
            self._process = subprocess.Popen(  # noqa: S603, the program that our own dependency ships
                list(self._command()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                pass_fds=[self._lock],
                # A group of its own: Ctrl-C in the terminal reaches us first, and we end the workers before it.
                start_new_session=True,
            )
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, json.dumps({"pid": self.pid, "port": self.port}).encode(), 0)

    def _command(self) -> Iterator[str]:
        plan, (http, metrics) = self.plan, self._others
        yield from (temporal_binary(), "server", "start-dev", "--disable-config-file", "--log-level", "warn")
        yield from ("--ip", LOOPBACK, "--port", str(self.port), "--http-port", str(http))
        yield from ("--metrics-port", str(metrics))
        yield from ("--ui-ip", LOOPBACK, "--ui-port", str(self.ui_port), "--ui-disable-news-fetch")
        if not plan.ui:
            yield "--headless"
        if plan.persistent:
            yield from ("--db-filename", str(plan.state.absolute()))
        for name, kind in wanted().items():
            yield from ("--search-attribute", f"{name}={type_name(kind)}")
        for flag in ENGINE_FLAGS:
            if plan.skip_time or not any(word in flag for word in _SKIPPING):
                yield from ("--dynamic-config-value", flag)

    async def _ready(self) -> None:
        """Wait until the namespace answers."""
        quiet_core()
        loop = asyncio.get_running_loop()
        until = loop.time() + START
        while True:
            if not self.alive:
                raise EngineError(f"the embedded engine ended at once: {self._reason()}. Its log: {self.plan.log}")
            try:
                client = await Client.connect(self.address.host, namespace=NAMESPACE)
                await client.workflow_service.update_namespace(_KEEP, retry=False)
            except (RuntimeError, RPCError):
                if loop.time() > until:
                    why = f"does not answer within {START:g} s: {self._reason()}. Its log: {self.plan.log}"
                    raise EngineError(f"the embedded engine {why}") from None
                await asyncio.sleep(_POLL)
            else:
                return

    def _reason(self) -> str:
        """What the server's own words mean."""
        with self.plan.log.open("rb") as log:
            log.seek(self._began)
            return explain(log.read().decode(errors="replace"))


async def end(process: subprocess.Popen[Any], patience: float) -> int:
    """End a process that we started: SIGTERM, and SIGKILL after so many seconds. Gives its exit code."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return await asyncio.to_thread(process.wait, patience)
    except subprocess.TimeoutExpired:
        process.kill()
        return await asyncio.to_thread(process.wait)


def _noted(text: bytes) -> dict[str, int] | None:
    try:
        there = json.loads(text)
        return {"pid": int(there["pid"]), "port": int(there["port"])}
    except (ValueError, KeyError, TypeError):
        return None
