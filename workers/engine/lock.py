"""The lock on an engine's folder: two servers on one state file would destroy it.

The kernel holds it for whoever has the file open: it goes with its last holder, so a stale one cannot exist.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from pathlib import Path

from workers.engine.faults import EngineError
from workers.engine.ports import LOOPBACK
from workers.settings import make_private

_POLL = 0.05


class EngineRunsError(EngineError):
    """Another engine runs on that folder."""


class Lock:
    """Held by an engine's server, and by whoever started it."""

    def __init__(self, folder: Path) -> None:
        """Lock this folder; it is made when it is taken."""
        self._folder = folder
        self._file = -1

    @property
    def path(self) -> Path:
        """The file that is locked."""
        return self._folder / "engine.lock"

    @property
    def file(self) -> int:
        """The open file, for a server to inherit."""
        return self._file

    async def take(self, patience: float) -> None:
        """Take it, once.

        Args:
            patience: Seconds to wait for a server that is ending.

        Raises:
            EngineRunsError: someone else holds it; says who, and what to do.
            EngineError: the folder cannot be written.
        """
        if self._file >= 0:
            return
        file = self._open()
        until = asyncio.get_running_loop().time() + patience
        try:
            while not _locked(file):
                if asyncio.get_running_loop().time() >= until:
                    raise EngineRunsError(f"an engine is running on {self._folder} already{_holder(file)}")
                await asyncio.sleep(_POLL)
        except BaseException:
            os.close(file)
            raise
        self._file = file

    def _open(self) -> int:
        try:
            make_private(self._folder)  # it holds what cases say
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            why = f"{self._folder} cannot hold an engine's state: {error.strerror}"
            raise EngineError(f"{why}; name another folder with WORKUNITS_STATE") from None

    def sign(self, port: int) -> None:
        """Note who holds it, for those who come after: this process, for a server that it ends."""
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, json.dumps({"pid": os.getpid(), "port": port}).encode(), 0)

    def release(self) -> None:
        """Let go of it; a server that lives on still holds it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(file: int) -> str:
    try:
        there = json.loads(os.pread(file, 1000, 0))
        pid, port = int(there["pid"]), int(there["port"])
    except (ValueError, KeyError, TypeError):
        return ": stop it"
    return f" (pid {pid}, {LOOPBACK}:{port}): use it, or stop it with Ctrl-C in its terminal or kill {pid}"
