"""F18: performers that block a thread, never end, give nothing, or are not there."""

import signal

import pytest

from tests.faults.units import Advised


@pytest.mark.parametrize(
    ("trouble", "code", "attempts"),
    [("blocked", "timeout_start_to_close", 2), ("endless", "timeout_start_to_close", 2), ("none", "bad_result", 1)],
)
async def test_f18_a_bad_performer_is_followed_by_a_person(fleet, trouble, code, attempts):
    """The step is tried again and goes to a person; other cases of the worker go on; it stops when asked."""
    worker = fleet.worker(WORKUNITS_GRACE_SECONDS="1")
    bad = await fleet.start(Advised, trouble=trouble)
    other = await fleet.start()
    await fleet.answer(await fleet.task(other))
    during = await fleet.closed(other)

    task = await fleet.task(bad)
    await fleet.answer(task)
    record = await fleet.closed(bad)

    assert during.close == "achieved"
    assert (record.close, task.step) == ("achieved", "advise_by_hand")
    assert [(work.key, work.end, work.code, work.attempts) for work in record.steps] == [
        ("advise", "failed", code, attempts),
        ("advise_by_hand", "done", None, 1),
    ]
    assert [(routed.code, routed.business, routed.to) for routed in record.routes] == [(code, False, "advise_by_hand")]
    assert worker.stop(signal.SIGTERM) == 0


async def test_f18_a_step_that_nobody_serves(fleet):
    """Its case waits and says where, other cases go on, and a worker that serves the step has it done."""
    queues = f"ai={fleet.queue}-ai"
    fleet.worker("--executors", "cases,automated", WORKUNITS_QUEUES=queues)
    case = await fleet.start(Advised)
    other = await fleet.start()
    await fleet.answer(await fleet.task(other))

    closed = await fleet.closed(other)
    found = fleet.doctor(WORKUNITS_QUEUES=queues)
    fleet.worker("--executors", "ai", WORKUNITS_QUEUES=queues)
    record = await fleet.closed(case)

    assert closed.close == "achieved"
    assert found == [("queue", f"no worker polls queue {fleet.queue}-ai for ai steps")]
    assert (record.close, record.steps[0].attempts) == ("achieved", 1)
