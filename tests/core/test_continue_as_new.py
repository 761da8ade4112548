"""A case with a long history goes on as a new run: nothing is lost on the way, and nothing happens twice."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowUpdateFailedError

from tests.core.long_runs import LIMIT, fill_run
from tests.lab.freight import Freighter
from tests.lab.messages import cause, envelope
from tests.lab.performers import EFFECTS, HELD
from tests.lab.terms import Crowd
from tests.lab.units import Pair, Plain, Sequence
from tests.patience import PATIENCE
from workunits.core.errors import Refused
from workunits.core.record import START_MEMO

WORKED = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
HOUR = timedelta(hours=1)
GRANT = {"decision": "grant"}


async def attempt(bench, task, action, actor, action_id):
    """What one action is answered: the task's revision, or the code with which it is refused."""
    try:
        said = await bench.cases.act(task.id, action, actor=actor, roles=[task.role], action_id=action_id)
    except Refused as refused:
        return refused.code
    return said["revision"]


async def test_f13_updates_that_race_with_it_are_all_answered_and_none_twice(bench, short_runs):
    """Eight people fight for one task until each has had it three times; the record says what each was answered."""
    started = await bench.start(Pair)
    task = await bench.task(started.case, "left")
    answers: dict[str, int | str] = {}

    async def insist(action, person):
        said = None
        while not isinstance(said, int):
            action_id = uuid.uuid4().hex
            said = answers[action_id] = await attempt(bench, task, action, person, action_id)

    async def person(name):
        for _ in range(3):
            await insist("claim", name)
            await insist("release", name)

    await asyncio.gather(*(person(f"p{number}") for number in range(8)))
    await bench.until(started.case, lambda view: view.record.runs >= 2)  # a run also takes what comes on its way out
    for step in ("left", "right"):
        await bench.answer(await bench.task(started.case, step), GRANT)
    view = await bench.closed(started.case)
    accepted = {action_id: said for action_id, said in answers.items() if isinstance(said, int)}

    assert sorted(accepted.values()) == list(range(2, 50))
    assert accepted == {acted.id: acted.revision for acted in view.record.actions[:-2]}
    assert {said for said in answers.values() if isinstance(said, str)} <= {
        "not_owner",
        "wrong_state",
        "stale_revision",
    }
    assert view.close == "achieved"


async def test_f13_an_action_of_an_earlier_run_has_its_answer_and_keeps_its_content(bench, short_runs):
    """Temporal's memory of updates ends with a run; the unit's does not."""
    started = await bench.start(Pair)
    task = await bench.task(started.case, "left")
    claim = envelope(task, action="claim", body={})
    first = await bench.handle(started.case).execute_update("act", claim)
    await bench.cases.act(task.id, "release", actor="ann", roles=["clerk"])
    await fill_run(bench, task)
    again = bench.handle(started.case)

    assert first == await again.execute_update("act", claim)
    assert first == await bench.cases.act(task.id, "claim", actor="ann", roles=["clerk"], action_id=claim["action_id"])
    with pytest.raises(WorkflowUpdateFailedError) as error:
        await again.execute_update("act", {**claim, "actor": "bob"})
    assert cause(error.value).type == "action_id_reused"


async def test_f13_an_action_on_its_way_while_the_case_is_reset_reaches_the_new_run(late):
    """The run under it has ended and the case has not: whoever decided is not told that it was too late."""
    async with late.worker():
        case = (await late.start(Pair)).case
        left, right = [await late.task(case, step) for step in ("left", "right")]
        await late.cases.act(left.id, "claim", actor="ann", roles=["clerk"])
    handle = late.handle(case)
    last = [event.event_id async for event in handle.fetch_history_events() if event.event_type == WORKED][-1]
    sent = asyncio.create_task(late.cases.act(right.id, "claim", actor="bob", roles=[right.role], patience=PATIENCE))
    async with asyncio.timeout(PATIENCE):
        while True:
            there = await handle.describe()
            if there.raw_description.HasField("pending_workflow_task"):
                break
            await asyncio.sleep(0.01)
    run = WorkflowExecution(workflow_id=case, run_id=there.run_id)
    await late.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace="default", workflow_execution=run, workflow_task_finish_event_id=last, request_id=uuid.uuid4().hex
        )
    )
    async with late.worker():
        said = await sent

    assert (said["task_id"], said["state"]) == (right.id, "claimed")
    assert (await late.cases.show(case)).run != there.run_id


