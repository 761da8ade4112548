"""How tests wait for cases: until one stands as wanted, and until the engine lists what has happened already."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from temporalio.client import Client

from tests.patience import PATIENCE
from workunits.cases import CaseView
from workunits.client import Cases


async def until(cases: Cases, case: str, look: Callable[[CaseView], bool]) -> CaseView:
    """A case, once it is as `look` wants it."""
    async with asyncio.timeout(PATIENCE):
        while True:
            view = await cases.show(case)
            if look(view):
                return view
            await asyncio.sleep(0.02)


async def listed(client: Client, query: str, *cases: str) -> None:
    """Wait until what the engine lists for a query has these cases: a change is there a moment after it was made."""
    async with asyncio.timeout(PATIENCE):
        while not {execution.id async for execution in client.list_workflows(query)} >= set(cases):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
