"""F7: the SLA's due time passes while no worker is up."""

from datetime import UTC, datetime

from tests.faults.fleet import kill
from tests.faults.units import Urgent

SECOND = 1_000_000
WARN, DUE = 3 * SECOND, 4 * SECOND


async def test_f07_the_rungs_fire_once_with_their_true_times(fleet):
    """When a worker is back, the warning and the deadline are on the record once, at the times when they were due."""
    worker = fleet.worker()
    case = await fleet.start(Urgent)
    task = await fleet.task(case)
    kill(worker)
    due = (await fleet.cases.show(case)).due
    await fleet.until(lambda: datetime.now(UTC) > due)

    outage = (await fleet.cases.show(case)).record
    back = datetime.now(UTC)
    fleet.worker()
    late = await fleet.until_case(case, lambda view: view.record if view.record.breached else None)
    await fleet.answer(task)
    record = await fleet.closed(case)

    assert outage.breached is None
    assert (late.warned, late.breached, late.close) == (WARN, DUE, None)
    assert [(rung.rung, rung.due) for rung in record.rungs] == [("warn", WARN), ("deadline", DUE)]
    assert record.when(record.rungs[-1].at) >= back
    assert (record.close, record.sla, record.breached) == ("achieved_late", "breached", DUE)
    assert record.when(record.closed) >= back
