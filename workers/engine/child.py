"""A process of ours that another one keeps: `up`, or the demo. It ends when its keeper does, however that ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from temporalio.client import Client

from workers.build import EMBEDDED
from workers.deployment import make_current, pollers
from workers.engine.address import Address
from workers.engine.embedded import end
from workers.settings import Settings
from workunits.core.errors import WorkUnitsError

T = TypeVar("T")
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOK = 0.1
_MARGIN = 5.0
"""Seconds beyond the worker's own grace until it is killed."""
_LAST_WORDS = 300
_DYING = 2.0
"""Seconds in which a process that goes down drops its connections before it is gone."""


WORKER = ("worker", "--build-id", EMBEDDED)


class WorkerRefusedError(WorkUnitsError):
    """The worker refuses to start, or ended; says why."""


@dataclass
class Child:
    """One of our commands as a process of its own; by default a worker, on the embedded build."""

    command: Sequence[str] = WORKER
    """The command, which takes `--until-stdin-closes`."""
    arguments: Sequence[str] = ()
    """Options of the command line that stand before the command."""
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    """Where it runs; here when omitted."""
    log: Path | None = None
    """Where its words go; to our own stderr when omitted."""
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it, in a group of its own: Ctrl-C in the terminal reaches us, and we end it."""
        # -P: a folder `workers` in the current one must not take the place of ours.
        command = [sys.executable, "-P", "-m", "workers.cli", *self.arguments, *self.command]
        with ExitStack() as stack:
            log = stack.enter_context(self.log.open("ab")) if self.log else None
            self.process = subprocess.Popen(  # noqa: S603, our own program
                # It ends when its stdin does: were we killed, it would not outlive us.
                [*command, "--until-stdin-closes"],
                stdin=subprocess.PIPE,
                stdout=log or sys.stderr.fileno(),  # on our stdout stands our document alone
                stderr=log,
                cwd=self.folder,
                env=dict(self.environment),
                start_new_session=True,
            )

    @property
    def name(self) -> str:
        """What it is, in a word."""
        return self.command[0]

    @property
    def ended(self) -> int | None:
        """Its exit code, once it has ended."""
        return self.process.poll() if self.process else None

    async def stop(self, grace: float) -> None:
        """Ask it to end, and end it when it does not within its grace."""
        if self.process:
            await end(self.process, grace + _MARGIN)

    async def serves(self, client: Client, settings: Settings) -> None:
        """Wait until it polls, and send new cases to it.

        Raises:
            WorkerRefusedError: it ended instead.
        """
        await unless(_deploy(client, settings), self.refusal)

    def refusal(self) -> WorkerRefusedError | None:
        """Why it has ended, when it has."""
        if self.ended is None:
            return None
        if self.log is None:
            return WorkerRefusedError("the worker refuses to start; what it said stands above")
        return WorkerRefusedError(f"the worker ended: {self._reason(self.log)}. Its log: {self.log}")

    def _reason(self, log: Path) -> str:
        if self.ended and self.ended < 0:
            return f"killed by {signal.Signals(-self.ended).name}"
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1].removeprefix("workunits: ")[-_LAST_WORDS:] if lines else f"exit code {self.ended}"


def environment_for(engine: Address) -> dict[str, str]:
    """Ours, but for what would lead a worker to another engine, or slow it down."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")}
    # With it, usual in containers, a unit's file would be compiled again for every case.
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept | {"TEMPORAL_ADDRESS": engine.host, "TEMPORAL_NAMESPACE": engine.namespace}


async def unless(work: Coroutine[Any, Any, T], broken: Callable[[], Exception | None]) -> T:
    """Do something that needs our processes; raises what `broken` finds when one has ended meanwhile."""
    task = asyncio.create_task(work)
    try:
        while not task.done():
            if error := broken():
                raise error
            await asyncio.wait([task], timeout=LOOK)
        return task.result()
    except Exception:
        until = time.monotonic() + _DYING
        while time.monotonic() < until:
            if error := broken():
                raise error from None
            await asyncio.sleep(LOOK)
        raise
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until_stopped(work: Coroutine[Any, Any, T]) -> T | None:
    """Do something; SIGINT, SIGTERM and SIGHUP cancel it, once, so that it can clean up. None when they did."""
    task = asyncio.create_task(work)
    asked: list[int] = []

    def stop(number: int) -> None:
        if not asked:
            task.cancel()
        asked.append(number)

    for number in STOPS:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores it
            asyncio.get_running_loop().add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        if not asked:
            raise
        return None


async def _deploy(client: Client, settings: Settings) -> None:
    """Wait for this worker: its build may be current since an earlier run, when another one polled."""
    while not await pollers(client, settings.queue, EMBEDDED, cases=True):  # noqa: ASYNC110, the engine tells nobody
        await asyncio.sleep(LOOK / 2)
    await make_current(client, settings.deployment, EMBEDDED)
