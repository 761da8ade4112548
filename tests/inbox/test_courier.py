"""The courier: whatever does not answer delays nobody else's decision; each case has its own in their order."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from sqlalchemy import insert

from inbox.courier import Courier
from inbox.journal import Head, Journal, fingerprint
from inbox.store import actions
from inbox.turns import PLACES, Turns
from tests.observability.conftest import database, postgres
from tests.patience import until
from workunits.client import Cases
from workunits.delivery import UndeliveredError

__all__ = ["database", "postgres"]


@pytest.fixture
def journal(database: str) -> Iterator[Journal]:
    """An empty journal in each of the two databases."""
    opened = Journal(database, synchronous="OFF")
    opened.open()
    yield opened
    opened.close()


class Engine:
    """An engine of which one unit is wedged: nobody answers for its cases, but healthy ones, until it is mended."""

    def __init__(self, *, gives_up_after: float = 60) -> None:
        """Begin with the unit `wedged` wedged."""
        self.sent: list[str] = []
        """The ids of the actions, as they came."""
        self.mended = asyncio.Event()
        self.broken = ""
        """An action for which our own code goes wrong."""
        self._gives_up_after = gives_up_after

    async def send(self, envelope: dict[str, Any], *, patience: float) -> dict[str, Any]:
        """Answer for those that are well.

        Raises:
            UndeliveredError: nobody answered.
        """
        self.sent.append(envelope["action_id"])
        if envelope["action_id"] == self.broken:
            raise KeyError("a defect of ours")
        if envelope["task_id"].startswith("wedged:") and "healthy" not in envelope["task_id"]:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.mended.wait(), min(self._gives_up_after, patience))
            if not self.mended.is_set():
                raise UndeliveredError(envelope["action_id"], "no worker answered")
        return {"task_id": envelope["task_id"], "state": "completed", "revision": 2}


def envelope(case: str) -> dict[str, Any]:
    """A decision on a case."""
    made = {"action": "complete", "action_id": uuid.uuid4().hex, "task_id": f"{case}/decide", "revision": 1}
    return made | {"actor": "ann", "acting_for": None, "sent_at": datetime.now(UTC).isoformat(), "body": {}}


def fill(journal: Journal, cases: list[str], attempts: int) -> list[str]:
    """Put actions on their way in one transaction; their ids."""
    rows = []
    for number, case in enumerate(cases):
        what = envelope(case)
        row = {name: what[name] for name in ("action_id", "task_id", "actor", "action")}
        row |= {"seq": number, "case_id": case, "hash": fingerprint(what), "envelope": what, "attempts": attempts}
        rows.append(row | {"state": "sending", "sent_at": datetime.now(UTC)})
    with journal.store.write() as connection:
        connection.execute(insert(actions), rows)
    return [row["action_id"] for row in rows]


def decide(journal: Journal, case: str, *, held: bool = False) -> str:
    """Take a decision, one that can be undone no more if it was held; its id."""
    until = datetime.now(UTC) - timedelta(seconds=1) if held else None
    return journal.take(envelope(case), held_until=until)[0].action_id


@asynccontextmanager
async def delivering(engine: Engine, journal: Journal) -> AsyncIterator[None]:
    """An inbox's background work."""
    stop = asyncio.Event()
    task = asyncio.create_task(Courier(cast("Cases", engine), journal).deliver_forever(stop))
    try:
        yield
    finally:
        engine.mended.set()
        stop.set()
        await task


def settled(journal: Journal, action_id: str) -> bool:
    """Whether an action was answered."""
    entry = journal.find(action_id)
    return entry is not None and entry.is_settled


@pytest.mark.parametrize("healthy", ["healthy:1", "wedged:healthy"])
async def test_a_held_decision_does_not_wait_behind_hundreds_that_nobody_answers(journal: Journal, healthy: str):
    """More are stuck than one look once held, all older: what was never sent has places of its own."""
    fill(journal, [f"wedged:{number}" for number in range(520)], attempts=1)
    mine = decide(journal, healthy, held=True)
    engine = Engine()
    async with delivering(engine, journal):
        await until(lambda: settled(journal, mine))
        assert len(engine.sent) <= PLACES + 1


