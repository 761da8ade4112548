"""What these tests share: the command line as a process, a package of a user's own, and a real engine."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from tests.patience import PATIENCE
from tests.workers import warm
from workers.engine.embedded import Engine, Plan

COMMAND = (sys.executable, "-P", "-m", "workers.cli")

CONTRACTS = """
from pydantic import BaseModel


class Request(BaseModel):
    request: str


class Answer(BaseModel):
    granted: bool
"""
UNIT = '''
from datetime import timedelta

from loans.contracts import Answer, Request
from workunits.core.spec import Learning, Measure, Outcome, ai, automated, elapsed
from workunits.core.unit import WorkUnit


class Loan(WorkUnit, name="loan", version="1", key="request"):
    """A loan is granted."""

    outcome = Outcome(
        Answer,
        "The loan is granted within 24 hours.",
        achieved=lambda result: result.granted,
        within=elapsed(hours=24),
        accountable="head of loans",
    )
    learning = Learning(
        owner="loans owner",
        review=elapsed(days=30),
        measures=(Measure("cycle_time", at="p85", at_most=elapsed(hours=4), baseline="the first 100 cases"),),
    )
    CHECK = automated("check", Request, Answer)
    ADVISE = ai("advise", Request, Answer)

    async def work(self, case: Request) -> Answer:
        """Check, then ask for advice."""
        await self.perform(self.CHECK, case)
        return await self.perform(self.ADVISE, case)
'''
PERFORMERS = """
from loans.contracts import Answer, Request
from loans.unit import Loan
from workunits.performs import performs


@performs(Loan.CHECK)
def check(case: Request) -> Answer:
    return Answer(granted=True)


@performs(Loan.ADVISE)
def advise(case: Request) -> Answer:
    return Answer(granted=True)
"""
PACKAGE = """
from loans.unit import Loan
from workunits.registry import Package

PACKAGE = Package("loans", (Loan,), ("loans.contracts",), ("loans.performers",))
"""


def clean_environment(**more: str) -> dict[str, str]:
    """Ours, without what would configure the runtime or Temporal."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TEMPORAL_", "WORKUNITS_"))}
    return kept | {"HOME": "/nonexistent"} | more


@dataclass
class Shell:
    """A terminal in a folder of its own."""

    folder: Path
    started: list[Process]
    numbers: Iterator[int] = field(default_factory=itertools.count)
    """Of the logs: two threads may start something at once, and `next` gives none of them twice."""

    def run(self, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        environment = clean_environment(**env)
        if warm.can_run(env):
            return warm.run(args, self.folder, environment)
        return subprocess.run(
            [*COMMAND, *args],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def spawn(self, *args: str, **env: str) -> Process:
        """Start a command that stays."""
        log = self.folder / f"process-{next(self.numbers)}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [*COMMAND, *args], cwd=self.folder, env=clean_environment(**env), stdout=file, stderr=file
            )
        started = Process(process, log)
        self.started.append(started)
        return started

    def write(self, name: str, text: str) -> Path:
        """Write a file into the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def write_loans(self, *, unit: str = UNIT, performers: str = PERFORMERS) -> None:
        """Write a package of a user's own, with one unit."""
        parts = {"__init__": "", "contracts": CONTRACTS, "unit": unit, "performers": performers, "package": PACKAGE}
        for name, text in parts.items():
            self.write(f"loans/{name}.py", text)


@dataclass
class Process:
    """A process that stays, and what it says."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def said(self) -> str:
        """All that it has said."""
        return self.log.read_text(encoding="utf-8")

    def until(self, look: str | Callable[[str], bool]) -> str:
        """Wait until it says something."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            over = self.process.poll() is not None  # asked first: its last words count
            if look in self.said if isinstance(look, str) else look(self.said):
                return self.said
            if over:
                break
            time.sleep(0.02)
        raise AssertionError(f"it never said {look!r} (exit {self.process.poll()}):\n{self.said}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal and wait for its end; gives its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A terminal; whatever was started in it is ended."""
    shell = Shell(tmp_path, [])
    yield shell
    for started in shell.started:
        if started.process.poll() is None:
            try:
                started.stop()
            except subprocess.TimeoutExpired:
                started.process.kill()
                started.process.wait()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    """A real engine in memory, on free ports."""
    folder = tmp_path_factory.mktemp("engine")
    async with Engine(Plan(folder, persistent=False, usual_ports=False, ui=False)) as running:
        yield running


@pytest.fixture
def at(engine: Engine) -> dict[str, str]:
    """The variables that lead to the engine."""
    return {"TEMPORAL_ADDRESS": engine.address.host}
