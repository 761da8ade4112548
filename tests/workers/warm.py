"""The command line in processes that are forked from one that has imported its libraries already.

Each command is a process of its own, with its own folder, environment and files; but importing takes it longer than all
else that most commands do, and the tests run hundreds of them. What is about the start itself, and whatever stays up,
begins as its user begins it: `tests/e2e`, `Shell.spawn`.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path

from tests.patience import PATIENCE

LIBRARIES = (
    "alembic.command",
    "cryptography.fernet",
    "httpx2",
    "numpy",
    "opentelemetry.sdk.trace",
    "prometheus_client",
    "pydantic_settings",
    "rich.console",
    "rich.table",
    "scipy.stats",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "temporalio.client",
    "temporalio.contrib.pydantic",
    "temporalio.worker",
    "typer",
)
"""Other people's alone: of ours, each process imports what it needs, in the order in which it does."""


@dataclass(frozen=True)
class Command:
    """What a process is to become."""

    args: tuple[str, ...]
    folder: Path
    environment: dict[str, str]
    paths: tuple[str, ...]
    out: Path
    err: Path


def can_run(env: dict[str, str]) -> bool:
    """Whether only settings of ours and of Temporal's are set; others Python or a library may read as it starts."""
    return all(name.startswith(("TEMPORAL_", "WORKUNITS_")) for name in env)


def run(args: tuple[str, ...], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    with tempfile.TemporaryDirectory() as there:
        out, err = Path(there, "out"), Path(there, "err")
        process = _server().Process(target=_become, args=(Command(args, folder, environment, _paths(), out, err),))
        process.start()
        process.join(PATIENCE)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(args, PATIENCE, _text(out), _text(err))
        return subprocess.CompletedProcess(args, process.exitcode, _text(out), _text(err))


@cache
def _server() -> ForkServerContext:
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(list(LIBRARIES))
    return server


@cache
def _paths() -> tuple[str, ...]:
    """Where a process that begins as a user's does looks for modules."""
    say = "import sys; print(*sys.path, sep='\\n')"
    said = subprocess.run([sys.executable, "-P", "-c", say], capture_output=True, text=True, check=True)
    return tuple(said.stdout.splitlines())


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _become(command: Command) -> None:
    for number, name in enumerate((Path(os.devnull), command.out, command.err)):
        file = os.open(name, os.O_WRONLY | os.O_CREAT if number else os.O_RDONLY)
        os.dup2(file, number)
        os.close(file)
    os.chdir(command.folder)
    os.environ.clear()
    os.environ.update(command.environment)
    sys.path[:] = command.paths
    sys.argv = ["workunits", *command.args]
    from workers.cli import main

    main()
