"""F3: a worker that stands still for longer than its step may take, and then goes on as if nothing had been."""

import pytest
from temporalio.api.workflowservice.v1 import RespondActivityTaskCompletedRequest
from temporalio.service import RPCError, RPCStatusCode

from tests.faults.fleet import frozen


async def test_f03_the_zombies_late_work_changes_nothing(fleet):
    """Another worker has done the step: the effect that the zombie then has, and its answer, come to nothing."""
    queues = f"automated={fleet.queue}-steps,ai={fleet.queue}-steps"
    # With one step at a time, it asks for no other: what is given to a frozen worker comes back late.
    steps = {"WORKUNITS_QUEUES": queues, "WORKUNITS_MAX_ACTIVITIES": "1"}
    fleet.worker("--executors", "cases", WORKUNITS_QUEUES=queues)
    zombie = fleet.worker("--executors", "automated,ai", **steps)
    case = await fleet.start(trouble="before fetch")
    step = f"{case}/fetch"
    [lost] = await fleet.until(lambda: fleet.book.calls(step))

    with frozen(zombie):
        fleet.worker("--executors", "automated,ai", **steps)
        fleet.book.release(step)
        task = await fleet.task(case)
        before = await fleet.cases.show(case)
        events = len(await fleet.events(case))
        done = fleet.book.calls(step)[-1]
        assert done.ended
        assert done.pid != zombie.process.pid
        assert lost in fleet.book.calls(step)
    await fleet.until(lambda: lost not in fleet.book.calls(step))
    with pytest.raises(RPCError) as refused:
        await answer_late(fleet, lost)

    assert refused.value.status == RPCStatusCode.NOT_FOUND
    assert fleet.book.effects(case) == ["fetch"]
    assert len(await fleet.events(case)) == events
    assert (await fleet.cases.show(case)).record == before.record
    await fleet.answer(task)
    record = await fleet.closed(case)
    assert record.close == "achieved"
    assert record.steps[0].attempts == done.attempt > 1
    assert fleet.book.effects(case) == ["fetch", "deliver"]


async def answer_late(fleet, call):
    """Send the answer that the zombie's attempt has, with its own token, whether the zombie sent it or not."""
    request = RespondActivityTaskCompletedRequest(namespace=fleet.client.namespace, task_token=call.token)
    await fleet.client.workflow_service.respond_activity_task_completed(request)


async def test_f03_a_zombie_serves_again(fleet):
    """A worker that was frozen while its case waited takes the next action when it is back."""
    worker = fleet.worker()
    case = await fleet.start()
    task = await fleet.task(case)
    with frozen(worker):
        pass

    await fleet.answer(task)

    assert (await fleet.closed(case)).close == "achieved"