async def test_a_burst_of_one_unit_leaves_the_next_place_to_another(journal: Journal):
    """Also when none of it was ever sent: a free place goes to the unit that has the fewest."""
    fill(journal, [f"wedged:{number}" for number in range(520)], attempts=0)
    mine = decide(journal, "healthy:1", held=True)
    engine = Engine(gives_up_after=0.2)
    async with delivering(engine, journal):
        await until(lambda: settled(journal, mine))
        assert engine.sent.index(mine) <= PLACES


async def test_what_is_let_go_while_others_are_out_is_taken_up(journal: Journal):
    """Nobody waits for the end of a round."""
    stuck = fill(journal, [f"wedged:{number}" for number in range(3)], attempts=1)
    engine = Engine()
    async with delivering(engine, journal):
        await until(lambda: len(engine.sent) == len(stuck))
        mine = decide(journal, "healthy:1", held=True)
        await until(lambda: settled(journal, mine))
        assert [action_id for action_id in engine.sent if action_id != mine] == engine.sent[: len(stuck)]


async def test_a_cases_actions_come_in_their_order_also_after_it_was_stuck(journal: Journal):
    """Its younger ones wait for the oldest; once somebody answers, each comes once, whoever delivers beside."""
    those = fill(journal, ["wedged:1"] * 4, attempts=0)
    engine = Engine(gives_up_after=0.1)
    async with delivering(engine, journal):
        await until(lambda: len(engine.sent) >= 2)
        assert set(engine.sent) == {those[0]}
        engine.sent.clear()
        engine.mended.set()
        await until(lambda: journal.sending() == [])
    assert [action_id for action_id in engine.sent if action_id != those[0]] == those[1:]
    assert [entry.action_id for entry in journal.answered_since(datetime.now(UTC) - timedelta(hours=1))] == those


async def test_one_action_that_our_own_code_cannot_send_holds_up_no_other(journal: Journal):
    """It is said, and tried again."""
    engine = Engine()
    engine.broken = decide(journal, "broken:1")
    async with delivering(engine, journal):
        await until(lambda: engine.broken in engine.sent)
        mine = decide(journal, "healthy:1", held=True)
        await until(lambda: settled(journal, mine))
        engine.broken = ""
        await until(lambda: journal.sending() == [])


def test_the_head_of_each_case_is_its_oldest(journal: Journal):
    """Those never sent come first, then those sent least often; a limit leaves out what had its turn most often."""
    old = fill(journal, ["a:1", "a:1", "a:2", "a:3"], attempts=0)
    for action_id, times in ((old[0], 2), (old[2], 1)):
        for _ in range(times):
            journal.tried(action_id)

    assert journal.heads() == [Head("a:3", 0), Head("a:2", 1), Head("a:1", 2)]
    assert journal.heads(limit=2) == [Head("a:3", 0), Head("a:2", 1)]
    assert [entry.action_id for entry in journal.sending("a:1", 1)] == old[:1]


def test_a_case_has_one_turn_at_a_time_and_a_longer_pause_each_time():
    """Nothing is sent over and over to an engine that refuses at once."""
    turns = Turns()
    for again, pause in ((0, 0.5), (1, 1.0), (2, 2.0), (3, 2.0)):
        now = again * 100.0
        turns.look([Head("a:1", again)], now)
        head = turns.take()
        assert head == Head("a:1", again)
        turns.look([head], now)
        assert turns.take() is None
        turns.back(head, answered=False, now=now)
        turns.look([head], now + pause - 0.1)
        assert turns.take() is None
        assert not turns.idle
    turns.look([], 1000.0)
    assert turns.idle
