"""F2: kill -9 in a human wait, and a rolling restart under people's hands. Nothing acknowledged is lost."""

import asyncio
import signal

import pytest

from tests.faults.fleet import TASK_TIMEOUT
from workunits.client import case_of

CASES, CHANGES = 5, 4


@pytest.mark.parametrize(("how", "within"), [(signal.SIGKILL, 5.5), (signal.SIGTERM, 1.0)])
async def test_f02_the_next_action_after_a_worker_is_gone(fleet, how, within):
    """The worker that knows the case goes while another serves: the next action is answered there, soon."""
    first = fleet.worker()
    case = await fleet.start()
    task = await fleet.task(case)
    fleet.worker()
    first.stop(how)
    await fleet.task(await fleet.start())  # the engine knows by now who serves

    took = await fleet.answer(task)
    record = await fleet.closed(case)

    assert took <= within
    assert record.close == "achieved"
    assert [acted.action for acted in record.actions] == ["complete"]


async def test_f02_a_rolling_restart_under_load(fleet):
    """Workers are killed and replaced while people act: each acknowledged action is there once, no other is."""
    workers = [fleet.worker(), fleet.worker()]
    tasks = [await fleet.task(await fleet.start(task_timeout=TASK_TIMEOUT)) for _ in range(CASES)]
    acknowledged: dict[str, list[str]] = {task.id: [] for task in tasks}
    people = asyncio.gather(*(change_ones_mind(fleet, task, acknowledged[task.id]) for task in tasks))

    for how, after in ((signal.SIGKILL, 5), (signal.SIGTERM, 15)):
        await fleet.until(lambda after=after: sum(map(len, acknowledged.values())) >= after)
        workers.pop(0).stop(how)
        workers.append(fleet.worker())
    await people

    for task in tasks:
        record = await fleet.closed(case_of(task.id))
        assert record.close == "achieved"
        assert [acted.id for acted in record.actions] == acknowledged[task.id]
        assert fleet.book.effects(case_of(task.id)) == ["fetch", "deliver"]


async def change_ones_mind(fleet, task, acknowledged):
    """Claim and release a task some times, then complete it; notes what was acknowledged."""
    actions = [*(["claim", "release"] * CHANGES), "complete"]
    for number, action in enumerate(actions):
        said = await fleet.act(task, action, action_id=f"{task.id}-{number}", revision=task.revision + number)
        acknowledged.append(f"{task.id}-{number}")
        assert said["revision"] == task.revision + number + 1
