"""Promises on the real engine: rungs, ladders, pauses, deeds, calendars; on skipped time."""

from __future__ import annotations

import asyncio
import os
import uuid
from datetime import timedelta

import pytest

from tests.conftest import CALENDARS, PACKAGE, Bench
from tests.core.test_clock import HOUR, us
from tests.lab.messages import envelope
from tests.lab.promises import Astray, Brisk, Laddered, Manifold, Movable, Officed
from tests.lab.units import BOSS
from workers.reprojecting import reproject
from workunits.calendars.store import Store
from workunits.core.errors import BadInput, Refused
from workunits.core.parts import parts
from workunits.registry import Catalog

GRANT = {"decision": "grant"}
SECOND = timedelta(seconds=1)


def fired(view, clock="unit"):
    """The rungs of a clock, with their due times in hours."""
    return [
        (f"{rung.rung}{rung.number or ''}", round(rung.due / us(HOUR), 6))
        for rung in view.record.rungs
        if rung.clock == clock and rung.task is None
    ]


async def waiting(bench, unit=Laddered, step="ask", **more):
    """A case that waits for a person, and its task."""
    started = await bench.start(unit, **more)
    return started.case, await bench.task(started.case, step)


async def deed(bench, case, what, clock="unit", role=BOSS, **body):
    """What someone does to a clock."""
    view = await bench.cases.show(case)
    revision = 1 + sum(entry.clock == clock for entry in view.record.entries)
    return await bench.cases.act(
        f"{case}/clock:{clock}", f"{what}_clock", actor="bea", roles=[role], body=body, revision=revision
    )


async def answer(bench, task, body, **more):
    """Someone of its role answers a task, on the case's own clock unless said otherwise."""
    sent = {"sent_at": await bench.clock(task.id.rpartition("/")[0])}
    return await bench.answer(task, body, **(sent | more))


async def act(bench, task, action, **body):
    """Ann does something with a task, on the case's own clock."""
    sent = await bench.clock(task.id.rpartition("/")[0])
    return await bench.cases.act(task.id, action, actor="ann", roles=["clerk"], body=body, sent_at=sent)


def facts(view, clock="unit"):
    """How a clock stands."""
    return next(one for one in view.record.clocks if one.clock == clock)


async def test_each_rung_fires_once_and_takes_the_task_up_the_ladder(bench):
    """Goal, warning, deadline and two reminders; each a fact with whom it reached, none a second time."""
    case, task = await waiting(bench)
    await bench.skip(case, 12 * HOUR + SECOND)
    warned = await bench.until(case, lambda view: view if view.record.warned else None)
    await bench.skip(case, 40 * HOUR)
    view = await bench.until(case, lambda view: view if len(view.record.rungs) == 5 else None)
    await answer(bench, view.tasks[0], GRANT, by="bea")
    closed = await bench.closed(case)

    assert fired(closed) == [("goal", 6), ("warn", 12), ("deadline", 24), ("passed1", 28), ("passed2", 32)]
    assert [rung.reached for rung in closed.record.rungs] == [[], ["team lead"], [BOSS], [], ["director"]]
    assert (warned.tasks[0].role, warned.tasks[0].also, warned.tasks[0].level) == ("clerk", ["team lead"], 1)
    assert (view.tasks[0].role, view.tasks[0].also, view.tasks[0].level) == (BOSS, ["director"], 3)
    assert view.tasks[0].revision > task.revision
    assert (closed.close, closed.record.sla, closed.record.breached) == ("achieved_late", "breached", us(24 * HOUR))


async def test_a_task_that_is_taken_up_the_ladder_leaves_its_owner(bench):
    """Whoever worked on it has it no more; the time that they worked is kept, and who is accountable stays."""
    case, task = await waiting(bench)
    await act(bench, task, "start")
    await bench.skip(case, 25 * HOUR)
    view = await bench.until(case, lambda view: view if view.record.breached else None)
    moved, work = view.tasks[0], view.record.steps[0]

    assert (moved.state, moved.owner, moved.role, moved.accountable) == ("ready", None, BOSS, BOSS)
    assert (work.by, work.since, len(work.work)) == (None, None, 1)
    with pytest.raises(Refused) as error:
        await answer(bench, task, GRANT)
    assert error.value.code == "not_candidate"


