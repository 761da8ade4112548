"""A fleet on an engine of its own, with its state in a file, and with a ledger: the test may take it away."""

from __future__ import annotations

import asyncio
import os
import signal
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError

from observability.ledger.reconcile import Reconciler
from observability.ledger.store import Ledger
from tests.faults.fleet import TASK_TIMEOUT, Fleet
from tests.faults.package import PACKAGE
from tests.faults.units import Errand
from tests.lab.messages import envelope
from tests.patience import PATIENCE
from tests.workers.conftest import Process, Shell
from workers.engine.embedded import Engine, Plan
from workunits.client import Cases
from workunits.core.human import MESSAGE
from workunits.core.lifecycle import Task
from workunits.core.record import START_MEMO, StartNote
from workunits.delivery import UndeliveredError
from workunits.plugin import work_units
from workunits.registry import Catalog

T = TypeVar("T")

CONTRACTS = "tests.faults.contracts"
GRANT = {"granted": True}
CHANGES = ("claim", "release", "claim", "complete")
"""What a person does with a task, who makes up their mind twice."""


class Durable(Fleet):
    """Notes what was acknowledged: the client's journal, to be held against record and ledger at the end."""

    def __init__(self, shell: Shell, engine: Engine, client: Client, ledger: Ledger) -> None:
        """Begin without a worker."""
        super().__init__(shell, engine, client)
        self.engine = engine
        self.ledger = ledger
        self.journal: dict[str, list[str]] = {}
        """The ids of acknowledged actions, by case whose start was acknowledged."""
        self._env["WORKUNITS_LEDGER"] = ledger.url.render_as_string(hide_password=False)

    @property
    def acknowledged(self) -> int:
        """How many starts and actions were."""
        return len(self.journal) + sum(map(len, self.journal.values()))

    # -- processes

    def follower(self, **env: str) -> Process:
        """Start a follower and wait until it follows."""
        process = self.shell.spawn("follow", **self._env | env)
        process.until("following")
        return process

    def on_queue(self, queue: str) -> None:
        """Go on with the cases of an earlier fleet."""
        self.queue = queue
        self._env |= {"WORKUNITS_QUEUE": queue, "WORKUNITS_DEPLOYMENT": queue}
        self.cases = Cases(self.client, Catalog([PACKAGE]), queue=queue)

    async def through(self, address: str) -> None:
        """From now on, reach the engine only through another address."""
        self._env["TEMPORAL_ADDRESS"] = address
        self.client = await Client.connect(address, plugins=[work_units(CONTRACTS)])
        self.cases = Cases(self.client, Catalog([PACKAGE]), queue=self.queue)

    async def lose_engine(self) -> None:
        """End the engine as a machine does that loses its power, and start it on the same file."""
        os.kill(self.engine.pid, signal.SIGKILL)
        await self.until(lambda: not self.engine.alive)
        await self.engine.start()

    # -- people

    async def errand(self, number: int) -> str:
        """Start a case and have its person act, in every other one through Signals; repeated until it is taken."""
        case = f"{Errand.unit_name}:{uuid.uuid4().hex[:12]}"
        await insist(lambda: self.begin(case))
        self.journal[case] = []
        task = await insist(lambda: self.task(case))
        for revision, action in enumerate(CHANGES, 1):
            await insist(partial(self.say, task, action, revision, as_signal=number % 2 == 1))
            self.journal[case].append(f"{case}-{revision}")
        return case

    async def begin(self, case: str) -> None:
        """Start a case, unless it is there."""
        key = case.partition(":")[2]
        await self.client.start_workflow(
            Errand.unit_name,
            {"request": key},
            id=case,
            task_queue=self.queue,
            task_timeout=TASK_TIMEOUT,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            memo={START_MEMO: StartNote(key=key).model_dump(mode="json")},
        )

    async def say(self, task: Task, action: str, revision: int, *, as_signal: bool) -> None:
        """Act on a task through one of the two doors, under an id that is the same each time."""
        case = task.id.rpartition("/")[0]
        body = GRANT if action == "complete" else {}
        action_id = f"{case}-{revision}"
        if as_signal:
            said = envelope(task, action=action, action_id=action_id, revision=revision, body=body)
            await self.client.get_workflow_handle(case).signal(MESSAGE, said)
        else:
            more: dict[str, Any] = {"action_id": action_id, "revision": revision, "patience": 5}
            await self.cases.act(task.id, action, actor="ann", roles=[task.role], body=body, **more)

    # -- the end

    async def proven(self) -> None:
        """Each acknowledged start and action took effect once, in the record, on the world and in the ledger."""
        for case, actions in self.journal.items():
            record = await self.closed(case)
            assert record.close == "achieved", case
            assert [acted.id for acted in record.actions] == actions, case
            assert self.book.effects(case) == ["fetch", "deliver"], case
        assert await self.caught_up() >= len(self.journal)

    async def caught_up(self) -> int:
        """Wait until the ledger says what the engine says; gives the number of cases."""
        found: int = await self.until(self._agree)
        return found

    async def _agree(self) -> int | None:
        """How many cases both have, once they say the same of each."""
        found = await Reconciler(self.client, self.ledger, Catalog([PACKAGE])).reconcile(settle=0)
        same = not found.differences and found.engine == found.ledger
        return found.engine.total() if same else None


@asynccontextmanager
async def durable(folder: Path, state: Path | None = None) -> AsyncIterator[Durable]:
    """Start an engine with its state in a file; at the end, whatever runs is killed."""
    shell = Shell(folder, [])
    ledger = Ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
    ledger.migrate()
    plan = Plan(state or folder / "engine", usual_ports=False, ui=False)
    try:
        async with Engine(plan) as engine:
            client = await Client.connect(engine.address.host, plugins=[work_units(CONTRACTS)])
            try:
                yield Durable(shell, engine, client, ledger)
            finally:
                for started in shell.started:
                    started.process.kill()
                    started.process.wait()
    finally:
        ledger.close()


async def insist(what: Callable[[], Awaitable[T]]) -> T:
    """Do something again until the engine takes it."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await what()
            except (RPCError, UndeliveredError):
                await asyncio.sleep(0.1)