async def test_f13_what_a_run_answers_on_its_way_out_is_seen_at_once(bench, short_runs, monkeypatch):
    """It goes on to answer until it ends; whoever looks reads the revision that their next action needs."""
    monkeypatch.setattr("workunits.core.pace._NEXT_TASK", 60.0)
    started = await bench.start(Pair)
    task = await bench.task(started.case, "left")
    for turn in range(LIMIT + 4):
        said = await bench.cases.act(task.id, ("claim", "release")[turn % 2], actor="ann", roles=[task.role])
        view = await bench.cases.show(started.case)
        assert said["revision"] in {task.revision for task in view.tasks}
    await bench.cases.cancel(started.case, actor="ops", reason="enough")
    view = await bench.closed(started.case)

    assert (view.close, view.record.runs, len(view.record.actions)) == ("cancelled", 1, LIMIT + 4)


async def test_f13_a_second_answer_to_a_task_of_an_earlier_run_hears_that_it_is_completed(bench, short_runs):
    """Only open tasks travel; what became of the others is on the record."""
    started = await bench.start(Pair)
    left = await bench.task(started.case, "left")
    await bench.answer(left, GRANT)
    await fill_run(bench, await bench.task(started.case, "right"))
    with pytest.raises(Refused, match="the task is completed") as error:
        await bench.answer(left, {"decision": "refuse", "reason": "no"}, by="bob")

    assert error.value.code == "closed"


async def test_everything_that_counts_travels(bench, short_runs):
    """Open tasks, done steps, the clock, the memo, the attributes and the starter's note are those of before."""
    accepted = datetime(2026, 3, 1, tzinfo=UTC)
    data = Sequence.case_type(request=uuid.uuid4().hex, mood="odd").model_dump_json().encode()
    started = await bench.cases.start("sequence", data, accepted_at=accepted)
    await bench.answer(await bench.task(started.case, "first"), GRANT)
    task = await bench.task(started.case, "look_by_hand")
    asked = await bench.cases.question(task.id)
    before = await bench.cases.show(started.case)
    description = await bench.handle(started.case).describe()
    after_task = await fill_run(bench, task)
    after = await bench.cases.show(started.case)
    now = await bench.handle(started.case).describe()

    assert now.run_id != description.run_id
    for part in ("case", "key", "unit", "version", "started", "due", "accepted_at", "facts", "routes", "runs"):
        there, here = getattr(before.record, part), getattr(after.record, part)
        assert (there, 2) == (1, here) if part == "runs" else there == here, part
    assert after.record.accepted_at == accepted
    assert [work.key for work in after.record.steps] == ["first", "look", "look_by_hand"]
    assert before.record.steps[:2] == after.record.steps[:2]
    assert (task.id, task.ready, task.because) == (after_task.id, after_task.ready, "odd")
    assert (await description.memo())[START_MEMO] == (await now.memo())[START_MEMO]
    assert asked["evidence"] == (await bench.cases.question(task.id))["evidence"] == {"found": "a second head"}
    attributes = {pair.key.name: pair.value for pair in now.typed_search_attributes}
    assert (attributes["WorkUnitState"], attributes["WorkUnitOpenTasks"]) == ("waiting", 1)
    assert attributes["WorkUnitDueAt"] == before.due
    assert (await bench.cases.start("sequence", data)).existing
    await bench.answer(after_task, {"risk": "seen"})
    await bench.answer(await bench.task(started.case, "last"), GRANT)
    view = await bench.closed(started.case)

    assert (view.close, view.record.runs) == ("achieved", 2)
    assert (await bench.handle(started.case).result())["result"]["by"] == ["seen"]
    assert [work.key for work in view.record.steps] == ["first", "look", "look_by_hand", "last"]


async def test_the_clock_goes_on_in_the_new_run(bench, short_runs):
    """Rungs that fired stay fired, those that are due still come, and a task expires when it would have."""
    started = await bench.start(Plain)
    task = await bench.task(started.case, "decide")
    await bench.skip(started.case, 20 * HOUR)
    await bench.until(started.case, lambda view: view.record.warned)
    await fill_run(bench, task)
    await bench.skip(started.case, 17 * HOUR)
    view = await bench.closed(started.case)

    assert (view.close, view.record.when(view.record.closed)) == ("expired", task.expires)
    assert [rung.rung for rung in view.record.rungs] == ["warn", "deadline", "expiry"]
    assert view.record.breached == 24 * HOUR // timedelta(microseconds=1)


async def test_messages_do_not_interrupt_a_machine_step(bench, short_runs):
    """A new run waits until the performer is done: its result would have nobody to go to."""
    key = uuid.uuid4().hex
    HELD[key] = asyncio.Event()
    case = (await bench.start(Sequence, "held", request=key)).case
    await bench.answer(await bench.task(case, "first"), GRANT)
    for _ in range(2 * LIMIT):
        await bench.handle(case).signal("act", {"nope": 1})
    with pytest.raises(Refused, match="no such task"):
        await bench.cases.act(f"{case}/last", "claim", actor="ann", roles=["clerk"])  # all signals are taken by now
    HELD[key].set()
    await bench.until(case, lambda view: view.record.runs == 2)  # else the answer may close the first run
    await bench.answer(await bench.task(case, "last"), GRANT)
    view = await bench.closed(case)

    assert (view.close, view.record.runs, view.record.ignored_count) == ("achieved", 2, 2 * LIMIT)
    assert EFFECTS.count(f"{case}/look") == view.record.steps[1].attempts == 1


