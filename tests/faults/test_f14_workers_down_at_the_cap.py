"""F14, workers down: the engine refuses what is over its own cap, what it took is applied, and the case closes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from temporalio.service import RPCError

from tests.conftest import PACKAGE, Bench
from tests.lab import performers
from tests.lab.messages import envelope
from tests.lab.units import Pair
from workunits.registry import Catalog
from workunits.testing import ENGINE_FLAGS, Lab

CAP = 60


@pytest_asyncio.fixture
async def capped(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    """An engine that takes 60 signals a run instead of 10,000; no worker serves it yet."""
    monkeypatch.setattr("workunits.testing.ENGINE_FLAGS", (*ENGINE_FLAGS, f"history.maximumSignalsPerExecution={CAP}"))
    async with Lab(contracts=["tests.lab.contracts"], performers=[performers]) as lab:
        yield Bench(lab, Catalog([PACKAGE]))


async def test_f14_signals_are_refused_at_the_cap_and_the_case_closes_after(capped: Bench) -> None:
    """Whoever sends one too many is told so; none that was taken is lost, and people's Updates still work."""
    async with capped.worker():
        case = (await capped.start(Pair)).case
        left, right = [await capped.task(case, step) for step in ("left", "right")]
    turns = [envelope(left, action=("claim", "release")[n % 2], body={}, revision=n + 1) for n in range(CAP)]
    for turn in turns:
        await capped.handle(case).signal("act", turn)
    with pytest.raises(RPCError, match="limit for signal events"):
        await capped.handle(case).signal("act", envelope(left, action="claim", body={}, revision=CAP + 1))
    async with capped.worker():
        again = await capped.until(case, lambda view: next((t for t in view.tasks if t.revision == CAP + 1), None))
        for task in (again, right):
            await capped.answer(task, {"decision": "grant"})
        view = await capped.closed(case)

    assert view.close == "achieved"
    assert view.record is not None
    assert (view.record.ignored_count, len(view.record.actions)) == (0, CAP + 2)
