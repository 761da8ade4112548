"""F17: a machine whose clock is 400 days off."""

from pathlib import Path

import pytest

DAYS = 400 * 24 * 3600
LIBRARY = next(iter(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)


def wrong(days):
    """The variables that give a process another clock; intervals stay true, as on a machine with a wrong date."""
    assert LIBRARY, "libfaketime is missing: make system-tools"
    return {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME": f"{days:+d}d",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


@pytest.mark.parametrize(("days", "side"), [(400, "ahead of"), (-400, "behind")])
async def test_f17_a_worker_with_a_wrong_clock(fleet, days, side):
    """It says so when it starts. The times of the case are the engine's: no SLA is breached, and the record adds up."""
    worker = fleet.worker(**wrong(days))
    worker.until(f"this machine's clock is {DAYS} s {side} the server's")
    case = await fleet.start()
    task = await fleet.task(case)
    await fleet.answer(task)
    record = await fleet.closed(case)

    about = await fleet.client.get_workflow_handle(case).describe()
    elapsed = (about.close_time - about.start_time).total_seconds() * 1_000_000
    assert record.close == "achieved"
    assert (record.sla, record.rungs) == ("met", [])
    assert record.started == about.start_time
    assert 0 < record.closed <= elapsed
    moment = 0
    for work in record.steps:
        assert moment <= work.ready <= work.done <= record.closed
        moment = work.done
        assert (work.attempts, work.retry) == (1, [])
        if work.kind != "human":
            [(began, ended)] = work.work
            assert work.ready <= began < ended <= work.done
    assert [work.end for work in record.steps] == ["done", "done", "done"]
    assert moment == record.closed


async def test_f17_doctor_says_that_the_clock_is_wrong(fleet):
    """Run on the machine with the wrong clock, it names the difference, and judges the rest by the engine's clock."""
    fleet.worker()
    await fleet.until(lambda: fleet.doctor() == [])

    found = fleet.doctor(**wrong(400))

    assert found == [("clock", f"this machine's clock is {DAYS} s ahead of the server's")]