async def heavy(bench):
    """A case that carries over 256 KB, with which no new run could start."""
    case = Freighter.case_type(request=uuid.uuid4().hex, ask=True, letter="語" * 90_000)
    started = await bench.cases.start("freight", case.model_dump_json().encode())
    return started.case, await bench.task(started.case, "sign")


async def signals(bench, case, count):
    """Send nonsense until it is on the record."""
    before = (await bench.cases.show(case)).record.ignored_count
    for _ in range(count):
        await bench.handle(case).signal("act", {"nope": 1})
    await bench.until(case, lambda view: not view.is_open or view.record.ignored_count >= before + count)


async def test_a_case_that_carries_too_much_stays_in_its_run(bench, short_runs):
    """Messages, nonsense of strangers among them, end no sound case: it goes on for as long as the engine lets it."""
    case, task = await heavy(bench)
    await signals(bench, case, 2 * LIMIT)
    await bench.answer(task, GRANT)
    view = await bench.closed(case)

    assert (view.close, view.record.runs, view.record.ignored_count) == ("achieved", 1, 2 * LIMIT)


async def test_a_case_that_carries_too_much_closes_before_the_engine_ends_it(bench, short_runs, monkeypatch):
    """At the end of its run it says why, with a record, instead of vanishing."""
    monkeypatch.setattr("workunits.core.carry.LAST_MESSAGES", 2 * LIMIT)
    case, _ = await heavy(bench)
    await signals(bench, case, 2 * LIMIT)
    view = await bench.closed(case)

    assert (view.close, view.record.reason) == ("failed", "too_large")
    assert "by reference" in view.record.why
    assert view.record.steps[-1].end == "cancelled"


async def crowd(bench, each, send, runs=1):
    """Forty clients, each with a task of its own, claim and release it in turn; the case then, and closed.

    It is cancelled once it has had so many runs: it hears of a cancel before it goes on as another.
    """
    started = await bench.start(Crowd, amount=40)
    tasks = await bench.until(started.case, lambda view: view.tasks if len(view.tasks) == 40 else None)

    async def client(task):
        for turn in range(each):
            await send(task, ("claim", "release")[turn % 2], turn + 1)

    def arrived(view):
        told = len(view.tasks) == 40 and {task.revision for task in view.tasks} == {each + 1}
        return view if told and view.record.runs >= runs else None

    await asyncio.gather(*(client(task) for task in tasks))
    view = await bench.until(started.case, arrived)
    await bench.cases.cancel(started.case, actor="ops", reason="enough")
    return view, await bench.closed(started.case)


async def test_f14_signals_from_40_clients_over_our_limit_are_all_applied(bench):
    """1,640 of them, with the real limit of 1,500: all are on open tasks, whose actions travel while there is room."""

    async def send(task, action, revision):
        message = envelope(task, action=action, body={}, revision=revision)
        await bench.handle(task.id.rpartition("/")[0]).signal("act", message)

    view, closed = await crowd(bench, 41, send, runs=2)

    assert (closed.close, closed.record.runs, closed.record.ignored_count) == ("cancelled", 2, 0)
    assert {task.owner for task in view.tasks} == {"ann"}


async def test_f14_a_flood_is_judged_in_several_tasks_and_in_its_order(bench, monkeypatch):
    """What is too much for one workflow task waits for the next, so that none takes too long; nothing is lost."""
    monkeypatch.setattr("workunits.core.human.HEARD_AT_ONCE", 5)

    async def send(task, action, revision):
        message = envelope(task, action=action, body={}, revision=revision)
        await bench.handle(task.id.rpartition("/")[0]).signal("act", message)

    _, closed = await crowd(bench, 8, send)

    assert (closed.close, closed.record.ignored_count) == ("cancelled", 0)
    assert len(closed.record.actions) == 320


async def test_f14_updates_from_40_clients_over_a_lower_limit_are_all_answered(bench, short_runs):
    """160 of them, the runs short: the server takes ten updates at a time, and the client repeats the others.

    How many runs that makes is the server's affair: each also takes what comes between its tenth message and its end.
    """

    async def send(task, action, revision):
        said = await bench.cases.act(
            task.id, action, actor="ann", roles=[task.role], revision=revision, patience=PATIENCE
        )
        state = {"claim": "claimed", "release": "ready"}[action]
        assert said == {"task_id": task.id, "state": state, "revision": revision + 1}

    _, closed = await crowd(bench, 4, send, runs=2)

    assert len({acted.id for acted in closed.record.actions}) == len(closed.record.actions) == 160