async def test_a_wait_for_the_customer_moves_what_is_to_come(bench):
    """While it lasts nothing of the promise fires; then the rungs come as much later as it lasted."""
    case, task = await waiting(bench)
    await act(bench, task, "start")
    await act(bench, task, "wait", reason="customer")
    began = (await bench.cases.show(case)).record.steps[0].since
    await bench.skip(case, 30 * HOUR)
    during = await bench.cases.show(case)
    await act(bench, task, "resume")
    ended = (await bench.cases.show(case)).record.steps[0].since
    await bench.skip(case, 13 * HOUR)
    view = await bench.until(case, lambda view: view if view.record.warned else None)

    assert during.record.rungs == []
    assert facts(during).state == "paused"
    stood = ended - began
    assert us(30 * HOUR) <= stood < us(31 * HOUR)
    assert [rung.due for rung in view.record.rungs] == [us(6 * HOUR) + stood, us(12 * HOUR) + stood]
    assert [rung.generation for rung in view.record.rungs] == [2, 2]
    assert view.record.due == us(24 * HOUR) + stood == us(view.due - view.started)


async def test_a_wait_for_someone_who_is_not_listed_stops_nothing(bench):
    """The promise to the customer knows no supplier."""
    case, task = await waiting(bench)
    await act(bench, task, "start")
    await act(bench, task, "wait", reason="supplier")
    await bench.skip(case, 13 * HOUR)
    view = await bench.until(case, lambda view: view if view.record.warned else None)

    assert fired(view) == [("goal", 6), ("warn", 12)]


async def test_a_pause_runs_out_at_its_cap(bench):
    """Nobody resumes it: from the cap on the clock runs again by itself."""
    case, _ = await waiting(bench)
    said = await deed(bench, case, "pause", reason="legal_hold", evidence="letter 12")
    stopped = (await bench.cases.show(case)).record.entries[0]
    await bench.skip(case, 80 * HOUR)
    view = await bench.until(case, lambda view: view if view.record.rungs else None)

    assert said["state"] == "paused"
    assert (stopped.by, stopped.reason, stopped.evidence, stopped.entry) == ("bea", "legal_hold", "letter 12", "pause")
    assert fired(view)[0] == ("goal", pytest.approx(6 + 72, abs=0.01))
    assert facts(view).paused == us(72 * HOUR)


async def test_an_adjustment_takes_a_breach_back_and_it_fires_again_at_its_new_time(bench):
    """The accountable role's word; raw and adjusted figures both stay on the record."""
    case, _ = await waiting(bench)
    await bench.skip(case, 25 * HOUR)
    await bench.until(case, lambda view: view if view.record.breached else None)
    await deed(bench, case, "adjust", seconds=6 * 3600, reason="our own outage", evidence="incident 7")
    after = await bench.cases.show(case)
    await bench.skip(case, 6 * HOUR)
    view = await bench.until(case, lambda view: view if view.record.breached else None)

    assert (after.record.breached, after.record.sla, facts(after).budget) == (None, "running", us(30 * HOUR))
    assert fired(view) == [
        ("goal", 6),
        ("warn", 12),
        ("deadline", 24),
        ("withdrawn", 30),
        ("deadline", 30),
    ]
    assert view.record.rungs[-1].generation == 2


async def test_a_void_promise_counts_as_nothing(bench):
    """No rung fires any more, and the case is neither met nor breached."""
    case, task = await waiting(bench)
    await deed(bench, case, "void", reason="the contract ended", evidence="letter 3")
    await bench.skip(case, 30 * HOUR)
    await answer(bench, task, GRANT)
    view = await bench.closed(case)

    assert (view.close, view.record.sla, view.record.rungs) == ("achieved", "void", [])
    assert facts(view).state == "void"


