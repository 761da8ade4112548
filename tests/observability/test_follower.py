"""The follower beside real cases: every change arrives once, whatever happens to the case."""

from __future__ import annotations

from sqlalchemy import select

from observability.ledger.follower import Follower
from observability.ledger.store import Ledger
from observability.ledger.tables import cases, steps, tasks
from tests.conftest import PACKAGE
from tests.lab.units import Plain
from tests.observability.following import followed
from workunits.registry import Catalog

CATALOG = Catalog([PACKAGE])


async def test_an_open_case_and_its_close(bench, ledger: Ledger):
    """An open case is there with its open task; at the close the row says how, and the task has ended."""
    follower = Follower(bench.client, ledger, CATALOG)
    started = await bench.start(Plain)
    task = await bench.task(started.case, "decide")
    await followed(follower, ledger, waiting=[started.case])
    with ledger.read() as connection:
        row = connection.execute(select(cases).where(cases.c.case_id == started.case)).one()
        open_task = connection.execute(select(tasks).where(tasks.c.case_id == started.case)).one()
    await bench.answer(task, {"decision": "grant"})
    await bench.closed(started.case)
    await followed(follower, ledger, started.case)
    with ledger.read() as connection:
        after = connection.execute(select(cases).where(cases.c.case_id == started.case)).one()
        ended = connection.execute(select(tasks).where(tasks.c.case_id == started.case)).one()
        done = connection.execute(select(steps).where(steps.c.case_id == started.case)).all()

    assert (row.state, row.close) == ("waiting", None)
    assert (open_task.open, open_task.state, open_task.role) == (True, "ready", "clerk")
    assert (after.close, after.sla) == ("achieved", "met")
    assert (ended.open, ended.state, ended.performer) == (False, "completed", "ann")
    assert {"look", "decide"} == {step.key for step in done}
