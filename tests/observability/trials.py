"""Trials under way: a worker of their own on the shared engine, and the way to their cases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from sqlalchemy import select
from temporalio.worker import Worker

from observability.ledger.follower import Follower
from observability.ledger.reconcile import Difference, Reconciler
from observability.ledger.store import Ledger
from observability.ledger.tables import cases
from tests.conftest import Bench
from tests.observability.following import until
from tests.observability.trial import Impostor, Trial
from tests.patience import PATIENCE
from workunits.registry import Catalog, Package
from workunits.testing import Lab

PACKAGE = Package("trial", (Trial,), ("tests.lab.contracts",), ())
CATALOG = Catalog([PACKAGE])
QUEUE, FOREIGN = "trials", "trials-foreign"
AT_ONCE = 8


class Trials(Bench):
    """The cases of one unit; no other test's are in its listings."""

    async def open(self) -> str:
        """Start a case that waits for its person."""
        started = await self.start(Trial)
        await self.task(started.case, "decide")
        return started.case

    async def done(self) -> str:
        """Start a case and see it closed."""
        case = await self.open()
        await self.answer(await self.task(case, "decide"), {"decision": "grant"}, patience=PATIENCE)
        await self.closed(case)
        return case

    async def many_done(self, count: int) -> list[str]:
        """So many, a few at a time: of dozens at once, a busy machine would keep the last ones waiting too long."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def one() -> str:
            async with turns:
                return await self.done()

        return list(await asyncio.gather(*(one() for _ in range(count))))

    async def followed(self, follower: Follower, look: Callable[[], object], patience: float = PATIENCE) -> None:
        """Make passes until something is so."""
        await until(follower, look, patience)

    async def differences(self, ledger: Ledger) -> list[Difference]:
        """In what the ledger does not say what the engine says."""
        return (await Reconciler(self.client, ledger, CATALOG).reconcile(settle=0)).differences


@asynccontextmanager
async def serving(lab: Lab) -> AsyncIterator[Trials]:
    """Serve the unit, and on a queue of its own the workflow that pretends to be it."""
    ours = Worker(lab.client, task_queue=QUEUE, workflows=[Trial])
    theirs = Worker(lab.client, task_queue=FOREIGN, workflows=[Impostor])
    async with ours, theirs:
        yield Trials(lab, CATALOG, QUEUE)


def closes(ledger: Ledger, among: Iterable[str]) -> dict[str, str | None]:
    """How the ledger says that cases have closed; those that it does not have are missing."""
    with ledger.read() as connection:
        found = connection.execute(select(cases.c.case_id, cases.c.close).where(cases.c.case_id.in_(list(among))))
        return {row.case_id: row.close for row in found}