@pytest.mark.parametrize(
    ("what", "clock", "role", "body", "code"),
    [
        ("pause", "unit", "clerk", {"reason": "customer", "evidence": "x"}, "not_allowed"),
        ("adjust", "unit", "team lead", {"seconds": 5, "reason": "x", "evidence": "x"}, "not_allowed"),
        ("void", "unit", "clerk", {"reason": "x", "evidence": "x"}, "not_allowed"),
        ("pause", "moon", BOSS, {"reason": "customer", "evidence": "x"}, "unknown_clock"),
        ("pause", "unit", BOSS, {"reason": "holiday", "evidence": "x"}, "not_listed"),
        ("resume", "unit", BOSS, {"reason": "customer"}, "wrong_state"),
        ("reproject", "unit", BOSS, {"reason": "x"}, "wrong_state"),
        ("pause", "unit", BOSS, {"reason": "customer"}, "body.evidence"),
        ("pause", "unit", BOSS, {"evidence": "x"}, "body.reason"),
        ("adjust", "unit", BOSS, {"seconds": "much", "reason": "x", "evidence": "x"}, "body.seconds"),
        ("adjust", "unit", BOSS, {"seconds": 1e12, "reason": "x", "evidence": "x"}, "body.seconds"),
        ("void", "unit", BOSS, {"reason": "x", "evidence": "x", "more": 1}, "body.more"),
    ],
)
async def test_what_may_not_be_done_to_a_clock_is_refused_with_why(bench, what, clock, role, body, code):  # noqa: PLR0917 - a table's columns
    """A refusal names the field or the rule, and changes nothing."""
    case, _ = await waiting(bench)
    with pytest.raises((Refused, BadInput)) as error:
        await deed(bench, case, what, clock, role, **body)
    said = getattr(error.value, "field", "") or getattr(error.value, "code", "")

    assert said == code
    assert (await bench.cases.show(case)).record.entries == []


async def test_a_deed_that_comes_twice_counts_once_and_a_stale_one_is_refused(bench):
    """The same action id has the answer of the first; a revision that was overtaken changes nothing."""
    case, _ = await waiting(bench)
    task = f"{case}/clock:unit"
    sent = {"actor": "bea", "roles": [BOSS], "body": {"reason": "customer", "evidence": "mail"}, "revision": 1}
    first = await bench.cases.act(task, "pause_clock", action_id="once", **sent)
    again = await bench.cases.act(task, "pause_clock", action_id="once", **sent)
    with pytest.raises(Refused) as error:
        await bench.cases.act(task, "resume_clock", **(sent | {"body": {"reason": "customer"}}))

    assert first == again == {"task_id": task, "state": "paused", "revision": 2}
    assert error.value.code == "stale_revision"


async def test_a_bad_deed_by_signal_is_ignored_with_its_reason(bench):
    """It wedges nothing; a good one counts."""
    case, task = await waiting(bench)
    said = {"action": "pause_clock", "task_id": f"{case}/clock:unit", "revision": 1}
    bad = envelope(task, body={"reason": "moon", "evidence": "mail"}) | said
    await bench.handle(case).signal("act", bad)
    body = {"reason": "customer", "evidence": "mail"}
    good = bad | {"action_id": uuid.uuid4().hex, "roles": [BOSS], "body": body}
    await bench.handle(case).signal("act", good)
    paused = await bench.until(case, lambda view: view if view.record.entries else None)

    assert paused.record.ignored[0].code == "not_allowed"
    assert facts(paused).state == "paused"


async def test_promises_on_steps_and_between_events_each_have_a_clock(bench):
    """Begun late, done in time; the first answer met, the second broken: all of it on one live timer."""
    case, task = await waiting(bench, Manifold)
    await bench.skip(case, 3 * HOUR + SECOND)
    await bench.until(case, lambda view: view if len(view.record.rungs) == 3 else None)
    taken = await bench.task(case, "ask")
    await act(bench, task, "start")
    await answer(bench, await bench.task(case, "ask", state="in_progress"), GRANT)
    second = await bench.task(case, "check")
    await bench.skip(case, 9 * HOUR)
    await answer(bench, second, GRANT)
    view = await bench.closed(case)
    standing = {one.clock: (one.state, one.breached is not None) for one in view.record.clocks}

    assert standing == {
        "unit": ("stopped", False),
        "ask.start_by": ("stopped", True),
        "ask.finish_by": ("stopped", False),
        "check.finish_by": ("stopped", True),
        "first_answer": ("stopped", False),
        "second_answer": ("stopped", True),
    }
    assert fired(view, "ask.start_by") == [
        ("warn", pytest.approx(1.5, abs=0.01)),
        ("deadline", pytest.approx(2, abs=0.01)),
    ]
    assert taken.also == ["team lead"]
    assert (view.close, view.record.breached) == ("achieved", None)


