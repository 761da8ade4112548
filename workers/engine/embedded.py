"""The embedded engine: a real Temporal dev server of our own, on loopback only, with its state in one folder.

For a development machine, the demo and the tests; production is a Temporal cluster.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from google.protobuf.duration_pb2 import Duration
from temporalio.api.namespace.v1 import NamespaceConfig, UpdateNamespaceInfo
from temporalio.api.workflowservice.v1 import UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from workers.engine.address import Address
from workers.engine.attributes import type_name, wanted
from workers.engine.faults import PORT_TAKEN, EngineError, check_state, explain
from workers.engine.lock import Lock
from workers.engine.ports import LOOPBACK, free_ports, is_free
from workers.logs import quiet_core
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
RELEASE = 2.0
"""Seconds to wait for another engine that is ending."""
_POLL = 0.05
_PORT_TRIES = 3
_LOG_LIMIT = 10_000_000
_SKIPPING = ("WorkflowTimeSkipping", "timerProcessorMaxTimeShift")
# Runs the server in its own place, with SIGTERM to come when whoever started it is gone (prctl's PR_SET_PDEATHSIG):
# were we killed, it would stay, and hold its state.
_END_WITH_US = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 15); "
    "os.getppid() == int(sys.argv[1]) and os.execv(sys.argv[2], sys.argv[2:])"
)

MARK = {"workunits.engine": "embedded"}
"""What its namespace says of itself, to whoever connects: on it, definitions need no publication."""
_KEEP = UpdateNamespaceRequest(
    namespace=NAMESPACE,
    update_info=UpdateNamespaceInfo(data=MARK),
    config=NamespaceConfig(workflow_execution_retention_ttl=Duration(seconds=int(KEPT.total_seconds()))),
)


class PortTakenError(EngineError):
    """Another program has taken one of the engine's ports."""


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
    fresh: bool = False
    """Nothing that lies in the folder stays."""

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
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _began: int = 0

    def __post_init__(self) -> None:
        """Name the lock; nothing is touched yet."""
        self._lock = Lock(self.plan.folder)

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
            EngineRunsError: an engine runs on that state.
            EngineError: the state cannot be used, or the server ends at once.
        """
        # Whoever had an engine there may have been killed a moment ago; a fresh start goes elsewhere instead.
        await self._lock.take(0 if self.plan.fresh else RELEASE)
        try:
            if self.plan.fresh and not self.port:
                _clear(self.plan.folder, self._lock.path)
            if self.plan.persistent:
                check_state(self.plan.state)
            if self.port:
                await self._launch()
            else:
                await self._find_ports()
        except BaseException:
            await self.stop()
            raise

    async def _find_ports(self) -> None:
        """Start it on ports that were free a moment ago, on others when they no longer are."""
        for left in reversed(range(_PORT_TRIES)):
            self._choose_ports()
            try:
                await self._launch()
            except PortTakenError:
                if not left:
                    raise
            else:
                return

    async def _launch(self) -> None:
        self._spawn()
        await self._ready()

    async def stop(self) -> None:
        """Ask it to end, then end it; its state stays."""
        process, self._process = self._process, None
        if process is not None:
            await end(process, STOP)
        self._lock.release()

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
                [*_tied_to_us(), *self._command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                pass_fds=[self._lock.file],
                # A group of its own: Ctrl-C in the terminal reaches us first, and we end the workers before it.
                start_new_session=True,
            )
        self._lock.sign(self.port)

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
                raise self._ended()
            try:
                client = await Client.connect(self.address.host, namespace=NAMESPACE)
                await client.workflow_service.update_namespace(_KEEP, retry=False)
            except (RuntimeError, RPCError):
                if loop.time() > until:
                    why = f"does not answer within {START:g} s: {explain(self._said())}. Its log: {self.plan.log}"
                    raise EngineError(f"the embedded engine {why}") from None
                await asyncio.sleep(_POLL)
            else:
                return

    def _ended(self) -> EngineError:
        kind = PortTakenError if PORT_TAKEN in self._said().lower() else EngineError
        return kind(f"the embedded engine ended at once: {explain(self._said())}. Its log: {self.plan.log}")

    def _said(self) -> str:
        """The server's own words, since it was started last."""
        with self.plan.log.open("rb") as log:
            log.seek(self._began)
            return log.read().decode(errors="replace")


async def end(process: subprocess.Popen[Any], patience: float) -> int:
    """End a process that we started: SIGTERM, and SIGKILL after so many seconds. Gives its exit code."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return await asyncio.to_thread(process.wait, patience)
    except subprocess.TimeoutExpired:
        process.kill()
        return await asyncio.to_thread(process.wait)


def _clear(folder: Path, lock: Path) -> None:
    """Remove all that lies in a folder, except the lock."""
    for there in folder.iterdir():
        if there.is_dir() and not there.is_symlink():
            shutil.rmtree(there)
        elif there != lock:
            there.unlink()


def _tied_to_us() -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", _END_WITH_US, str(os.getpid())) if sys.platform == "linux" else ()
