"""Everything that runs in a soak, each part of which may be killed or frozen, and is brought back."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psutil

from observability.ledger.store import Ledger
from tests.observability.postgres import Postgres
from tests.soak.world import World
from tests.workers.conftest import COMMAND, clean_environment
from workers.engine.embedded import Engine, Plan

ROOT = Path(__file__).parents[2]
QUEUE = "soak"
WORKERS = 2
_LOOK = 0.2
_PAUSE = 0.5
"""Seconds until a process that did not get as far as its work is started again, as a service manager does."""


class Part(Protocol):
    """What can be killed, brought back, and stopped in its tracks."""

    name: str

    async def kill(self) -> None:
        """End it as a machine does that loses its power."""
        ...

    async def revive(self) -> None:
        """Start it on what it left behind."""
        ...

    def pids(self) -> list[int]:
        """The processes that it consists of."""
        ...


@dataclass
class Program:
    """A worker or a follower: one of our own processes."""

    name: str
    command: str
    up: str
    """What it says when it has begun to work."""
    folder: Path
    environment: Mapping[str, str]
    wanted: bool = False
    deaths: list[str] = field(default_factory=list)
    """How it ended by itself when it was at work; it never should."""
    _process: subprocess.Popen[bytes] | None = None
    _began: int = 0

    @property
    def log(self) -> Path:
        """What it says."""
        return self.folder / f"{self.name}.log"

    async def kill(self) -> None:
        """See `Part`."""
        self.wanted = False
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)

    async def revive(self) -> None:
        """See `Part`; `keep` starts it again when it cannot begin yet."""
        self.wanted = True
        with self.log.open("ab") as log:
            self._began = log.tell()
            arguments = [*COMMAND, *self.command.split()]
            self._process = subprocess.Popen(arguments, env=self.environment, cwd=self.folder, stdout=log, stderr=log)  # noqa: ASYNC220, returns at once

    def pids(self) -> list[int]:
        """See `Part`."""
        return [self._process.pid] if self._process and self._process.poll() is None else []

    async def keep(self) -> None:
        """Start it again when it ended by itself, as long as it is wanted."""
        if self.wanted and self._process is not None and self._process.poll() is not None:
            said = self._said()
            if self.up in said:
                self.deaths.append(f"{self.name} ended with {self._process.poll()}: {said[-300:]}")
            await asyncio.sleep(_PAUSE)
            # Else the storm has come by meanwhile: it is to stay away, or is there again already.
            if not self.pids() and self.wanted:
                await self.revive()

    def is_up(self) -> bool:
        """Whether it has begun to work."""
        return bool(self.pids()) and self.up in self._said()

    def _said(self) -> str:
        with self.log.open("rb") as log:
            log.seek(self._began)
            return log.read().decode(errors="replace")


@dataclass
class EnginePart:
    """The engine, whose state is in a file."""

    engine: Engine
    name: str = "engine"

    async def kill(self) -> None:
        """See `Part`."""
        os.kill(self.engine.pid, signal.SIGKILL)
        while self.engine.alive:  # noqa: ASYNC110, a process tells nobody
            await asyncio.sleep(0.01)

    async def revive(self) -> None:
        """See `Part`."""
        await self.engine.start()

    def pids(self) -> list[int]:
        """See `Part`."""
        return [self.engine.pid]


@dataclass
class PostgresPart:
    """The ledger's database."""

    server: Postgres
    name: str = "postgres"

    async def kill(self) -> None:
        """See `Part`."""
        await asyncio.to_thread(self.server.stop, hard=True)

    async def revive(self) -> None:
        """See `Part`."""
        await asyncio.to_thread(self.server.start)

    def pids(self) -> list[int]:
        """See `Part`: the server has a process for each connection.

        The one that started it comes last: it stops itself while the server stands still, and must be woken after it.
        """
        there = psutil.Process(self.server.process.pid) if self.server.process else None
        return [*(child.pid for child in there.children(recursive=True)), there.pid] if there else []


@dataclass
class Site:
    """All parts, and how to reach them."""

    engine: Engine
    ledger: Ledger
    folder: Path
    parts: dict[str, Part]

    @property
    def programs(self) -> list[Program]:
        """Our own processes."""
        return [part for part in self.parts.values() if isinstance(part, Program)]

    async def keep(self) -> None:
        """Be the service manager, until cancelled."""
        while True:
            await asyncio.gather(*(program.keep() for program in self.programs))
            await asyncio.sleep(_LOOK)

    async def all_up(self, patience: float = 180) -> None:
        """Wait until all our processes work."""
        until = time.monotonic() + patience
        while not all(program.is_up() for program in self.programs):
            if time.monotonic() > until:
                down = [program.name for program in self.programs if not program.is_up()]
                raise TimeoutError(f"{', '.join(down)} did not begin to work; their logs are in {self.folder}")
            await asyncio.sleep(_LOOK)


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to processes, of which some may be gone."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Site]:
    """Start a whole site in a folder; at its end, nothing runs any more."""
    server = Postgres.make()
    site: Site | None = None
    try:
        await asyncio.to_thread(server.start)
        url = server.create("ledger")
        ledger = Ledger(url)
        ledger.migrate()
        World(folder)  # two workers that make one SQLite file at once do not wait for each other
        async with Engine(Plan(folder / "engine", usual_ports=False, ui=False)) as engine:
            site = _site(folder, engine, server, ledger)
            try:
                for program in site.programs:
                    await program.revive()
                await site.all_up()
                yield site
            finally:
                for part in site.parts.values():
                    send(part.pids(), signal.SIGCONT)
                for program in site.programs:
                    await program.kill()
        ledger.close()
    finally:
        server.remove()


def _site(folder: Path, engine: Engine, server: Postgres, ledger: Ledger) -> Site:
    environment = clean_environment(
        PYTHONPATH=str(ROOT),
        TEMPORAL_ADDRESS=engine.address.host,
        WORKUNITS_DATA=str(folder),
        WORKUNITS_STATE=str(folder),
        WORKUNITS_LEDGER=server.url("ledger"),
        WORKUNITS_MODULES="tests.soak.package",
        WORKUNITS_QUEUE=QUEUE,
    )
    programs = [
        Program(f"worker-{number}", "worker --unversioned", "polling", folder, environment)
        for number in range(1, WORKERS + 1)
    ]
    programs.append(Program("follower", "follow", "following", folder, environment))
    parts: list[Part] = [*programs, EnginePart(engine), PostgresPart(server)]
    return Site(engine, ledger, folder, {part.name: part for part in parts})
