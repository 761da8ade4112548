"""`workunits up`: everything on the embedded engine, until Ctrl-C.

The engine, the worker, the follower, the inbox and the notifier are processes of their own. One that dies is reported
and started again, after a pause that doubles. On Ctrl-C the engine ends last, so that the worker's cases need not wait
the next time.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from observability.ledger.memory import LedgerMemory
from observability.ledger.store import Ledger
from workers.catalog import OWN
from workers.console import OnUp, note
from workers.engine.child import LOOK, Child, environment_for, until_stopped
from workers.engine.connect import connect
from workers.engine.embedded import Engine, Plan
from workers.engine.faults import EngineError
from workers.engine.ports import LOOPBACK, free_ports, is_free, is_served
from workers.engine.profile import point_to
from workers.logs import log
from workers.settings import Settings
from workunits.client import Cases, DuplicateCaseError
from workunits.core.spec import OPEN_STATES
from workunits.registry import Catalog

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_STEADY = 60.0
"""Seconds after which a process counts as well again, and its pause starts small."""
INBOX_PORT = 8080
_PEOPLE = Path(__file__).parent.parent / "templates" / "directory.toml"
"""Invented people for the demo's units, while no directory of one's own is set."""
_SETTLE = 10.0
"""Seconds in which new cases are to reach a person."""
_LISTENS = 20.0
"""Seconds in which the inbox is to listen."""


@dataclass
class Pause:
    """How long to wait before something that died is started again."""

    length: float = _FIRST_PAUSE
    since: float = field(default_factory=time.monotonic)

    async def wait(self, what: str, how: str) -> None:
        """Say that it died and wait, twice as long as the last time unless it was well in between."""
        if time.monotonic() - self.since > _STEADY:
            self.length = _FIRST_PAUSE
        log.error("%s died (%s); it is started again in %g s", what, how, self.length)
        await asyncio.sleep(self.length)
        self.length = min(self.length * 2, _LONGEST_PAUSE)
        self.since = time.monotonic()


async def up(
    settings: Settings,
    catalog: Catalog,
    *,
    arguments: list[str],
    seed: bool,
    ui: bool,
    on_up: OnUp | None = None,
) -> None:
    """Run everything until SIGINT, SIGTERM or SIGHUP.

    Args:
        settings: Where the state is.
        catalog: What the worker serves.
        arguments: The options of this command line that the worker needs, too.
        seed: Start the demo cases, once.
        ui: Serve Temporal's page.
        on_up: Told where everything is, once it is up.

    Raises:
        EngineError: the engine does not start.
        WorkerRefusedError: the worker does not start.
        LedgerUnavailableError, SchemaError: the ledger cannot be used.
    """
    await until_stopped(_stay_up(settings, catalog, arguments=arguments, seed=seed, ui=ui, on_up=on_up))
    note(f"Stopped. The cases are kept in {settings.state}; the next `up` goes on with them.")


async def _stay_up(
    settings: Settings, catalog: Catalog, *, arguments: list[str], seed: bool, ui: bool, on_up: OnUp | None
) -> None:
    async with Engine(Plan(settings.state, ui=ui)) as engine:
        ledger = Ledger(settings.ledger_url)
        await asyncio.to_thread(ledger.migrate)
        environment = environment_for(engine.address)
        worker = Child(arguments=arguments, environment=environment)
        others = [Child(("follow",), arguments, environment)]
        inbox_port, people = None, {}
        if settings.directory or [package.name for package in catalog.packages] == [OWN.name]:
            inbox_port = INBOX_PORT if is_free(INBOX_PORT) else free_ports(1)[0]
            inbox = ("inbox", "--port", str(inbox_port))
            people = _people(settings, inbox_port)
            notify = ("notify", "--outbox", str(_messages(settings)))
            others += [Child(one, arguments, environment | people) for one in (inbox, notify)]
        others.append(Child(("watchdog", "--port", _port(settings.watchdog_port)), arguments, environment | people))
        metrics = _port(settings.metrics_port)
        others.append(Child(("metrics", "serve", "--port", metrics), arguments, environment))
        try:
            worker.start()
            client = await connect(settings, catalog, address=engine.address)
            await worker.serves(client, settings)
            for child in others:
                child.start()
            if seed:
                await _seed(
                    Cases(
                        client,
                        catalog,
                        queue=settings.queue,
                        deployment=settings.deployment,
                        memory=LedgerMemory(ledger),
                    )
                )
            if inbox_port is not None:
                await _opened(others[1], inbox_port)
            where = _where(engine, settings, inbox_port) | {"metrics": f"http://{LOOPBACK}:{metrics}/metrics"}
            _welcome(where, settings)
            if on_up:
                on_up(where)
            await _supervise(engine, [worker, *others])
        finally:
            log.info("stopping, the engine last")
            await asyncio.gather(*(child.stop(settings.grace_seconds) for child in (worker, *others)))


def _people(settings: Settings, inbox_port: int) -> dict[str, str]:
    """Where the inbox is, and who may use it: anyone of the directory, unless there is a real way to log in."""
    found = {} if settings.inbox_url else {"WORKUNITS_INBOX_URL": f"http://{LOOPBACK}:{inbox_port}"}
    if settings.oidc_issuer:
        return found
    directory = str((settings.directory or _PEOPLE).absolute())
    return found | {"WORKUNITS_DEV_LOGIN": "true", "WORKUNITS_DIRECTORY": directory}


def _port(usual: int) -> str:
    """The usual port when it is free, else another one."""
    return str(usual if is_free(usual) else free_ports(1)[0])


def _messages(settings: Settings) -> Path:
    """The folder in which notices are left while no way to send them is set."""
    return settings.data / "notices"


async def _opened(inbox: Child, port: int) -> None:
    """Wait until the inbox listens: whoever reads its address goes there at once."""
    until = time.monotonic() + _LISTENS
    while not is_served(port) and inbox.ended is None and time.monotonic() < until:  # noqa: ASYNC110, it tells nobody
        await asyncio.sleep(LOOK)


async def _seed(cases: Cases) -> None:
    """Start the demo cases that are not there, and let the machines have their turn with them."""
    from pydantic_core import to_json

    from workers.demo_cases import SEED_CASES

    seeds = [(unit, to_json(data)) for unit, data in SEED_CASES if unit in cases.catalog]
    started = await asyncio.gather(*(_start(cases, unit, data) for unit, data in seeds))
    new = [case for case in started if case]
    if not new:
        note("The demo cases were there.")
        return
    note("The demo cases start. One meets a damaged order, to show how a failing step looks.")
    note(_told(await _settle(cases, new)))


def _told(states: Sequence[str]) -> str:
    """How the demo cases stand; on a slow machine some are not yet where they will wait."""
    running = states.count("running")
    closed = sum(state not in OPEN_STATES for state in states)
    said = f"{len(states)} demo cases started: {len(states) - running - closed} wait for people, {closed} have closed"
    return said + (f", machines are at {running}." if running else ".")


async def _start(cases: Cases, unit: str, data: bytes) -> str | None:
    """Start a case; None when it is there."""
    try:
        started = await cases.start(unit, data)
    except DuplicateCaseError:
        return None  # of an earlier edition of the demo
    return None if started.existing else started.case


async def _settle(cases: Cases, names: list[str]) -> list[str]:
    """Wait until cases need people or have closed, so that their first steps do not drown what is said next."""
    until = time.monotonic() + _SETTLE
    while True:
        states = [(await cases.show(name)).state for name in names]
        if "running" not in states or time.monotonic() > until:
            return states
        await asyncio.sleep(LOOK)


def _where(engine: Engine, settings: Settings, inbox_port: int | None) -> dict[str, str | None]:
    """Where everything is; `export` is what a second terminal types to find it, None when it does anyway."""
    return {
        "engine": engine.address.host,
        "namespace": engine.address.namespace,
        "ui": engine.ui,
        "inbox": None if inbox_port is None else f"http://{LOOPBACK}:{inbox_port}",
        "export": point_to(engine.address, settings.state),
    }


def _welcome(where: Mapping[str, str | None], settings: Settings) -> None:
    export, ui = where["export"], where["ui"]
    lines = ["", f"Up. Engine: {where['engine']}" + (f"   Temporal's page: {ui}" if ui else "")]
    if where["inbox"] is None:
        lines += ["No inbox: name the people of your own units in a file, and the file in WORKUNITS_DIRECTORY."]
    else:
        lines += [f"Inbox: {where['inbox']}   in which you may be anyone: this is a development login"]
        if not (settings.notices or settings.mail):
            lines += [f"Notices of tasks are not sent; they are files in {_messages(settings)}"]
    lines += [f"Figures for Prometheus: {where['metrics']}"]
    if export:
        lines += ["Another engine is what a second terminal would find; to reach this one, type there first:", ""]
        lines += [f"    {export}", ""]
    commands = (
        (f"{program()} list", "the cases"),
        (f"{program()} tasks ls", "what waits for a person"),
        (f"{program()} doctor", "whether all is well"),
    )
    width = max(len(command) for command, _ in commands) + 3
    lines += ["In a second terminal:", *(f"    {command:<{width}}{what}" for command, what in commands)]
    lines += ["Ctrl-C stops everything; the cases stay.", ""]
    note("\n".join(lines))


def program() -> str:
    """What to type in this folder to run our command line."""
    ours = Path(sys.executable).parent / "workunits"
    found = shutil.which("workunits")
    if found and Path(found).absolute() == ours.absolute():
        return "workunits"
    return min(os.path.relpath(ours), str(ours), key=len) if ours.exists() else f"{sys.executable} -m workers.cli"


async def _supervise(engine: Engine, children: Sequence[Child]) -> None:
    """Start again what dies."""
    of_engine, pauses = Pause(), {child.name: Pause() for child in children}
    while True:
        if not engine.alive:
            await of_engine.wait("engine", f"its log: {engine.plan.log}")
            try:
                await engine.start()
                log.info("engine runs again")
            except (EngineError, OSError) as error:
                log.error("%s", error)
        for child in children:
            if engine.alive and child.ended is not None:
                await pauses[child.name].wait(child.name, f"exit code {child.ended}")
                child.start()
        await asyncio.sleep(LOOK)