async def test_an_answer_in_time_takes_a_steps_breach_back(bench):
    """As for the outcome: it counts from when it was sent."""
    case, task = await waiting(bench, Manifold)
    sent = await bench.clock(case) + HOUR
    await bench.skip(case, 7 * HOUR)
    late = await bench.until(case, lambda view: view if len(fired(view, "ask.finish_by")) == 2 else None)
    await answer(bench, late.tasks[0], GRANT, sent_at=sent)
    await bench.task(case, "check")
    view = await bench.cases.show(case)

    assert facts(late, "ask.finish_by").breached is not None
    assert (facts(view, "ask.finish_by").state, facts(view, "ask.finish_by").breached) == ("stopped", None)
    assert fired(view, "ask.finish_by")[-1][0] == "withdrawn"
    assert task.id == late.tasks[0].id


async def test_working_time_is_counted_by_a_calendar_that_was_pinned_once(bench):
    """The due times are those that the calendar gives; what was off is on the record, and the parts add up."""
    case, task = await waiting(bench, Officed)
    view = await bench.cases.show(case)
    start = round(view.started.timestamp() * 1e6)
    pinned = Store([CALENDARS]).pin("tests", start - us(48 * HOUR), start + us(2400 * HOUR))
    eight = pinned.working.advance(start, us(8 * HOUR))
    ready = round(task.ready.timestamp() * 1e6)
    two = pinned.next_day_due(ready, 2)
    await bench.skip(case, timedelta(days=9))
    await answer(bench, task, GRANT)
    closed = await bench.closed(case)
    split = parts(closed.record)

    assert eight is not None
    assert two is not None
    assert abs(round(view.due.timestamp() * 1e6) - eight) <= 1
    assert facts(view).calendar == "tests@1"
    assert abs(round(view.record.when(facts(view, "ask.finish_by").due).timestamp() * 1e6) - two.at) <= 1
    assert (closed.close, closed.record.sla) == ("achieved_late", "breached")
    assert facts(closed).consumed == pinned.working.consumed(start, start + closed.record.closed)
    assert sum(end - begin for begin, end in closed.record.off) + facts(closed).consumed == closed.record.closed
    assert sum(split.values()) == closed.record.closed
    assert await bench.events(case, "marker_recorded") == 1


async def test_a_case_whose_promise_cannot_be_armed_does_not_begin(bench):
    """There is no such calendar: it closes at once, says why, and nobody was asked."""
    started = await bench.start(Astray)
    view = await bench.closed(started.case)

    assert (view.close, view.record.reason, view.record.steps) == ("failed", "cannot_arm", [])
    assert "nowhere" in view.record.why


async def test_rungs_that_came_due_while_no_worker_was_up_fire_on_return(late):
    """The whole ladder, each rung once, with the time when it was due and how late it fired."""
    async with late.worker():
        case, _ = await waiting(late, Brisk)
        due = (await late.cases.show(case)).due
    # Time cannot be skipped past a timer that no worker takes: the last seconds pass by themselves.
    await late.skip(case, due - await late.clock(case) - 2.5 * SECOND)
    await late.reaches(case, due + 1.2 * SECOND)
    async with late.worker():
        view = await late.until(case, lambda view: view if len(fired(view)) == 5 else None)

    assert [name for name, _ in fired(view)] == ["goal", "warn", "deadline", "passed1", "passed2"]
    assert all(rung.at >= us(24 * HOUR + SECOND) > rung.due - us(SECOND) for rung in view.record.rungs)
    assert view.record.breached == us(24 * HOUR)
    assert view.tasks[0].also == ["team lead"]


