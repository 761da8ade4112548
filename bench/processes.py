"""Child processes of a measurement: their environment, their start and their end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def environment() -> dict[str, str]:
    """Ours, without what would make Python recompile a unit's file for every case, or reach another server."""
    drop = ("PYTHONDONTWRITEBYTECODE", "TEMPORAL_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(drop)}
    return {**kept, "PYTHONPATH": str(ROOT)}


def start(module: str, *args: object, pass_fds: tuple[int, ...] = ()) -> subprocess.Popen[bytes]:
    """Run a module of the benchmark in a process of its own."""
    command = [sys.executable, "-m", module, *map(str, args)]
    return subprocess.Popen(command, cwd=ROOT, env=environment(), pass_fds=pass_fds)  # noqa: S603 - our own modules


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process, gently at first."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def running(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        yield process
    finally:
        stop(process)
