"""The clock of a case: each rung fires once, at its due time, and an answer counts from when it was sent."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import suppress
from datetime import timedelta

import pytest
import pytest_asyncio
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.update.v1 import UpdateRef
from temporalio.api.workflowservice.v1 import PollWorkflowExecutionUpdateRequest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.service import RPCError

from tests.conftest import PACKAGE, Bench
from tests.lab.contracts import Decision, Facts, Request
from tests.lab.messages import cause, envelope
from tests.lab.terms import Terms, Tight
from tests.lab.units import Plain
from tests.patience import PATIENCE
from workunits.core.errors import Refused
from workunits.core.parts import parts
from workunits.registry import Catalog
from workunits.testing import Answer

GRANT = Decision(decision="grant")
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


def us(span: timedelta) -> int:
    """A span as the record has it."""
    return span // timedelta(microseconds=1)


def rungs(view):
    """What fired, with its due time in hours."""
    return [(rung.rung, rung.due / us(HOUR)) for rung in view.record.rungs]


async def waiting(bench, unit=Plain, step="decide"):
    """A case that waits for a person, and its task."""
    started = await bench.start(unit)
    return started.case, await bench.task(started.case, step)


@pytest.mark.parametrize(("after", "fired"), [(3, []), (20, ["warn"]), (30, ["warn", "deadline"])])
async def test_each_rung_fires_once_on_one_live_timer(lab, bench, after, fired):
    """Only the next rung is armed: a timer more for each that fired, and never two at a time."""
    answers = {Plain.LOOK: Facts(risk="low"), Plain.DECIDE: Answer(GRANT, after=after * HOUR)}
    view = await lab.run(Plain, Request(request=uuid.uuid4().hex), answers)
    live, most = 0, 0
    async for event in bench.handle(view.case).fetch_history_events():
        kind = event.WhichOneof("attributes")
        live += kind == "timer_started_event_attributes"
        live -= kind in ("timer_fired_event_attributes", "timer_canceled_event_attributes")
        most = max(most, live)

    assert [rung.rung for rung in view.record.rungs] == fired
    assert (await bench.events(view.case, "timer_started"), live, most) == (len(fired) + 1, 0, 1)
    for rung in view.record.rungs:
        assert 0 <= rung.at - rung.due < us(5 * SECOND)


@pytest.mark.parametrize("way", ["update", "signal"])
async def test_an_answer_that_was_sent_in_time_takes_the_breach_back(bench, way):
    """The deadline had fired when it was delivered; the case closes at the time at which the person decided."""
    case, task = await waiting(bench)
    sent = await bench.clock(case) + 23 * HOUR
    await bench.skip(case, 25 * HOUR)
    view = await bench.until(case, lambda view: view if view.record.breached else None)
    assert view.record.sla == "breached"
    message = envelope(task, sent_at=sent.isoformat())
    if way == "update":
        await bench.handle(case).execute_update("act", message)
    else:
        await bench.handle(case).signal("act", message)
    view = await bench.closed(case)

    assert (view.close, view.record.sla, view.record.breached) == ("achieved", "met", None)
    assert rungs(view) == [("warn", 18), ("deadline", 24), ("withdrawn", 24)]
    assert view.record.when(view.record.closed) == sent
    assert sum(parts(view.record).values()) == view.record.closed


async def test_a_sender_cannot_be_in_time_before_the_task_was_ready(bench):
    """What a sender says is clipped to what is possible: from ready to now."""
    case, task = await waiting(bench)
    hour_late = await bench.skip(case, HOUR)
    await bench.cases.act(task.id, "claim", actor="ann", roles=["clerk"], sent_at=task.ready - 9 * HOUR)
    again = await bench.task(case, "decide", state="claimed")
    await bench.answer(again, {"decision": "grant"}, sent_at=hour_late + 9 * HOUR)
    view = await bench.closed(case)

    decided = view.record.steps[1]
    assert decided.claimed == decided.ready
    assert us(HOUR) <= decided.done - decided.ready < us(HOUR + 10 * SECOND)


async def test_parallel_tasks_expire_each_in_its_own_time(lab, bench):
    """An answered task's term does not end the case; the first unanswered one's does."""
    answered = {Terms.EARLY: Answer(GRANT, "ann", 11 * HOUR), Terms.NEVER: Answer(GRANT, "cyd", 20 * HOUR)}
    view = await lab.run(Terms, Request(request=uuid.uuid4().hex), answered)

    early, late, never = view.record.steps
    assert (early.end, late.end, never.end) == ("done", "expired", "done")
    assert (view.close, view.record.why) == ("expired", "late: no expert answered in time")
    assert view.record.closed == late.done == late.ready + us(30 * HOUR)
    assert rungs(view) == [("warn", 18), ("deadline", 24), ("expiry", pytest.approx(30, abs=0.01))]
    assert await bench.events(view.case, "timer_started") == 4


async def test_an_expiry_ends_the_tasks_beside_it(bench):
    """Whoever still acts on one of them hears that the case is over."""
    case, task = await waiting(bench, Terms, "never")
    await bench.skip(case, 12 * HOUR + SECOND)
    view = await bench.closed(case)
    with pytest.raises(Refused, match="closed as expired") as error:
        await bench.answer(task, {"decision": "grant"})

    assert [work.end for work in view.record.steps] == ["expired", "cancelled", "cancelled"]
    assert error.value.code == "closed"


@pytest.mark.parametrize(("after", "overdue"), [(23, False), (25, True)])
async def test_a_unit_can_ask_whether_it_is_overdue(lab, after, overdue):
    """By times: the predicate may weigh lateness, and sees what the record will say."""
    people = {
        step: Answer(GRANT, after=timedelta(hours=after) / (1 + (step is Terms.EARLY) * 4)) for step in Terms.steps
    }
    queue = await lab.run(Terms, Request(request=uuid.uuid4().hex), people)
    result = await lab.client.get_workflow_handle(queue.case).result()

    assert result["result"]["overdue"] is overdue
    assert (queue.record.breached is not None) is overdue


async def test_overdue_counts_from_when_the_answer_was_sent(bench):
    """An answer in time that was delivered late finds the unit not overdue."""
    case, task = await waiting(bench)
    sent = await bench.clock(case) + 23 * HOUR
    await bench.skip(case, 25 * HOUR)
    await bench.answer(task, {"decision": "grant"}, sent_at=sent)
    result = await bench.handle(case).result()

    assert result["result"]["overdue"] is False


# -- an outage over every rung of six cases at once

SENT = "the one that was sent"
"""An update's id."""
IN_TIME, TOO_LATE = -0.1, 0.1
"""Seconds from a task's expiry."""
OUTAGE = {
    "nobody": ("after", None, None),
    "nobody_early": ("before", None, None),
    "update_in_time": ("after", "update", IN_TIME),
    "signal_in_time": ("after", "signal", IN_TIME),
    "update_too_late": ("after", "update", TOO_LATE),
    "signal_too_late": ("after", "signal", TOO_LATE),
    "open": ("open", None, None),
}
"""Case -> its task, how it was answered while no worker was up, and when the person decided."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def outage(lab):
    """What became of each case, and what its sender was told."""
    late = Bench(lab, Catalog([PACKAGE]), queue="outage")
    async with late.worker():
        tasks = {name: await _open(late, mood) for name, (mood, *_) in OUTAGE.items()}
    due = {name: await late.until(_case(task), lambda view: view.due) for name, task in tasks.items()}
    # Time cannot be skipped past a timer that no worker takes: the last seconds pass by themselves.
    await asyncio.gather(*(_skip(late, task, due[name] - 1.5 * SECOND) for name, task in tasks.items()))
    for name, task in tasks.items():
        await late.reaches(_case(task), due[name] + 1.6 * SECOND)
    sent = {name: asyncio.create_task(_send(late, tasks[name], *how)) for name, (_, *how) in OUTAGE.items() if how[0]}
    for name, sending in sent.items():  # all of it is there before a worker is
        await (sending if name.startswith("signal") else _admitted(late, _case(tasks[name])))
    async with late.worker():
        await late.until(_case(tasks["open"]), lambda view: view.record and view.record.breached)
        await late.answer(tasks["open"], {"decision": "grant"}, sent_at=await late.clock(_case(tasks["open"])))
        said = dict(zip(sent, await asyncio.gather(*sent.values()), strict=True))
        views = {name: await late.closed(_case(task)) for name, task in tasks.items()}
    return {name: (views[name], tasks[name], said.get(name)) for name in OUTAGE}


def _case(task):
    return task.id.rpartition("/")[0]


async def _open(late, mood):
    started = await late.start(Tight, mood)
    return await late.task(started.case, mood)


async def _skip(late, task, to):
    await late.skip(_case(task), to - await late.clock(_case(task)))


async def _admitted(late, case):
    """Wait until the engine holds an update that no worker has taken."""
    update = UpdateRef(workflow_execution=WorkflowExecution(workflow_id=case), update_id=SENT)
    there = PollWorkflowExecutionUpdateRequest(namespace="default", update_ref=update)
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(RPCError):
                return await late.client.workflow_service.poll_workflow_execution_update(there)
            await asyncio.sleep(0.01)


async def _send(late, task, way, offset):
    handle, message = late.handle(_case(task)), envelope(task, sent_at=(task.expires + offset * SECOND).isoformat())
    if way == "signal":
        return await handle.signal("act", message)
    try:
        return await handle.execute_update("act", message, id=SENT)
    except WorkflowUpdateFailedError as error:
        return cause(error).type


def test_f7_what_came_due_while_no_worker_was_up_has_its_due_time(outage):
    """An outage moves no breach: warn and deadline fire once each, late, and say when they were due."""
    view, *_ = outage["open"]

    assert [name for name, _ in rungs(view)] == ["warn", "deadline"]
    assert all(rung.at > us(24 * HOUR + SECOND) for rung in view.record.rungs)
    assert (view.record.warned, view.record.breached) == (int(us(24 * HOUR) * 0.999995), us(24 * HOUR))
    assert (view.close, view.record.sla) == ("achieved_late", "breached")


def test_f7_a_task_that_expired_while_no_worker_was_up_ends_the_case_at_its_due_time(outage):
    """The worker comes back later; the case closed when the term was over."""
    view, task, _ = outage["nobody"]

    assert (view.close, view.record.when(view.record.closed)) == ("expired", task.expires)
    assert view.record.breached == us(24 * HOUR)
    assert [name for name, _ in rungs(view)] == ["warn", "deadline", "expiry"]
    assert sum(parts(view.record).values()) == view.record.closed


def test_f7_a_case_that_was_over_before_its_deadline_has_no_breach(outage):
    """Both came due in the outage, the expiry first."""
    view, task, _ = outage["nobody_early"]

    assert (view.close, view.record.when(view.record.closed)) == ("expired", task.expires)
    assert (view.record.warned, view.record.breached) == (None, None)
    assert [name for name, _ in rungs(view)] == ["expiry"]


@pytest.mark.parametrize("way", ["update", "signal"])
def test_an_answer_in_time_beats_an_expiry_that_no_worker_saw(outage, way):
    """Both waited for the worker; the times decide, and not which of them is looked at first."""
    view, task, said = outage[f"{way}_in_time"]

    assert (view.close, view.record.when(view.record.closed)) == ("achieved_late", task.expires + IN_TIME * SECOND)
    assert "expiry" not in [name for name, _ in rungs(view)]
    assert (said or {}).get("state", "completed") == "completed"


@pytest.mark.parametrize("way", ["update", "signal"])
def test_an_answer_sent_after_the_expiry_is_too_late_although_no_worker_saw_that(outage, way):
    """A tenth of a second late is late, also when the message is looked at before the timer."""
    view, task, said = outage[f"{way}_too_late"]

    assert (view.close, view.record.when(view.record.closed)) == ("expired", task.expires)
    assert said == ("expired" if way == "update" else None)
    assert [ignored.code for ignored in view.record.ignored] == ([] if way == "update" else ["expired"])
