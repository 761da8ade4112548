"""What was done is undone in reverse order, each once, on the record; and what is under way is waited for."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from tests.lab.trouble_performers import BROKEN, DONE, WAITING
from tests.lab.troubles import Trip
from tests.patience import PATIENCE
from workunits.core.errors import Refused
from workunits.core.parts import parts

UNDONE = ["book_guide-undo", "book_room-undo", "book_flight-undo"]


async def start(bench, mood, *broken, waits=""):
    """A case, and its request."""
    request = uuid.uuid4().hex[:12]
    BROKEN.update(f"{request}/{step}" for step in broken)
    if waits:
        WAITING[f"{request}/{waits}"] = asyncio.Event()
    return (await bench.start(Trip, mood, request=request)).case, request


def effects(case):
    """What was really done for a case, in order."""
    return [key.rpartition("/")[2] for key in DONE if key.startswith(f"{case}/")]


def ended(view):
    """How each performance of the record ended, in the order of its beginning."""
    return {work.key: work.end for work in view.record.steps}


def adds_up(view):
    """The parts of a closed case are its elapsed time, to the microsecond."""
    return sum(parts(view.record).values()) == view.record.closed


async def looked_at(bench, case):
    """Wait until the present run of a case has done its first task, before anyone acts on it again."""
    async with asyncio.timeout(PATIENCE):
        while not await bench.events(case, "workflow_task_completed"):  # noqa: ASYNC110 - the engine tells nobody
            await asyncio.sleep(0.01)


async def test_what_was_done_is_undone_in_reverse_order_of_its_completion(bench):
    """A rule with `compensate` undoes each done step once, with its output, and closes with the exception's code."""
    case, _ = await start(bench, "no car")
    view = await bench.closed(case)
    marks = {work.key: (work.step, work.undoes) for work in view.record.steps if work.undoes}

    assert (view.close, view.record.reason) == ("not_achieved", "odd")
    assert [key for key in effects(case) if key.endswith("-undo")] == UNDONE
    assert len(effects(case)) == len(set(effects(case))) == 6
    assert marks == {
        "book_guide-undo": ("cancel_guide", "book_guide"),
        "book_room-undo": ("cancel_room", "book_room"),
        "book_flight-undo": ("cancel_flight", "book_flight"),
    }
    assert [(r.key, r.code, r.business, r.to) for r in view.record.routes] == [("book_car", "odd", True, "compensate")]
    assert ended(view)["ask"] == "cancelled"
    assert adds_up(view)


async def test_what_is_under_way_is_waited_for_and_undone(bench):
    """A step that is stopped half way may have taken effect: its end says whether there is anything to undo."""
    case, request = await start(bench, "no car", waits="book_guide")
    await bench.until(case, lambda view: view.record and view.record.routes)
    assert "book_guide" not in effects(case)
    WAITING[f"{request}/book_guide"].set()
    view = await bench.closed(case)

    assert [key for key in effects(case) if key.endswith("-undo")] == UNDONE
    assert ended(view)["book_guide"] == "done"
    assert adds_up(view)


async def test_what_failed_is_not_undone(bench):
    """Only what is done is; of two steps that fail at once, either one may be the first."""
    case, _ = await start(bench, "no car", "book_guide")
    view = await bench.closed(case)

    assert (view.close, view.record.reason) in (("not_achieved", "odd"), ("failed", "technical_failure"))
    assert "book_guide-undo" not in ended(view)


async def test_another_rule_undoes_nothing(bench):
    """A case that closes by a rule without `compensate` leaves things as they are."""
    case, _ = await start(bench, "no licence")
    view = await bench.closed(case)

    assert (view.close, view.record.reason) == ("not_achieved", "unreadable")
    assert not any(work.undoes for work in view.record.steps)


async def test_a_unit_undoes_by_itself_once(bench):
    """`compensate()` may stand anywhere in the procedure; twice undoes no more than once."""
    case, _ = await start(bench, "given up")
    view = await bench.closed(case)

    assert (view.close, view.record.reason) == ("not_achieved", "outcome_not_met")
    assert effects(case) == ["book_flight", "book_room", "book_room-undo", "book_flight-undo"]
    assert adds_up(view)


