"""What these tests share: whole runs of the command line, and what is left of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from tests.patience import PATIENCE

COMMAND = (sys.executable, "-P", "-m")


@dataclass
class Run:
    """A run of the command line in a folder, with every process that it ever started."""

    process: subprocess.Popen[bytes]
    stdout: Path
    stderr: Path
    children: set[psutil.Process] = field(default_factory=set)

    @property
    def said(self) -> str:
        """What stands on its stderr."""
        return self.stderr.read_text(encoding="utf-8")

    @property
    def gave(self) -> str:
        """What stands on its stdout."""
        return self.stdout.read_text(encoding="utf-8")

    def until(self, look: str | Callable[[str], bool]) -> str:
        """Wait until it says something."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            over = self.process.poll() is not None  # asked first: its last words count
            if not over:
                self.children.update(psutil.Process(self.process.pid).children())
            if look in self.said if isinstance(look, str) else look(self.said):
                return self.said
            if over:
                break
            time.sleep(0.02)
        raise AssertionError(f"it never said {look!r} (exit {self.process.poll()}):\n{self.said}")

    def child(self, words: str) -> psutil.Process:
        """The living child with these words in its command line."""
        self.children.update(psutil.Process(self.process.pid).children())
        return next(child for child in self.children if child.is_running() and words in " ".join(child.cmdline()))

    def end(self, number: signal.Signals | None = None) -> int:
        """Send it a signal, if any, and wait for its end; gives its exit code."""
        if number is not None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def leaves(self) -> list[psutil.Process]:
        """Children that outlive it by more than a moment."""
        return psutil.wait_procs(self.children, timeout=20)[1]


@dataclass
class Place:
    """A folder in which commands are run."""

    folder: Path
    runs: list[Run] = field(default_factory=list)
    module: str = "workers.cli"
    """Whose command line it is."""

    def start(self, *args: str, **env: str) -> Run:
        """Start a command."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TEMPORAL_", "WORKUNITS_"))}
        out, err = (self.folder / f"{len(self.runs)}.{name}" for name in ("out", "err"))
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                [*COMMAND, self.module, *args],
                cwd=self.folder,
                env=kept | {"HOME": "/nonexistent"} | env,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
        self.runs.append(Run(process, out, err))
        return self.runs[-1]

    def close(self) -> None:
        """End what a failed test has left."""
        for run in self.runs:
            if run.process.poll() is None:
                run.children.update(psutil.Process(run.process.pid).children())
                run.process.kill()
                run.process.wait()
            for child in run.leaves():
                child.kill()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A folder for the tests of one file."""
    place = Place(tmp_path_factory.mktemp("place"))
    yield place
    place.close()
