"""The clock of a case: each rung fires once, at its due time, and an answer counts from when it was sent."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError

from tests.lab.contracts import Decision, Facts, Request
from tests.lab.messages import cause, envelope
from tests.lab.terms import Terms
from tests.lab.units import Plain
from workunits.core.errors import Refused
from workunits.core.parts import parts
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


@pytest.mark.parametrize(
    ("after", "fired", "started", "ended"),
    [(3, [], 1, 1), (20, ["warn"], 2, 2), (30, ["warn", "deadline"], 3, 3)],
)
async def test_each_rung_fires_once_on_one_live_timer(lab, bench, after, fired, started, ended):
    """Only the next rung is armed: a timer more for each that fired, and never two at a time."""
    answers = {Plain.LOOK: Facts(risk="low"), Plain.DECIDE: Answer(GRANT, after=after * HOUR)}
    view = await lab.run(Plain, Request(request=uuid.uuid4().hex), answers)
    live, most = 0, 0
    async for event in bench.handle(view.case).fetch_history_events():
        kind = event.WhichOneof("attributes")
        live += kind == "timer_started_event_attributes"
        live -= kind in ("timer_fired_event_attributes", "timer_canceled_event_attributes")
        most = max(most, live)
    over = await bench.events(view.case, "timer_fired") + await bench.events(view.case, "timer_canceled")

    assert [rung.rung for rung in view.record.rungs] == fired
    assert (await bench.events(view.case, "timer_started"), over, most) == (started, ended, 1)
    for rung in view.record.rungs:
        assert 0 <= rung.at - rung.due < us(5 * SECOND)


async def test_f7_what_came_due_while_no_worker_was_up_has_its_due_time(late):
    """An outage moves no breach: warn and deadline fire once each, late, and say when they were due."""
    key = uuid.uuid4().hex
    started = await late.cases.start("plain", json.dumps({"request": key}).encode())
    async with late.worker():
        await late.task(started.case, "decide")
    await late.skip(started.case, 30 * HOUR)
    async with late.worker():
        view = await late.until(started.case, lambda view: view if view.record.rungs else None)
        await late.answer(view.tasks[0], {"decision": "grant"}, sent_at=await late.clock(started.case))
        view = await late.closed(started.case)

    assert rungs(view) == [("warn", 18), ("deadline", 24)]
    assert all(rung.at >= us(29 * HOUR) for rung in view.record.rungs)
    assert (view.record.warned, view.record.breached) == (us(18 * HOUR), us(24 * HOUR))
    assert (view.close, view.record.sla) == ("achieved_late", "breached")


async def test_f7_a_task_that_expired_while_no_worker_was_up_ends_the_case_at_its_due_time(late):
    """The worker comes back ten days later; the case closed when the term was over."""
    started = await late.start(Plain)
    async with late.worker():
        task = await late.task(started.case, "decide")
    await late.skip(started.case, timedelta(days=10))
    async with late.worker():
        view = await late.closed(started.case)

    assert (view.close, view.record.closed) == ("expired", us(task.expires - view.record.started))
    assert [name for name, _ in rungs(view)] == ["warn", "deadline", "expiry"]
    assert sum(parts(view.record).values()) == view.record.closed


async def test_f7_an_expiry_before_the_deadline_leaves_no_breach_behind(late):
    """Both came due in the outage; the case was over before its deadline."""
    started = await late.start(Terms)
    async with late.worker():
        await late.task(started.case, "early")
    await late.skip(started.case, timedelta(days=2))
    async with late.worker():
        view = await late.closed(started.case)

    assert (view.close, view.record.closed, view.record.breached) == (
        "expired",
        us(view.record.steps[0].done * timedelta(microseconds=1)),
        None,
    )
    assert view.record.closed // us(SECOND) == 12 * 3600


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


@pytest.mark.parametrize("way", ["update", "signal"])
async def test_an_answer_in_time_beats_an_expiry_that_no_worker_saw(late, way):
    """Both wait for the worker; the times decide, and not which of them is looked at first."""
    started = await late.start(Plain)
    async with late.worker():
        task = await late.task(started.case, "decide")
    sent = task.expires - SECOND
    await late.skip(started.case, 40 * HOUR)
    message = envelope(task, sent_at=sent.isoformat())
    if way == "signal":
        await late.handle(started.case).signal("act", message)
        async with late.worker():
            view = await late.closed(started.case)
    else:
        answer = asyncio.create_task(late.handle(started.case).execute_update("act", message))
        async with late.worker():
            await answer
            view = await late.closed(started.case)

    assert (view.close, view.record.when(view.record.closed)) == ("achieved_late", sent)
    assert "expiry" not in [name for name, _ in rungs(view)]


@pytest.mark.parametrize("way", ["update", "signal"])
async def test_an_answer_sent_after_the_expiry_is_too_late_although_no_worker_saw_that(late, way):
    """One second late is late, also when the message is looked at before the timer."""
    started = await late.start(Plain)
    async with late.worker():
        task = await late.task(started.case, "decide")
    await late.skip(started.case, 40 * HOUR)
    message = envelope(task, sent_at=(task.expires + SECOND).isoformat())
    if way == "signal":
        await late.handle(started.case).signal("act", message)
        async with late.worker():
            view = await late.closed(started.case)
        assert [ignored.code for ignored in view.record.ignored] == ["expired"]
    else:
        answer = asyncio.create_task(late.handle(started.case).execute_update("act", message))
        async with late.worker():
            with pytest.raises(WorkflowUpdateFailedError) as error:
                await answer
            view = await late.closed(started.case)
        assert cause(error.value).type in ("expired", "closed")

    assert (view.close, view.record.closed) == ("expired", us(task.expires - view.record.started))


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
