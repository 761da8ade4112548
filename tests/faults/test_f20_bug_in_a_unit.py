"""F20: a bug in a unit's code. The case is stuck and not failed; the mended code heals it."""

import asyncio

from tests.faults.fleet import ROOT, TASK_TIMEOUT, kill

BUG = 'FEES = {"letter": 1, "parcel": 5}', 'FEES = {"letter": 1}'


async def test_f20_a_bug_wedges_and_a_fix_heals(fleet):
    """`doctor` names case, error, file and line at once; with the fix the case goes on where it was."""
    broken = fleet.worker(PYTHONPATH=fleet.edited(*BUG))
    stuck = await fleet.start(task_timeout=TASK_TIMEOUT)
    well = await fleet.start(kind="letter")
    answers = [asyncio.create_task(fleet.answer(await fleet.task(case))) for case in (stuck, well)]
    closed = await fleet.closed(well)

    found = await fleet.until(fleet.doctor)
    view = await fleet.cases.show(stuck)
    kill(broken)
    fleet.worker()
    await asyncio.gather(*answers)
    record = await fleet.closed(stuck)

    line = 1 + (ROOT / "tests/faults/units.py").read_text().splitlines().index("        fee = FEES[case.kind]")
    [(check, message)] = found
    assert check == "cases"
    assert f"{stuck}: attempt " in message
    assert "KeyError: 'parcel' at " in message
    assert f"tests/faults/units.py:{line}" in message
    assert well not in message
    assert view.is_open
    assert closed.close == record.close == "achieved"
    assert [acted.action for acted in record.actions] == ["complete"]
    assert fleet.book.effects(stuck) == ["fetch", "deliver"]
