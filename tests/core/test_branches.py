"""What runs beside each other: each branch keeps its own answers, and what was stopped begins nothing more."""

from __future__ import annotations

import asyncio
import threading
import uuid
from contextlib import suppress

import pytest
from temporalio import workflow

from tests.core.long_runs import fill_run
from tests.lab.branching import Beside, Caller, Hasty, Redrawn
from tests.lab.contracts import Facts
from tests.lab.performers import EFFECTS, HELD
from tests.patience import PATIENCE
from workunits.client import UnknownCaseError
from workunits.core.branches import Branches
from workunits.core.calls import Calls
from workunits.core.proposal import digest
from workunits.core.record import Work

GRANT, REFUSE = {"decision": "grant"}, {"decision": "refuse", "reason": "too risky"}


async def held(bench, unit, mood=""):
    """A case of which something is held, and the event that lets it go."""
    request = uuid.uuid4().hex[:12]
    HELD[request] = asyncio.Event()
    return (await bench.start(unit, mood, request=request)).case, HELD[request]


async def called_by(bench, case):
    """The case that a case has called, once it is there."""
    called = await bench.until(case, lambda view: view.record and next((w.child for w in view.record.steps), None))
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(UnknownCaseError):
                return (await bench.cases.show(called)).case
            await asyncio.sleep(0.01)


async def test_each_branch_keeps_its_answer_in_the_next_run(bench, short_runs):
    """The slower branch comes to its person last, and in the new run first: the person is asked the same as before."""
    case, go = await held(bench, Beside)
    quick = await bench.task(case, "decide")
    go.set()
    slow = await bench.until(case, lambda view: next((t for t in view.tasks if t.id != quick.id), None))
    await bench.answer(quick, REFUSE)
    slow = await fill_run(bench, slow)

    assert (await bench.cases.question(slow.id))["asked"]["risk"] == "held"
    await bench.answer(slow, GRANT)
    await bench.answer(await bench.task(case, "last"), GRANT)
    assert (await bench.handle(case).result())["result"]["by"] == ["held: grant", "quick: refuse"]
    assert [key for key in EFFECTS if key.startswith(f"{case}/")] == [f"{case}/look", f"{case}/look-2"]


async def test_what_is_done_again_in_a_branch_is_its_own(bench):
    """The rework is of that branch's performance, not of the one that another branch had last."""
    case, go = await held(bench, Beside)
    quick = await bench.task(case, "decide")
    go.set()
    slow = await bench.until(case, lambda view: next((t for t in view.tasks if t.id != quick.id), None))
    await bench.answer(quick, {"decision": "refuse", "reason": "again"})
    view = await bench.until(case, lambda view: len(view.record.steps) > 4 and view)

    assert slow.id.endswith("decide-2")
    assert [(work.key, work.redo_of) for work in view.record.steps if work.redo_of] == [("decide-3", "decide")]


async def test_what_was_undone_before_leaves_alone_what_was_done_since(bench, short_runs):
    """The new run comes to the compensation once more, on its way: what was drawn up after it stands."""
    case = (await bench.start(Redrawn)).case
    await bench.answer(await bench.task(case, "answer"), REFUSE)
    answer = await fill_run(bench, await bench.task(case, "answer"))
    done = [key.rpartition("/")[2] for key in EFFECTS if key.startswith(f"{case}/")]

    assert done == ["draw", "draw-undo", "draw-2"]
    await bench.answer(answer, REFUSE)
    view = await bench.closed(case)
    assert [(work.key, work.undoes) for work in view.record.steps if work.undoes] == [
        ("draw-undo", "draw"),
        ("draw-2-undo", "draw-2"),
    ]


@pytest.fixture
def gate(monkeypatch):
    """Holds cases of a unit where they stop what they do, in the thread that conducts them."""
    waits, there = threading.Event(), threading.Event()
    units: set[str] = set()
    stop = Branches.stop

    async def stop_later(self, *, for_good):
        if workflow.info().workflow_type in units:
            there.set()
            waits.wait(30)
        await stop(self, for_good=for_good)

    monkeypatch.setattr(Branches, "stop", stop_later)
    yield units, there, waits
    waits.set()


