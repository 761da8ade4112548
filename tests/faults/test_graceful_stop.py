"""A worker that is asked to stop ends what it has in hand; and `doctor` knows that it is gone (rules 13 and 16)."""

import signal

import pytest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stopped_worker_lets_its_step_end(fleet, number):
    """The running step is not done again, the exit code is 0, and another worker goes on with the case."""
    worker = fleet.worker(WORKUNITS_GRACE_SECONDS="60")
    case = await fleet.start(trouble="before deliver")
    await fleet.answer(await fleet.task(case))
    step = f"{case}/deliver"
    await fleet.until(lambda: fleet.book.calls(step))
    worker.process.send_signal(number)
    worker.until("stopping, running steps have 60 s to end")
    fleet.worker()

    fleet.book.release(step)
    record = await fleet.closed(case)

    assert worker.process.wait(60) == 0
    assert "stopped" in worker.said
    assert [call.pid for call in fleet.book.calls(step)] == [worker.process.pid]
    assert record.close == "achieved"
    assert record.steps[-1].attempts == 1


async def test_a_step_that_outlives_the_grace_is_done_again(fleet):
    """A step that does not end in time is given up, the worker exits with 0, and another does the step."""
    worker = fleet.worker(WORKUNITS_GRACE_SECONDS="0.5")
    case = await fleet.start(trouble="before deliver")
    await fleet.answer(await fleet.task(case))
    step = f"{case}/deliver"
    await fleet.until(lambda: fleet.book.calls(step))

    code = worker.stop(signal.SIGTERM)
    fleet.book.release(step)
    fleet.worker()
    record = await fleet.closed(case)

    assert code == 0
    assert [call.ended for call in fleet.book.calls(step)] == [False, True]
    assert fleet.book.effects(case) == ["fetch", "deliver"]
    assert record.close == "achieved"
    assert record.steps[-1].attempts == 2


async def test_doctor_sees_workers_come_and_go(fleet):
    """A queue without a worker is found, before the first one starts and as soon as the last one has stopped."""
    nobody = [("queue", f"no worker polls queue {fleet.queue} for cases or automated and ai steps")]

    before = fleet.doctor()
    worker = fleet.worker()
    during = await fleet.until(lambda: fleet.doctor() == [])
    worker.stop(signal.SIGTERM)
    after = fleet.doctor()

    assert before == after == nobody
    assert during