async def test_a_compensation_that_fails_follows_its_own_rules(bench):
    """A person takes over for one, an operator decides on another, and the rest is undone none the less."""
    case, request = await start(bench, "no car", "cancel_room", "cancel_flight")
    task = await bench.task(case, "cancel_room_by_hand")
    assert next(w.undoes for w in (await bench.cases.show(case)).record.steps if w.step == task.step) == "book_room"
    assert "book_guide-undo" in effects(case)
    await bench.answer(task, {"risk": "by phone"})
    held = await bench.until(case, lambda view: view if view.state == "incident" else None)
    assert [one.key for one in held.record.incidents] == ["book_flight-undo"]
    BROKEN.discard(f"{request}/cancel_flight")
    await bench.cases.act(f"{case}/book_flight-undo", "retry", actor="hank", roles=["head of tests"])
    view = await bench.closed(case)

    assert (view.close, view.record.reason) == ("not_achieved", "odd")
    assert [(routed.key, routed.to) for routed in view.record.routes] == [
        ("book_car", "compensate"),
        ("book_room-undo", "cancel_room_by_hand"),
        ("book_flight-undo", "incident"),
    ]
    assert adds_up(view)


async def test_a_compensation_that_fails_for_good_fails_the_case_after_the_others(bench):
    """What could be undone is undone; the record names what could not."""
    case, _ = await start(bench, "no car", "cancel_guide")
    view = await bench.closed(case)

    assert (view.close, view.record.why) == ("failed", "book_guide-undo: bank_down")
    assert [key for key in effects(case) if key.endswith("-undo")] == UNDONE[1:]


async def test_it_goes_on_in_the_next_run(bench, monkeypatch):
    """The new run begins nothing of the work again and undoes only what is left."""
    monkeypatch.setattr("workunits.core.course.MESSAGES_PER_RUN", 3)
    case, _ = await start(bench, "no car", "cancel_room")
    task = await bench.task(case, "cancel_room_by_hand")
    for action in ("claim", "release", "claim"):
        await bench.cases.act(task.id, action, actor="ann", roles=[task.role])
    await bench.until(case, lambda view: view.record.runs == 2)
    await looked_at(bench, case)
    await bench.answer(await bench.task(case, "cancel_room_by_hand", state="claimed"), {"risk": "by phone"})
    view = await bench.closed(case)

    assert (view.close, view.record.reason, view.record.runs) == ("not_achieved", "odd", 2)
    assert len(effects(case)) == len(set(effects(case)))
    assert [key for key in effects(case) if key.endswith("-undo")] == ["book_guide-undo", "book_flight-undo"]
    assert len([work for work in view.record.steps if work.step == "cancel_room_by_hand"]) == 1
    assert ended(view)["ask"] == "cancelled"
    assert adds_up(view)


async def test_an_incident_of_it_goes_on_in_the_next_run(bench, monkeypatch):
    """An operator who tries again for long is not cut off, and what is left is undone after it."""
    monkeypatch.setattr("workunits.core.course.MESSAGES_PER_RUN", 2)
    case, request = await start(bench, "no car", "cancel_room", "cancel_flight")
    await bench.answer(await bench.task(case, "cancel_room_by_hand"), {"risk": "by phone"})

    async def retry(tries):
        await bench.until(
            case, lambda view: any(one.state == "open" and one.tries == tries for one in view.record.incidents)
        )
        await bench.cases.act(f"{case}/book_flight-undo", "retry", actor="hank", roles=["head of tests"])

    await retry(1)
    await bench.until(case, lambda view: view.record.runs == 2)
    await looked_at(bench, case)
    BROKEN.discard(f"{request}/cancel_flight")
    await retry(2)
    view = await bench.closed(case)

    assert (view.close, view.record.reason, view.record.runs) == ("not_achieved", "odd", 2)
    assert ended(view)["book_flight-undo"] == "done"
    assert [(one.key, one.state) for one in view.record.incidents] == [("book_flight-undo", "resolved")]
    assert adds_up(view)


async def test_a_cancel_undoes_nothing(bench):
    """Whoever cancels ends the case as it stands; one that is undoing stops there."""
    case, _ = await start(bench, "no car", "cancel_room")
    await bench.task(case, "cancel_room_by_hand")
    await bench.cases.cancel(case, actor="ops", reason="leave it")
    view = await bench.closed(case)
    plain, _ = await start(bench, "")
    await bench.task(plain, "ask")
    await bench.cases.cancel(plain, actor="ops", reason="leave it")

    assert (view.close, effects(case)[-1]) == ("cancelled", "book_guide-undo")
    assert not any(work.undoes for work in (await bench.closed(plain)).record.steps)
    assert adds_up(view)


async def test_nobody_decides_on_a_step_that_was_stopped(bench):
    """An incident beside the exception is closed before anything is undone."""
    case, _ = await start(bench, "no car", "cancel_room")
    task = await bench.task(case, "cancel_room_by_hand")
    with pytest.raises(Refused) as error:
        await bench.cases.act(f"{case}/ask", "claim", actor="ann", roles=["clerk"])
    assert error.value.code == "closed"
    await bench.answer(task, {"risk": "by phone"})
    assert (await bench.closed(case)).close == "not_achieved"
