"""`workunits demo`: scripted cases of two units, driven to every way of closing.

All but the waiting is real: a Temporal server and a worker as processes of their own, the shipped performers on
their own tables, and people who answer through the same `Cases` as `workunits tasks complete`.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.testing import TimeSkipper, TimeSkippingConfig

from workers.catalog import OWN
from workers.demo_cases import SCRIPTS, Script
from workers.engine.child import Child, environment_for, unless
from workers.engine.connect import connect
from workers.engine.embedded import Engine
from workers.engine.faults import EngineError
from workers.playing import PATIENCE, Stage
from workers.settings import PREFIX, Settings
from workers.simulating.house import fresh_engine
from workunits.cases import CaseView
from workunits.client import Cases
from workunits.registry import Catalog
from workunits.testing import Skipper

AT_ONCE = 8
"""Cases that run at a time; more would not be done sooner by two processors."""


@dataclass(frozen=True, slots=True)
class Row:
    """How a case closed; a line of the table, and of the JSON document."""

    case: str
    unit: str
    close: str | None
    """None: it was driven, and did not close."""
    reason: str | None = None
    cycle_seconds: float | None = None
    """From start to close, on the case's own clock."""
    decided_by: list[str] = field(default_factory=list)
    sla: str | None = None
    """`met` or `breached`."""

    @property
    def key(self) -> str:
        """The business key."""
        return self.case.partition(":")[2]


@dataclass(frozen=True, slots=True)
class Act:
    """What a person did."""

    key: str
    who: str
    what: str
    after: timedelta | None = None
    """How long after the case's start, on its own clock."""


class Audience:
    """Whoever watches; by itself it looks away."""

    def engine_runs(self, engine: Engine) -> None:
        """The engine answers."""

    def worker_serves(self, worker: Child) -> None:
        """The worker polls; the cases begin."""

    def acted(self, act: Act) -> None:
        """A person did something."""

    def closed(self, row: Row) -> None:
        """A case has been played."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a demo went."""

    rows: list[Row]
    """In the order of the scripts."""
    faults: list[str]
    """Where it went otherwise than scripted; a sentence each."""
    seconds: float
    """How long the cases took in real time."""
    folder: Path
    """What is left of it: state, logs, tables, letters."""


async def play(settings: Settings, audience: Audience) -> Outcome:
    """Play every script, on a fresh engine and with a worker of its own; both have ended when it returns or raises.

    Args:
        settings: Say which AI model answers, and under which folder the state goes; all else is the demo's own.
        audience: Is told as it happens.

    Raises:
        EngineError: the engine does not start, or ended.
        WorkerRefusedError: the worker does not start, or ended.
    """
    async with AsyncExitStack() as stack:
        engine = await fresh_engine(settings.state, "demo")
        stack.push_async_callback(engine.stop)
        audience.engine_runs(engine)
        folder = engine.plan.folder
        own = _own(settings, folder.absolute())
        worker = Child(environment=_environment(engine, own), folder=own.state, log=folder / "worker.log")
        stack.push_async_callback(worker.stop, own.grace_seconds)
        worker.start()

        def broken() -> Exception | None:
            return worker.refusal() if engine.alive else EngineError(f"the engine ended; its log: {engine.plan.log}")

        return await unless(_perform(own, engine, worker, audience), broken)


async def _perform(own: Settings, engine: Engine, worker: Child, audience: Audience) -> Outcome:
    skipper, cases = await _open(own, engine, audience)
    await worker.serves(cases.client, own)
    audience.worker_serves(worker)
    began = time.monotonic()
    stage = Stage(cases, Skipper(skipper), SCRIPTS, queue=own.queue)
    rows, faults = await _play_all(stage, audience)
    return Outcome(rows, faults, time.monotonic() - began, engine.plan.folder)