async def test_clocks_and_calendars_travel_into_the_next_run(bench, monkeypatch):
    """Deeds, fired rungs and the pinned calendar are those of before; nothing fires twice."""
    monkeypatch.setattr("workunits.core.course.MESSAGES_PER_RUN", 4)
    case, task = await waiting(bench, Officed)
    before = await bench.cases.show(case)
    for _ in range(2):
        await act(bench, task, "claim")
        await act(bench, task, "release")
    await bench.until(case, lambda view: view if view.record.runs == 2 else None)
    await deed(bench, case, "pause", reason="customer", evidence="mail")
    after = await bench.cases.show(case)

    assert facts(after).calendar == facts(before).calendar == "tests@1"
    assert facts(after).started == facts(before).started
    assert facts(after).state == "paused"
    assert await bench.events(case, "marker_recorded") == 0


async def test_open_clocks_go_on_by_another_version_of_their_calendar(lab, tmp_path):
    """With a reason, on each record; a version that is not there changes nothing; the next case pins the newest."""
    first = (CALENDARS / "tests" / "1.toml").read_text(encoding="utf-8")
    (tmp_path / "movable").mkdir()
    (tmp_path / "movable" / "1.toml").write_text(first, encoding="utf-8")
    there = Bench(lab, Catalog([PACKAGE]), queue=f"moved-{uuid.uuid4().hex[:8]}", calendars=tmp_path)
    async with there.worker():
        case, _ = await waiting(there, Movable)
        await there.listed(case)
        lost = [one async for one in reproject(there.cases, "movable", 9, actor="op", reason="a slip")]
        kept = await there.until(case, lambda view: view if view.record and view.record.ignored else None)
        longer = first.replace("version = 1", "version = 2").replace("17:00", "18:00")
        (tmp_path / "movable" / "2.toml").write_text(longer, encoding="utf-8")
        await there.listed(case)
        told = [one async for one in reproject(there.cases, "movable", 2, actor="op", reason="open until six")]
        after = await there.until(case, lambda view: view if facts(view).calendar == "movable@2" else None)
        await there.listed(case)
        again = [one async for one in reproject(there.cases, "movable", 2, actor="op", reason="twice")]
        newer, _ = await waiting(there, Movable)
        view = await there.cases.show(newer)
    start = round(after.started.timestamp() * 1e6)
    pinned = Store([tmp_path]).pin("movable", start - us(48 * HOUR), start + us(2400 * HOUR), 2)
    due = pinned.working.advance(start, us(8 * HOUR))

    assert kept.record is not None
    assert after.record is not None
    assert [(one.case, one.before) for one in (*lost, *told)] == [(case, "movable@1")] * 2
    assert (lost[0].error[:23], told[0].error) == ("accepted, not yet done:", "")
    assert again == []
    assert (facts(kept).calendar, kept.record.ignored[0].code) == ("movable@1", "unknown_calendar")
    assert [(entry.entry, entry.by, entry.reason) for entry in after.record.entries] == [
        ("reproject", "op", "a slip"),
        ("reproject", "op", "open until six"),
    ]
    assert due is not None
    assert after.due is not None
    assert abs(round(after.due.timestamp() * 1e6) - due) <= 1
    assert facts(view).calendar == "movable@2"


async def test_armed_ladders_fire_each_rung_exactly_once(bench):
    """All wait for a person who never comes; each has gone up its whole ladder when its task expires.

    A thousand of them: LADDERS=1000 make test ARGS="-k armed_ladders", in under three minutes.
    """
    limit = asyncio.Semaphore(10)

    async def one(number):
        async with limit:
            started = await bench.start(Laddered, "briefly", amount=number)
            await bench.task(started.case, "briefly")
            await bench.skip(started.case, 40 * HOUR + SECOND)
            await bench.handle(started.case).result()  # asking again and again would be most of the work
            return await bench.cases.show(started.case)

    views = await asyncio.gather(*(one(number) for number in range(LADDERS)))
    rungs = [("goal", 6), ("warn", 12), ("deadline", 24), ("passed1", 28), ("passed2", 32)]

    assert {tuple(fired(view)) for view in views} == {tuple(rungs)}
    assert {view.close for view in views} == {"expired"}
    assert {len(view.record.rungs) for view in views} == {6}


LADDERS = int(os.environ.get("LADDERS", "250"))
