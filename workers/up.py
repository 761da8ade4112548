"""`workunits up`: everything on the embedded engine, until Ctrl-C.

The engine and the worker are processes of their own. One that dies is reported and started again, after a pause
that doubles. On Ctrl-C the worker ends first, so that its cases need not wait for it the next time.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from temporalio.client import Client

from workers.build import EMBEDDED
from workers.connect import connect
from workers.console import note
from workers.deployment import make_current, pollers
from workers.embedded import NAMESPACE, Engine, Plan, end
from workers.engine_faults import EngineError
from workers.logs import log
from workers.profile import point_to
from workers.settings import Settings
from workunits.client import Cases, DuplicateCaseError
from workunits.core.errors import WorkUnitsError
from workunits.registry import Catalog

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_STEADY = 60.0
"""Seconds after which a process counts as well again, and its pause starts small."""
_LOOK = 0.2
_MARGIN = 5.0
"""Seconds beyond the worker's own grace until it is killed."""


class WorkerRefusedError(WorkUnitsError):
    """The worker refuses to start; it has said why."""


@dataclass
class Child:
    """A process that is kept running."""

    name: str
    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    pause: float = _FIRST_PAUSE
    started: float = 0.0

    def start(self) -> None:
        """Start it, in a group of its own: Ctrl-C in the terminal reaches us, and we end it."""
        self.started = asyncio.get_running_loop().time()
        # It ends when its stdin does: were we killed, it would not outlive us.
        self.process = subprocess.Popen(  # noqa: S603, our own program
            self.command, stdin=subprocess.PIPE, env=dict(self.environment), start_new_session=True
        )

    def next_pause(self) -> float:
        """How long to wait before it is started again."""
        if asyncio.get_running_loop().time() - self.started > _STEADY:
            self.pause = _FIRST_PAUSE
        pause, self.pause = self.pause, min(self.pause * 2, _LONGEST_PAUSE)
        return pause


async def up(settings: Settings, catalog: Catalog, *, arguments: list[str], seed: bool, ui: bool) -> None:
    """Run everything until SIGINT or SIGTERM.

    Args:
        settings: Where the state is.
        catalog: What the worker serves.
        arguments: The options of this command line that the worker needs, too.
        seed: Start the demo cases, once.
        ui: Serve Temporal's page.

    Raises:
        EngineError: the engine does not start.
        WorkerRefusedError: the worker does not start.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    engine = Engine(Plan(settings.state, ui=ui))
    # -P: a folder `workers` in the current one must not take the place of ours.
    command = [sys.executable, "-P", "-m", "workers.cli", *arguments, "worker", "--build-id", EMBEDDED]
    worker = Child("worker", [*command, "--until-stdin-closes"])
    try:
        await engine.start()
        worker.environment = _environment(engine)
        worker.start()
        cases = await _ready(settings, catalog, engine, worker, stop)
        if cases is not None and not stop.is_set():
            if seed:
                await _seed(cases)
            _welcome(engine, settings.state)
            await _supervise(engine, worker, stop)
    finally:
        if worker.process:
            note("Stopping: the worker first, then the engine.")
            await end(worker.process, settings.grace_seconds + _MARGIN)
        await engine.stop()
    note(f"Stopped. The cases are kept in {settings.state}; the next `workunits up` goes on with them.")


def _environment(engine: Engine) -> dict[str, str]:
    """Ours, but for Temporal's own variables: the worker is to find this engine and no other."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")}
    return kept | {"TEMPORAL_ADDRESS": engine.address.host, "TEMPORAL_NAMESPACE": NAMESPACE}


async def _ready(
    settings: Settings, catalog: Catalog, engine: Engine, worker: Child, stop: asyncio.Event
) -> Cases | None:
    """Wait until the worker polls, and send new cases to it; None when we are asked to stop before."""
    client = await connect(settings, catalog, address=engine.address)
    deploying = asyncio.create_task(_deploy(client, settings))
    try:
        while not deploying.done() and not stop.is_set():
            if worker.process and worker.process.poll() is not None:
                raise WorkerRefusedError("the worker refuses to start; what it said stands above")
            await asyncio.wait([deploying], timeout=_LOOK)
    finally:
        if not deploying.done():
            deploying.cancel()
    if stop.is_set():
        return None
    deploying.result()
    return Cases(client, catalog, queue=settings.queue)


async def _deploy(client: Client, settings: Settings) -> None:
    """Wait for this worker: its build may be current since an earlier run, when another one polled."""
    while True:
        if await pollers(client, settings.queue, EMBEDDED, cases=True):
            break
        await asyncio.sleep(_LOOK / 2)
    await make_current(client, settings.deployment, EMBEDDED)


async def _seed(cases: Cases) -> None:
    from pydantic_core import to_json

    from workers.demo_cases import SEED_CASES

    started = 0
    for unit, data in SEED_CASES:
        if unit not in cases.catalog:
            continue
        try:
            started += not (await cases.start(unit, to_json(data))).existing
        except DuplicateCaseError:
            continue  # of an earlier edition of the demo
    note(f"{started} demo case(s) started, {len(SEED_CASES) - started} were there.")


def _welcome(engine: Engine, state: Path) -> None:
    export = point_to(engine.address, state)
    lines = ["", f"Up. Engine: {engine.address.host}" + (f"   Temporal's page: {engine.ui}" if engine.ui else "")]
    if export:
        lines += ["Another engine is what a second terminal would find; to reach this one, type there first:", ""]
        lines += [f"    {export}", ""]
    lines += [
        "In a second terminal:",
        "    workunits list                 the cases",
        "    workunits tasks ls             what waits for a person",
        "    workunits doctor               whether all is well",
        "Ctrl-C stops everything; the cases stay.",
        "",
    ]
    note("\n".join(lines))


async def _supervise(engine: Engine, worker: Child, stop: asyncio.Event) -> None:
    """Start again what dies, until we are asked to stop."""
    engine_child = Child("engine", [], started=asyncio.get_running_loop().time())
    while not stop.is_set():
        if not engine.alive:
            await _pause(engine_child, f"see {engine.plan.log}", stop)
            try:
                if not stop.is_set():
                    engine_child.started = asyncio.get_running_loop().time()
                    await engine.start()
                    log.info("engine runs again")
            except EngineError as error:
                log.error("%s", error)
        elif worker.process and worker.process.poll() is not None:
            await _pause(worker, f"exit code {worker.process.returncode}", stop)
            if not stop.is_set():
                worker.start()
        try:
            await asyncio.wait_for(stop.wait(), _LOOK)
        except TimeoutError:
            continue


async def _pause(child: Child, how: str, stop: asyncio.Event) -> None:
    pause = child.next_pause()
    log.error("%s died (%s); it is started again in %g s", child.name, how, pause)
    try:
        await asyncio.wait_for(stop.wait(), pause)
    except TimeoutError:
        return
