"""Cases that go on as new runs after a few messages, by the fixture `short_runs`."""

from __future__ import annotations

LIMIT = 10
"""Messages of a run, instead of 1,500."""


async def fill_run(bench, task, run=2):
    """Claim and release a task until its case has gone on as a new run; the task as it then is."""
    case = task.id.rpartition("/")[0]
    for _ in range(LIMIT // 2):
        await bench.cases.act(task.id, "claim", actor="filler", roles=[task.role])
        await bench.cases.act(task.id, "release", actor="filler", roles=[task.role])
    await bench.until(case, lambda view: view.record.runs >= run)
    return await bench.task(case, task.step)