async def test_a_case_that_is_cancelled_as_the_one_it_called_ends_begins_nothing_more(bench, gate):
    """The called case never heard of it and was achieved: the caller is cancelled all the same, with a record."""
    units, there, waits = gate
    case = (await bench.start(Caller)).case
    called = await called_by(bench, case)
    left, right = [await bench.task(called, step) for step in ("left", "right")]
    await bench.answer(left, GRANT)
    units.add("caller")
    await bench.cases.cancel(case, actor="ops", reason="not wanted")
    await asyncio.to_thread(there.wait, 30)
    await bench.answer(right, GRANT)
    assert (await bench.closed(called)).close == "achieved"
    waits.set()
    view = await bench.closed(case)

    assert (view.close, view.record.cancelled_by) == ("cancelled", "ops: not wanted")
    assert [work.step for work in view.record.steps if work.kind == "human"] == []


async def test_a_cancel_while_a_case_closes_leaves_it_its_close(bench, gate):
    """It waits for the case that it called to end; a cancel meanwhile changes nothing, and the record is whole."""
    units, there, waits = gate
    case, go = await held(bench, Caller, "odd later")
    called = await called_by(bench, case)
    await bench.task(called, "left")
    units.add("pair")
    go.set()
    await asyncio.to_thread(there.wait, 30)
    done = await bench.events(case, "workflow_task_completed")
    await bench.handle(case).cancel(reason="ops: too late")
    async with asyncio.timeout(PATIENCE):
        while await bench.events(case, "workflow_task_completed") == done:  # noqa: ASYNC110 - the engine tells nobody
            await asyncio.sleep(0.01)
    waits.set()
    view = await bench.closed(case)

    assert (view.close, view.record.reason, view.record.closed is not None) == ("not_achieved", "odd", True)
    assert (await bench.closed(called)).close == "cancelled"


async def test_a_case_that_ends_before_the_one_it_calls_has_begun_asks_nobody(bench):
    """What could not be started any more is no failure of it, which a rule would have a person do by hand."""
    case = (await bench.start(Hasty, "odd")).case
    view = await bench.closed(case)

    assert (view.close, view.record.reason) == ("not_achieved", "odd")
    assert [route.key for route in view.record.routes] == ["look"]
    assert [work.step for work in view.record.steps if work.kind == "human"] == []


async def test_a_key_that_no_case_can_have_fails_the_step_and_not_the_case(bench):
    """A rule says what follows; before, the case stood still for ever."""
    case = (await bench.start(Hasty, "long key")).case
    task = await bench.task(case, "by_hand")
    (route,) = (await bench.cases.show(case)).record.routes

    assert (route.key, route.code, route.to) == ("sub", "unit_not_started", "by_hand")
    await bench.answer(task, {"granted": True})
    assert (await bench.closed(case)).close == "achieved"


def work(step: str, *keys: str) -> list[Work]:
    """What an earlier run performed."""
    return [Work(key=key, step=step, kind="human", ready=0) for key in keys]


async def test_a_case_of_an_earlier_program_goes_on_by_turn():
    """It did not note what its branches were given: they are answered as it would have answered them."""
    calls, branch = Calls(work("decide", "decide", "decide-2")), asyncio.current_task()
    claimed = [calls.claim("decide", Facts(risk=risk), branch)[0] for risk in ("b", "a", "c")]

    assert claimed == ["decide", "decide-2", "decide-3"]
    assert list(calls.branches) == claimed


async def test_parts_of_a_performance_count_once():
    """Votes, a proposal and what followed a decoy are of one performance, which one call takes whole."""
    steps = work("decide", "decide-ai", "decide-v1", "decide-v2", "decide-3-again")
    calls = Calls(steps, {"decide": digest(Facts(risk="a"))})

    assert calls.claim("decide", Facts(risk="a"), None) == ("decide-3", None)
    assert calls.claim("decide", Facts(risk="b"), asyncio.current_task()) == ("decide-4", None)
    assert calls.claim("decide", Facts(risk="a"), asyncio.current_task()) == ("decide", "decide-4")
