"""F1: kill -9 a worker in a step and at the close. The step is done again, its effect happens once."""

import pytest
from temporalio.api.enums.v1 import EventType

from tests.faults.fleet import TASK_TIMEOUT, frozen, kill


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_f01_killed_in_a_step(fleet, moment):
    """Whether the worker dies before its effect or between effect and answer: another does the step again."""
    workers = [fleet.worker(), fleet.worker()]
    case = await fleet.start(trouble=f"{moment} fetch")
    step = f"{case}/fetch"
    await fleet.until(lambda: fleet.book.calls(step))

    lost = fleet.worker_in(step, *workers)
    kill(lost)
    fleet.book.release(step)
    task = await fleet.task(case)
    await fleet.answer(task)
    record = await fleet.closed(case)

    calls = fleet.book.calls(step)
    fetch = record.steps[0]
    assert not any(call.ended for call in calls if call.pid == lost.process.pid)
    assert calls[-1].pid != lost.process.pid
    assert calls[-1].ended
    assert fleet.book.effects(case) == ["fetch", "deliver"]
    assert record.close == "achieved"
    assert [work.key for work in record.steps] == ["fetch", "confirm", "deliver"]
    assert fetch.attempts == calls[-1].attempt > 1
    assert fetch.end == "done"
    assert sum(end - start for start, end in fetch.retry) > 0


async def test_f01_killed_at_the_close(fleet):
    """A worker that dies with the closing task in its hands leaves it to another: the case closes once."""
    queues = f"automated={fleet.queue}-steps,ai={fleet.queue}-steps"
    first = fleet.worker("--executors", "cases", WORKUNITS_QUEUES=queues)
    fleet.worker("--executors", "automated,ai", WORKUNITS_QUEUES=queues)
    case = await fleet.start(trouble="before deliver", task_timeout=TASK_TIMEOUT)
    await fleet.answer(await fleet.task(case))
    step = f"{case}/deliver"
    await fleet.until(lambda: fleet.book.calls(step))

    with frozen(first):
        fleet.book.release(step)
        await fleet.until(lambda: closing_task_is_out(fleet, case))
        kill(first)
    fleet.worker("--executors", "cases", WORKUNITS_QUEUES=queues)
    record = await fleet.closed(case)

    events = await fleet.event_types(case)
    assert record.close == "achieved"
    assert EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT in events
    assert events.count(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED) == 1
    assert fleet.book.effects(case) == ["fetch", "deliver"]
    assert [work.attempts for work in record.steps] == [1, 1, 1]


async def closing_task_is_out(fleet, case):
    """Whether the last step has ended, and a worker has taken the task that closes the case."""
    done = [EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED]
    return [kind for kind in await fleet.event_types(case) if kind in done][-2:] == done


async def test_f01_a_long_step_is_heard_from(fleet):
    """A step that may take longer than half a minute tells the engine that its worker lives."""
    fleet.worker()
    case = await fleet.start(trouble="before deliver")
    await fleet.answer(await fleet.task(case))
    step = f"{case}/deliver"
    await fleet.until(lambda: fleet.book.calls(step))

    await fleet.until(lambda: is_heard_from(fleet, case))
    fleet.book.release(step)
    record = await fleet.closed(case)

    scheduled = [event.activity_task_scheduled_event_attributes for event in await fleet.events(case)]
    limits = {about.activity_id: about.heartbeat_timeout.ToSeconds() for about in scheduled if about.activity_id}
    assert limits == {"fetch": 0, "deliver": 30}
    assert record.close == "achieved"


async def is_heard_from(fleet, case):
    """Whether the engine has had a heartbeat from the case's running step."""
    said = await fleet.client.get_workflow_handle(case).describe()
    return said.raw_description.pending_activities[0].HasField("last_heartbeat_time")