def _own(settings: Settings, folder: Path) -> Settings:
    """The demo's settings: an operator's queues, modules and mail server have no part in it."""
    own = Settings.model_construct(data=folder / "data", state=folder)
    return own.model_copy(update={"ai_model": settings.ai_model, "ai_base_url": settings.ai_base_url})


def _environment(engine: Engine, own: Settings) -> dict[str, str]:
    given = {"AI_MODEL": own.ai_model, "AI_BASE_URL": own.ai_base_url, "DATA": str(own.data), "STATE": str(own.state)}
    kept = {name: value for name, value in environment_for(engine.address).items() if not name.startswith(PREFIX)}
    return kept | {f"{PREFIX}{name}": value for name, value in given.items() if value}


async def _open(own: Settings, engine: Engine, audience: Audience) -> tuple[TimeSkipper, Cases]:
    catalog = Catalog([OWN])
    client = await connect(own, catalog, address=engine.address)
    # Nothing skips by itself: it would run past the person who is about to answer.
    skipper = TimeSkipper(client, config=TimeSkippingConfig(enabled=False))
    return skipper, _Watched(skipper, catalog, own.queue, audience)


class _Watched(Cases):
    """The people's way to the cases, with someone who looks over their shoulders."""

    def __init__(self, skipper: TimeSkipper, catalog: Catalog, queue: str, audience: Audience) -> None:
        super().__init__(skipper.client, catalog, queue=queue)
        self._audience = audience
        self._began: dict[str, datetime] = {}

    async def show(self, case: str) -> CaseView:
        view = await super().show(case)
        self._began[case] = view.started
        return view

    async def act(self, task_id: str, action: str, *, actor: str, **more: Any) -> dict[str, Any]:
        said = await super().act(task_id, action, actor=actor, **more)
        case, _, step = task_id.rpartition("/")
        after = more["sent_at"] - self._began[case]
        self._audience.acted(Act(case.partition(":")[2], actor, f"{action}s {step}", after))
        return said

    async def cancel(self, case: str, *, actor: str, reason: str) -> None:
        await super().cancel(case, actor=actor, reason=reason)
        self._audience.acted(Act(case.partition(":")[2], actor, "cancels the case"))


async def _play_all(stage: Stage, audience: Audience) -> tuple[list[Row], list[str]]:
    room = asyncio.Semaphore(AT_ONCE)
    faults: list[str] = []

    async def one(script: Script) -> Row:
        async with room:
            row, fault = await _play_one(stage, script)
        if fault:
            faults.append(fault)
        audience.closed(row)
        return row

    # Those with failing machine steps first: the pauses between attempts are the one thing that is really waited for.
    ordered = sorted(SCRIPTS, key=lambda script: script.reason != "technical_failure")
    rows = dict(zip((script.key for script in ordered), await asyncio.gather(*map(one, ordered)), strict=True))
    return [rows[script.key] for script in SCRIPTS], faults


async def _play_one(stage: Stage, script: Script) -> tuple[Row, str | None]:
    case = f"{script.unit}:{script.key}"
    try:
        row = _row(await stage.play(script))
    except TimeoutError:
        return Row(case, script.unit, None), f"{case} did not get on within {PATIENCE:g} s"
    except Exception as error:  # noqa: BLE001, whatever happens to one case, the others are shown
        return Row(case, script.unit, None), f"{case} could not be played: {str(error) or type(error).__name__}"
    return row, _judge(script, row)


def _judge(script: Script, row: Row) -> str | None:
    if (row.close, row.reason) == (script.closes, script.reason):
        return None
    return f"{row.case} closed as {_said(row.close, row.reason)}; scripted is {_said(script.closes, script.reason)}"


def _row(view: CaseView) -> Row:
    record = view.record
    if record is None or record.closed is None:
        return Row(view.case, view.unit, view.state)
    seconds = record.closed / 1e6
    return Row(view.case, view.unit, record.close, record.reason, seconds, record.decided_by, record.sla)


def _said(close: str | None, reason: str | None) -> str:
    return f"{close} ({reason})" if reason else str(close)
