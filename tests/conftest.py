"""What tests share: one real dev server whose cases have clocks of their own, and the way to them."""

from __future__ import annotations

import asyncio
import signal
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
import pytest_asyncio
from temporalio.client import WorkflowHandle
from temporalio.worker import Worker
from temporalio.worker._workflow import _WorkflowWorker

from tests.lab import performers, trouble_performers
from tests.lab.branching import BRANCHING
from tests.lab.clocked import CLOCKED
from tests.lab.freight import Freighter
from tests.lab.promises import PROMISING
from tests.lab.terms import Crowd, Keyless, Terms, Tight
from tests.lab.troubles import TROUBLES
from tests.lab.units import UNITS
from tests.patience import PATIENCE
from workunits.calendars.activity import calendar_activity
from workunits.calendars.store import Store
from workunits.cases import CaseView
from workunits.client import QUEUE, Cases, Started
from workunits.core.lifecycle import Task
from workunits.core.unit import WorkUnit
from workunits.performs import collect, match
from workunits.registry import Catalog, Package
from workunits.testing import Lab

ALL: tuple[type[WorkUnit], ...] = (
    *UNITS,
    *BRANCHING,
    *CLOCKED,
    *PROMISING,
    *TROUBLES,
    Crowd,
    Freighter,
    Keyless,
    Terms,
    Tight,
)
CALENDARS = Path(__file__).parent / "lab" / "calendars"
PACKAGE = Package("tests", ALL, ("tests.lab.contracts",), ("tests.lab.performers",))


T = TypeVar("T")


LONG = ("test_f19_partition.py", "test_first_unit.py", "test_recount.py", "test_rules.py", "test_soak.py")
"""Files of few tests that take a minute or more: begun last, they would run on alone."""
APART = 40
"""Files between two of `tests/e2e`, each of which has a machine's processors busy with its own processes."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where files run at a time: the long ones first, then by number of tests, and those of whole systems apart."""
    if not hasattr(config, "workerinput"):
        return
    files: dict[Path, list[pytest.Item]] = defaultdict(list)
    for item in items:
        files[item.path].append(item)
    order = sorted(files, key=lambda path: (path.name not in LONG, -len(files[path])))
    whole = [path for path in order if path.parent.name == "e2e"]
    order = [path for path in order if path not in whole]
    for number, path in enumerate(whole):
        order.insert(number * APART, path)
    items[:] = [item for path in order for item in files[path]]


def pytest_configure() -> None:
    """Hand Ctrl-C down as a terminal does: where files of tests run at a time it is ignored, and so by children."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _patient() -> Iterator[None]:
    """A processor that others use is no deadlock: after 2 s the SDK would interrupt a workflow task at any line.

    What then fails is whatever was at work, such as a callback of the garbage collector, in some later test. The SDK
    has no setting for it but `debug_mode`, which runs workflows in another way than production does.
    """
    started = _WorkflowWorker.__init__

    def start(self: _WorkflowWorker, *args: Any, **more: Any) -> None:
        started(self, *args, **more)
        assert self._deadlock_timeout_seconds in (2, None)
        self._deadlock_timeout_seconds = self._deadlock_timeout_seconds and 60

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_WorkflowWorker, "__init__", start)
        yield


class Bench:
    """A case under test, one action at a time."""

    def __init__(self, lab: Lab, catalog: Catalog, queue: str = QUEUE, calendars: Path = CALENDARS) -> None:
        self.calendars = calendars
        self.lab = lab
        self.client = lab.client
        self.queue = queue
        self.cases = Cases(lab.client, catalog, queue=queue)

    def worker(self) -> Worker:
        """A worker for the tests' units; not started."""
        steps = [step for unit in ALL for step in unit.steps]
        performed = match(steps, collect([performers, trouble_performers], {}))
        activities = [performer.as_activity() for performer in performed]
        activities.append(calendar_activity(Store([self.calendars])))
        return Worker(self.client, task_queue=self.queue, workflows=list(ALL), activities=activities)

    async def start(self, unit: type[WorkUnit], mood: str = "", **more: Any) -> Started:
        """Start a case with a key of its own."""
        case = unit.case_type.model_validate({"request": uuid.uuid4().hex[:12], "mood": mood, **more})
        return await self.cases.start(unit.unit_name, case.model_dump_json().encode())

    def handle(self, case: str) -> WorkflowHandle[Any, Any]:
        """Temporal's handle of a case."""
        return self.client.get_workflow_handle(case)

    async def task(self, case: str, step: str, *, state: str = "ready") -> Task:
        """The open task of a step, once it is open."""

        def look(view: CaseView) -> Task | None:
            return next((task for task in view.tasks if task.step == step and task.state == state), None)

        return await self.until(case, look)

    async def closed(self, case: str) -> CaseView:
        """The case, once it has closed."""
        return await self.until(case, lambda view: None if view.is_open else view)

    async def until(self, case: str, look: Callable[[CaseView], T | None], patience: float = PATIENCE) -> T:
        """What `look` finds in the case, once it finds something."""
        async with asyncio.timeout(patience):
            while True:
                found = look(await self.cases.show(case))
                if found is not None and found is not False:
                    return found
                await asyncio.sleep(0.01)

    async def listed(self, case: str, state: str | None = None) -> None:
        """Wait until a listing, perhaps one of a state, has a case as it now is: it comes a moment after a change."""
        unit = case.partition(":")[0]
        async with asyncio.timeout(PATIENCE):
            while True:
                now = await self.cases.show(case)
                if now in [view async for view in self.cases.list(unit, state)]:
                    return
                await asyncio.sleep(0.02)

    async def events(self, case: str, kind: str) -> int:
        """How many events of a kind, such as `timer_started`, the history of a case's present run has."""
        history = self.handle(case).fetch_history_events()
        return len([event async for event in history if event.WhichOneof("attributes") == f"{kind}_event_attributes"])

    async def skip(self, case: str, by: timedelta) -> datetime:
        """Move a case's clock; what it then shows."""
        await self.lab._env.fast_forward(self.handle(case), by)
        return await self.lab._env.get_current_time(self.handle(case))

    async def clock(self, case: str) -> datetime:
        """What a case's clock shows."""
        return await self.lab._env.get_current_time(self.handle(case))

    async def reaches(self, case: str, moment: datetime) -> None:
        """Wait until a case's clock has passed a moment by itself."""
        async with asyncio.timeout(PATIENCE):
            while True:
                left = moment - await self.clock(case)
                if left <= timedelta(0):
                    return
                await asyncio.sleep(left.total_seconds())

    async def answer(self, task: Task, body: dict[str, Any], by: str = "ann", **more: Any) -> dict[str, Any]:
        """Complete a task as someone of its role."""
        return await self.cases.act(task.id, "complete", actor=by, roles=[task.role], body=body, **more)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def lab() -> AsyncIterator[Lab]:
    """A real dev server."""
    async with Lab(contracts=["tests.lab.contracts"], performers=[performers]) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bench(lab: Lab) -> AsyncIterator[Bench]:
    """A worker for the tests' units, and the way to its cases."""
    there = Bench(lab, Catalog([PACKAGE]))
    async with there.worker():
        yield there


@pytest.fixture
def late(lab: Lab) -> Bench:
    """A queue of its own that no worker serves until the test starts one."""
    return Bench(lab, Catalog([PACKAGE]), queue=f"late-{uuid.uuid4().hex[:8]}")
