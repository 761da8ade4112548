"""The two loops of a follower that end what must not go on: nothing that nobody foresaw ends them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from observability.ledger.store import Ledger, LedgerUnavailableError
from tests.patience import PATIENCE
from workers import autonomy_falling, rollout
from workunits.registry import Catalog
from workunits.rollout import Rollout

Loop = Coroutine[Any, Any, None]


class Looks:
    """Looks of which the first fails; tells when the second has come."""

    def __init__(self, error: Exception) -> None:
        """Fail in this way."""
        self._error: Exception | None = error
        self._running = asyncio.get_running_loop()
        self.second = asyncio.Event()

    def __call__(self, *_: Any) -> list[Any]:
        """Look, from whatever thread."""
        error, self._error = self._error, None
        if error:
            raise error
        self._running.call_soon_threadsafe(self.second.set)
        return []

    async def later(self, *_: Any) -> list[Any]:
        """Look, where that is awaited."""
        return self()


async def ends_after(looks: Looks, loop: Loop) -> bool:
    """Whether a loop has ended by itself; else it is ended once it has looked a second time."""
    running = asyncio.create_task(loop)
    waiting = asyncio.create_task(looks.second.wait())
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE)
    ended = running.done()
    running.cancel()
    waiting.cancel()
    await asyncio.gather(running, waiting, return_exceptions=True)
    return ended or not looks.second.is_set()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyError("nobody foresaw this"), "failed"),
        (ImportError("no statistics here"), "failed"),
        (LedgerUnavailableError("it is down"), "cannot be looked at: it is down"),
    ],
    ids=lambda given: type(given).__name__ if isinstance(given, Exception) else "",
)
async def test_a_look_that_fails_is_said_and_the_next_one_comes(monkeypatch, caplog, tmp_path, error, said):
    """A rollout whose guardrail is broken is still stopped, and a level that must fall still falls."""
    ledger, catalog = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}"), Catalog(())
    place: Any = None  # what is looked at is not what is tried here
    guarding, falling = Looks(error), Looks(error)
    monkeypatch.setattr(rollout, "guard", guarding.later)
    monkeypatch.setattr(autonomy_falling, "let_fall", falling)

    assert not await ends_after(guarding, rollout.guard_often(place, catalog, every=0))
    assert not await ends_after(falling, autonomy_falling.let_fall_often(ledger, catalog, every=0))

    told = [record.getMessage() for record in caplog.records if said in record.getMessage()]
    assert len(told) == 2, caplog.text
    assert str(error) in caplog.text


async def test_a_rollout_that_cannot_be_judged_keeps_no_other_one_going(monkeypatch, caplog):
    """It is said of that one, and the next one is stopped."""
    splits = {unit: Rollout(unit, "1", "2", "new", 20) for unit in ("hello", "errand")}
    place: Any = SimpleNamespace(client=None, deployment="", ledger=None)
    catalog: Any = list(splits)
    stopped = []

    def broken(ledger, catalog, split):
        if split.unit == "hello":
            raise KeyError("nobody foresaw this")
        return "exception_rate got worse"

    async def read(*_):
        return splits

    async def stop(place, unit, actor, why):
        stopped.append((unit, actor, why))

    monkeypatch.setattr("workunits.rollout.read", read)
    monkeypatch.setattr(rollout, "_broken", broken)
    monkeypatch.setattr(rollout, "stop", stop)
    said = await rollout.guard(place, catalog)

    assert stopped == [("errand", "guardrail", "exception_rate got worse")]
    assert said == ["errand: version 2 gets no new cases any more: exception_rate got worse"]
    assert "the guardrails of hello cannot be looked at" in caplog.text
