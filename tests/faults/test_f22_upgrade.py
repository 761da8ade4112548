"""F22: upgrade and rollback. Open cases finish on the code, and on the copy of the state, that they meet.

Not run here: an older server or SDK beside today's. A checkout has one of each, and its tests are offline.
"""

import asyncio
import shutil

from tests.faults.durable import durable
from tests.faults.test_f15_f16_code_versions import UNGUARDED, builds


async def test_f22_an_upgrade_and_its_rollback(fleet):
    """A new build takes over and is replaced by the old one again: each case ends on the build that began it."""
    fleet.worker("--build-id", "old")
    fleet.command("deploy", "old")
    before = await fleet.start()
    tasks = [await fleet.task(before)]
    fleet.worker("--build-id", "new", PYTHONPATH=fleet.edited(*UNGUARDED))
    fleet.command("deploy", "new")
    during = await fleet.start()
    tasks.append(await fleet.task(during))
    fleet.command("deploy", "old")
    after = await fleet.start()
    tasks.append(await fleet.task(after))

    for task in tasks:
        await fleet.answer(task)
    records = [await fleet.closed(case) for case in (before, during, after)]

    assert [await builds(fleet, case) for case in (before, during, after)] == [{"old"}, {"new"}, {"old"}]
    assert [record.close for record in records] == ["achieved"] * 3
    assert [len(record.steps) for record in records] == [3, 2, 3]
    assert fleet.doctor() == []


async def test_f22_an_engine_on_a_copy_of_its_file(tmp_path):
    """Moved to another place while cases are open: they go on there, and the same ledger follows them."""
    copy = tmp_path / "copy"
    copy.mkdir()
    async with durable(tmp_path) as fleet:
        await asyncio.gather(asyncio.to_thread(fleet.worker), asyncio.to_thread(fleet.follower))
        closed = await fleet.errand(0)
        case = f"{closed}-open"
        await fleet.begin(case)
        task = await fleet.task(case)
        await fleet.act(task, "claim", action_id="before")
        await fleet.caught_up()
        journal, queue = fleet.journal, fleet.queue
        await fleet.engine.stop()
        shutil.copy(fleet.engine.plan.state, copy)
    async with durable(tmp_path, copy) as fleet:
        fleet.on_queue(queue)
        await asyncio.gather(asyncio.to_thread(fleet.worker), asyncio.to_thread(fleet.follower))
        await fleet.act(task, "complete", revision=task.revision + 1, action_id="after")
        fleet.journal = journal | {case: ["before", "after"]}

        await fleet.proven()
