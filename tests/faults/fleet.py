"""Workers as real processes that a test may kill, freeze or replace, and the way to their cases."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle

from tests.faults import units
from tests.faults.book import Book
from tests.faults.package import PACKAGE
from tests.faults.units import Errand
from tests.patience import PATIENCE
from tests.workers.conftest import Process, Shell
from workers.engine.embedded import Engine
from workunits.cases import CaseView
from workunits.client import Cases
from workunits.core.lifecycle import Task
from workunits.core.record import START_MEMO, Record, StartNote
from workunits.core.unit import WorkUnit
from workunits.registry import Catalog

T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent.parent
TASK_TIMEOUT = timedelta(seconds=2)
"""For cases whose workflow task is lost or fails: the usual ten seconds only make a test slow."""


class Fleet:
    """The workers of one test, on a queue of its own."""

    def __init__(self, shell: Shell, engine: Engine, client: Client) -> None:
        """Begin without a worker."""
        self.shell = shell
        self.queue = f"faults-{uuid.uuid4().hex[:8]}"
        self.client = client
        self.cases = Cases(client, Catalog([PACKAGE]), queue=self.queue)
        self.book = Book(shell.folder)
        self._env = {
            "TEMPORAL_ADDRESS": engine.address.host,
            "WORKUNITS_DATA": str(shell.folder),
            "WORKUNITS_DEPLOYMENT": self.queue,
            "WORKUNITS_MODULES": "tests.faults.package",
            "WORKUNITS_QUEUE": self.queue,
            "PYTHONPATH": str(ROOT),
        }

    # -- processes

    def worker(self, *args: str, **env: str) -> Process:
        """Start a worker and wait until it polls; without a build of its own it is unversioned."""
        versioned = "--build-id" in args
        worker = self.shell.spawn("worker", *args, *(() if versioned else ("--unversioned",)), **self._env | env)
        worker.until("polling")
        return worker

    def command(self, *args: str, **env: str) -> dict[str, Any]:
        """Run another command and read the JSON document that it prints."""
        ended = self.shell.run(*args, "--json", **self._env | env)
        assert ended.stdout, ended.stderr
        said: dict[str, Any] = json.loads(ended.stdout)
        return said

    def doctor(self, **env: str) -> list[tuple[str, str]]:
        """What `doctor` finds wrong: the checks and their messages."""
        findings = self.command("doctor", **env)["findings"]
        return [(found["check"], found["message"]) for found in findings if found["status"] == "fail"]

    def edited(self, old: str, new: str) -> str:
        """Write another version of the units' code; a worker that has it as PYTHONPATH serves that one."""
        there = Path(units.__file__)
        text = there.read_text(encoding="utf-8")
        assert old in text
        folder = self.shell.folder / uuid.uuid4().hex[:8]
        copy = folder / there.relative_to(ROOT)
        copy.parent.mkdir(parents=True)
        copy.write_text(text.replace(old, new), encoding="utf-8")
        return f"{folder}{os.pathsep}{ROOT}"

    def worker_in(self, key: str, *workers: Process) -> Process:
        """The worker that has the last attempt of a step."""
        pid = self.book.calls(key)[-1].pid
        return next(worker for worker in workers if worker.process.pid == pid)

    # -- cases

    async def start(self, unit: type[WorkUnit] = Errand, *, task_timeout: timedelta | None = None, **more: Any) -> str:
        """Start a case."""
        key = uuid.uuid4().hex[:12]
        handle: WorkflowHandle[Any, Any] = await self.client.start_workflow(
            unit.unit_name,
            unit.case_type.model_validate({"request": key, **more}),
            id=f"{unit.unit_name}:{key}",
            task_queue=self.queue,
            task_timeout=task_timeout,
            memo={START_MEMO: StartNote(key=key).model_dump(mode="json")},
        )
        return handle.id

    async def until(self, look: Callable[[], T | None] | Callable[[], Awaitable[T | None]]) -> T:
        """What `look` finds, once it finds something."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = look()
                if isinstance(found, Awaitable):
                    found = await found
                if found:
                    return found
                await asyncio.sleep(0.02)

    async def until_case(self, case: str, look: Callable[[CaseView], T | None]) -> T:
        """What `look` finds in a case, once it finds something."""

        async def look_again() -> T | None:
            return look(await self.cases.show(case))

        return await self.until(look_again)

    async def task(self, case: str) -> Task:
        """The open task of a case, once there is one."""
        return (await self.until_case(case, lambda view: view.tasks))[0]

    async def closed(self, case: str) -> Record:
        """The record of a case, once it has closed."""
        view = await self.until_case(case, lambda view: None if view.is_open else view)
        assert view.record
        return view.record

    async def act(self, task: Task, action: str, **more: Any) -> dict[str, Any]:
        """Act on a task as someone of its role."""
        body = {"granted": True} if action == "complete" else None
        more = {"actor": "ann", "roles": [task.role], "revision": task.revision, "patience": PATIENCE, **more}
        return await self.cases.act(task.id, action, body=body, **more)

    async def answer(self, task: Task, **more: Any) -> float:
        """Complete a task; gives the seconds until that was acknowledged."""
        began = time.monotonic()
        await self.act(task, "complete", **more)
        return time.monotonic() - began

    async def events(self, case: str) -> list[HistoryEvent]:
        """The history of a case."""
        return list((await self.client.get_workflow_handle(case).fetch_history()).events)

    async def event_types(self, case: str) -> list[int]:
        """What kinds of events a case has had."""
        return [event.event_type for event in await self.events(case)]


def kill(worker: Process) -> None:
    """End a worker as a machine does that loses its power."""
    worker.stop(signal.SIGKILL)


@contextmanager
def frozen(worker: Process) -> Iterator[None]:
    """Stop a worker in its tracks, connections open, and let it go on at the end unless it was killed meanwhile."""
    worker.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        if worker.process.poll() is None:
            worker.process.send_signal(signal.SIGCONT)
