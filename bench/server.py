"""The server process: Temporal's dev server with a port and a data folder of its own, an fsync per commit."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.bell import HOST
from bench.processes import environment, running
from workunits.core.record import SEARCH_ATTRIBUTES
from workunits.testing import temporal_binary

_PRAGMAS = ("journal_mode=WAL", "synchronous=2")


@dataclass(frozen=True)
class Server:
    """A running server."""

    address: str
    pid: int
    trace: Path | None

    def fsyncs(self) -> int | None:
        """How often it has waited for the disk so far; None when nothing counts that."""
        return self.trace.read_text().count("sync(") if self.trace else None


def strace() -> str | None:
    return shutil.which("strace")


@contextmanager
def serving(*, count_fsyncs: bool = False) -> Iterator[Server]:
    """Start a server on fresh state, and leave nothing behind.

    Args:
        count_fsyncs: Under strace, when that is there: it slows the server, so no times are taken then.
    """
    tracer = strace() if count_fsyncs else None
    with tempfile.TemporaryDirectory(prefix="workunits-bench-", ignore_cleanup_errors=True) as folder:
        trace = Path(folder, "fsyncs") if tracer else None
        port = _free_port()
        command = [*_tracing(tracer, trace), *_command(port, Path(folder, "state.db"))]
        with (
            Path(folder, "log").open("wb") as log,
            running(subprocess.Popen(command, env=environment(), stdout=log, stderr=log)) as process,  # noqa: S603
        ):
            address = f"{HOST}:{port}"
            _wait_until_up(address, process)
            pid = psutil.Process(process.pid).children()[0].pid if tracer else process.pid
            try:
                yield Server(address, pid, trace)
            finally:
                if tracer:  # its own end would detach from the server and leave it running
                    psutil.Process(pid).terminate()
                    process.wait(10)


def _tracing(tracer: str | None, trace: Path | None) -> list[str]:
    if not tracer:
        return []
    return [tracer, "-f", "--seccomp-bpf", "-qq", "-e", "trace=fsync,fdatasync", "-e", "signal=none", "-o", str(trace)]


def _command(port: int, database: Path) -> list[str]:
    command = [temporal_binary(), "server", "start-dev", "--headless", "--ip", HOST, "--port", str(port)]
    command += ["--db-filename", str(database), "--log-level", "error"]
    command += ["--dynamic-config-value", 'frontend.httpAllowedHosts=["none.invalid"]']
    for pragma in _PRAGMAS:
        command += ["--sqlite-pragma", pragma]
    for key in SEARCH_ATTRIBUTES:
        command += ["--search-attribute", f"{key.name}={key.indexed_value_type.name.title().replace('_', '')}"]
    return command


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait_until_up(address: str, process: subprocess.Popen[bytes]) -> None:
    """Until its search attributes are there, which it registers last.

    Asked by the command line, not by a client: Temporal's core stays out of the process that only conducts.
    """
    until, last = time.monotonic() + 30, SEARCH_ATTRIBUTES[-1].name
    command = [temporal_binary(), "operator", "search-attribute", "list", "--address", address]
    while last not in subprocess.run(command, capture_output=True, text=True, check=False).stdout:  # noqa: S603
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError("the Temporal server does not come up")
        time.sleep(0.05)
