"""Where plans are executed: an engine of its own, a worker process for each build, and a ledger; all of it fresh."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from temporalio.testing import TimeSkipper, TimeSkippingConfig

from observability.ledger.follower import Follower
from observability.ledger.store import Ledger
from workers.catalog import load_catalog
from workers.deployment import make_current, pollers
from workers.engine.child import Child, environment_for
from workers.engine.connect import connect
from workers.engine.embedded import Engine, Plan
from workers.engine.faults import EngineError
from workers.engine.lock import EngineRunsError
from workers.settings import PREFIX, Settings
from workunits.client import Cases
from workunits.testing import Skipper

FOLDERS = 9
"""Houses of a name that can be open at a time, each in a folder of its own."""
_POLL = 0.05
_GRACE = 5.0


@dataclass(frozen=True, slots=True)
class Build:
    """The code of a worker process."""

    name: str
    module: str = ""
    """With its `PACKAGE`, beside our own units; these alone when left out."""


@dataclass
class House:
    """An engine that skips time, its workers, and its ledger, as an async context manager."""

    settings: Settings
    """Say under which folder the state goes."""
    name: str
    """Of the folder; what an earlier house left there is removed."""
    builds: Sequence[Build]
    """The first one gets the new cases until something else is said; its catalog is the house's."""
    workers: list[Child] = field(default_factory=list, init=False)

    async def __aenter__(self) -> Self:
        """Open it: everything answers.

        Raises:
            EngineError: the engine does not start.
            WorkerRefusedError: a worker does not start.
        """
        async with AsyncExitStack() as stack:
            self.engine = await fresh_engine(self.settings.state, self.name, persistent=False)
            stack.push_async_callback(self.engine.stop)
            self.folder = self.engine.plan.folder.absolute()
            self.own = Settings.model_construct(data=self.folder / "data", state=self.folder)
            self.ledger = Ledger(self.own.ledger_url)
            stack.callback(self.ledger.close)
            # First: a worker refuses a ledger whose tables are just being made.
            await asyncio.to_thread(self.ledger.migrate)
            for build in self.builds:
                self._start_worker(build, stack)
            self.catalog = load_catalog([module] if (module := self.builds[0].module) else [])
            client = await connect(self.own, self.catalog, address=self.engine.address)
            # Nothing skips by itself: it would run past the person who is about to answer.
            skipping = TimeSkipper(client, config=TimeSkippingConfig(enabled=False))
            self.client, self.skipper = skipping.client, Skipper(skipping)
            self.cases = Cases(self.client, self.catalog, queue=self.own.queue, deployment=self.own.deployment)
            self._follower = Follower(client, self.ledger, self.catalog)
            await self._serve()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it: nothing is left running; the ledger and the logs stay."""
        await self._stack.aclose()

    def broken(self) -> Exception | None:
        """What has ended that should not have."""
        if not self.engine.alive:
            return EngineError(f"the engine ended; its log: {self.engine.plan.log}")
        return next((error for worker in self.workers if (error := worker.refusal())), None)

    async def deploy(self, build: Build) -> None:
        """Send new cases to a build, but for those that a rollout gives to another one."""
        await make_current(self.client, self.own.deployment, build.name)

    async def follow(self) -> None:
        """Bring the ledger up to how all cases stand now."""
        # Two passes: what changed while the first one listed is in the second.
        for _ in range(2):
            await self._follower.follow()

    def _start_worker(self, build: Build, stack: AsyncExitStack) -> None:
        worker = Child(
            command=("worker", "--build-id", build.name),
            arguments=("--module", build.module) if build.module else (),
            environment=self._environment(),
            folder=self.folder,
            log=self.folder / f"worker-{build.name}.log",
        )
        stack.push_async_callback(worker.stop, _GRACE)
        worker.start()
        self.workers.append(worker)

    async def _serve(self) -> None:
        """Wait until each build polls, and send new cases to the first one."""
        for build in self.builds:
            while not await pollers(self.client, self.own.queue, build.name, cases=True):
                if error := self.broken():
                    raise error
                await asyncio.sleep(_POLL)
        await self.deploy(self.builds[0])

    def _environment(self) -> dict[str, str]:
        given = {"DATA": str(self.own.data), "STATE": str(self.own.state)}
        there = environment_for(self.engine.address)
        kept = {name: value for name, value in there.items() if not name.startswith(PREFIX)}
        return kept | {f"{PREFIX}{name}": value for name, value in given.items()}


async def fresh_engine(state: Path, name: str, *, persistent: bool = True) -> Engine:
    """Start an engine in a folder that no other one uses; what an earlier one left there is removed.

    Raises:
        EngineError: it does not start.
    """
    number = 1
    while True:
        folder = state / (f"{name}-{number}" if number > 1 else name)
        plan = Plan(folder, usual_ports=False, ui=False, skip_time=True, fresh=True, persistent=persistent)
        engine = Engine(plan)
        try:
            await engine.start()
        except EngineRunsError:
            if number == FOLDERS:
                raise
            number += 1
        else:
            return engine
