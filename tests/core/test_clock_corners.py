"""Clocks where things go wrong on the real engine: outages, releases, incidents, small adjustments, late words."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from tests.conftest import CALENDARS, PACKAGE, Bench
from tests.core.test_clock import HOUR, us
from tests.core.test_promises import deed, facts, fired
from tests.lab.clocked import BOSS, Overtaken, Patient, Picked, Reminded, Stalled, Twofold
from tests.lab.trouble_performers import BROKEN
from workers.reprojecting import reproject
from workunits.registry import Catalog

GRANT = {"decision": "grant"}
SECOND = timedelta(seconds=1)
ANN, BOB, LEA = ("ann", "clerk"), ("bob", "clerk"), ("lea", "lead")


async def act(bench, task, action, who=ANN, sent_at=None, **body):
    """Someone does something with a task, on the case's own clock unless said otherwise."""
    sent = sent_at or await bench.clock(task.id.rpartition("/")[0])
    return await bench.cases.act(task.id, action, actor=who[0], roles=[who[1]], body=body, sent_at=sent)


async def opened(bench, unit, step="ask", mood=""):
    """A case that waits for a person, and its task."""
    started = await bench.start(unit, mood)
    return started.case, await bench.task(started.case, step)


async def overtaken(late, step="ask"):
    """A case whose wait ended while no worker was up, just after its task was to go or to expire."""
    async with late.worker():
        case, task = await opened(late, Overtaken, step, "" if step == "ask" else step)
        due = task.ready + 2 * HOUR
        await act(late, task, "start")
        await act(late, task, "wait", reason="customer", until=(due + SECOND).isoformat())
    # Time cannot be skipped past a timer that no worker takes: the last seconds pass by themselves.
    await late.skip(case, due - await late.clock(case) - 2.5 * SECOND)
    await late.reaches(case, due + 1.2 * SECOND)
    return case, task


async def test_a_task_that_went_up_during_an_outage_is_not_resumed(late):
    """Its wait is over with whoever waited: it is the lead's to take, and nobody works on it meanwhile."""
    case, task = await overtaken(late)
    async with late.worker():
        view = await late.until(case, lambda view: view if view.record.rungs else None)
        await act(late, task, "claim", LEA)
        await act(late, task, "complete", LEA, **GRANT)
        closed = await late.closed(case)

    assert (view.tasks[0].state, view.tasks[0].owner, view.tasks[0].role) == ("ready", None, "lead")
    assert [rung.rung for rung in view.record.rungs if rung.task or rung.clock != "unit"] == ["warn", "deadline"]
    assert closed.record.steps[0].by == "lea"


async def test_a_task_that_expired_during_an_outage_expires_once(late):
    """The end of its wait, a second later, does not open it again."""
    case, _ = await overtaken(late, "briefly")
    async with late.worker():
        closed = await late.closed(case)

    assert (closed.close, closed.record.steps[0].end) == ("expired", "expired")
    assert [rung.rung for rung in closed.record.rungs] == ["expiry"]
    assert closed.record.steps[0].done == us(2 * HOUR) + closed.record.steps[0].ready


async def released(bench):
    """A case whose task was given back just before it was late, and done by whoever took it next."""
    case, task = await opened(bench, Picked)
    await act(bench, task, "claim")
    await bench.skip(case, 3.9 * HOUR)
    await act(bench, task, "release")
    await act(bench, task, "claim", BOB)
    await bench.skip(case, 1 * HOUR)
    return case, task


async def test_giving_a_task_back_does_not_reset_a_clock(bench):
    """It began when the task was first taken: it breaks four hours after that, whoever has it then."""
    case, _ = await released(bench)
    view = await bench.until(case, lambda view: view if len(fired(view, "work_time")) == 2 else None)
    first = next(acted.at for acted in view.record.actions if acted.action == "claim")

    assert facts(view, "work_time").started == first
    assert facts(view, "work_time").breached == first + us(4 * HOUR)


async def risen(bench):
    """A case whose task was late, went to the lead by that, and was done in an hour."""
    case, task = await opened(bench, Picked)
    await act(bench, task, "claim")
    await bench.skip(case, 5 * HOUR)
    await bench.until(case, lambda view: view if len(fired(view, "work_time")) == 2 else None)
    await act(bench, task, "claim", LEA)
    await bench.skip(case, 1 * HOUR)
    await act(bench, task, "complete", LEA, **GRANT)
    return case, task


async def test_going_up_the_ladder_neither_resets_a_clock_nor_erases_its_breach(bench):
    """The breach that took the task to the lead stays, however fast the lead is."""
    case, _ = await risen(bench)
    view = await bench.closed(case)
    first = next(acted.at for acted in view.record.actions if acted.action == "claim")

    assert [name for name, _ in fired(view, "work_time")] == ["warn", "deadline"]
    assert facts(view, "work_time").breached == first + us(4 * HOUR)


async def stalled(bench):
    """A case that has waited for an operator past its due time."""
    request = uuid.uuid4().hex[:12]
    BROKEN.add(f"{request}/look")
    case = (await bench.start(Stalled, request=request)).case
    await bench.until(case, lambda view: view if view.record and view.record.incidents else None)
    await bench.skip(case, 3 * HOUR)
    return case


async def test_an_incident_is_no_hold_that_somebody_declared(bench):
    """The promise runs on while a machine step waits for an operator, and breaks."""
    case = await stalled(bench)
    view = await bench.until(case, lambda view: view if len(view.record.rungs) == 2 else None)
    body = {"result": {"risk": "low"}, "reason": "by hand"}
    sent = {"actor": "bea", "roles": [BOSS], "sent_at": await bench.clock(case)}
    await bench.cases.act(f"{case}/look", "resolve", body=body, **sent)
    closed = await bench.closed(case)

    assert (facts(view).state, facts(view).paused) == ("running", 0)
    assert fired(view) == [("warn", 1.5), ("deadline", 2)]
    assert (closed.close, closed.record.sla) == ("achieved_late", "breached")


async def reminded(bench):
    """A case that was adjusted by an hour after three reminders, and what it then showed."""
    case, task = await opened(bench, Reminded)
    await bench.skip(case, 11 * HOUR + SECOND)
    await bench.until(case, lambda view: view if len(view.record.rungs) == 3 else None)
    await act(bench, task, "start", LEA)
    await bench.skip(case, 2 * HOUR)
    await bench.until(case, lambda view: view if len(view.record.rungs) == 5 else None)
    await deed(bench, case, "adjust", seconds=3600, reason="our own outage", evidence="incident 7")
    return case, await bench.cases.show(case)


async def test_a_small_adjustment_takes_back_only_what_now_lies_ahead(bench):
    """The third reminder comes again; the first, which took the task from its owner, does not; the breach has moved."""
    case, after = await reminded(bench)
    await bench.skip(case, 1 * HOUR)
    view = await bench.until(case, lambda view: view if view.record.rungs[-1].rung == "passed" else None)

    assert fired(after)[2:] == [("passed1", 11), ("passed2", 12), ("passed3", 13), ("withdrawn3", 14)]
    assert fired(view)[-1] == ("passed3", 14)
    assert (view.tasks[0].owner, view.tasks[0].state, view.tasks[0].level) == ("lea", "in_progress", 1)
    assert after.record.breached == facts(after).breached == us(11 * HOUR)


async def waited(bench, arrives, *, resumed=True):
    """A case in which it is said that late that the customer is waited for since an hour after its start."""
    case, task = await opened(bench, Patient)
    await act(bench, task, "start")
    await bench.skip(case, arrives)
    await bench.until(case, lambda view: view if view.record.rungs else None)
    await act(bench, task, "wait", sent_at=task.ready + HOUR, reason="customer")
    if resumed:
        await act(bench, task, "resume")
    return case, task


async def test_a_wait_that_is_told_late_undoes_no_breach(bench):
    """The clock counts it from when it was told; how the time was spent is as the owner says."""
    case, task = await waited(bench, 3 * HOUR)
    during = await bench.cases.show(case)
    await bench.skip(case, HOUR)
    await act(bench, task, "complete", **GRANT)
    view = await bench.closed(case)
    ready = view.record.steps[0].ready

    assert (facts(during).due, facts(during).breached) == (us(2 * HOUR), us(2 * HOUR))
    assert facts(during).paused < us(HOUR)
    assert view.record.steps[0].waits[0][0] == ready + us(HOUR)
    assert fired(view) == [("warn", 1.5), ("deadline", 2)]
    assert (view.close, view.record.sla, view.record.breached) == ("achieved_late", "breached", us(2 * HOUR))


async def test_a_wait_that_is_told_in_time_takes_a_warning_back(bench):
    """Nothing was broken: what has fired and now lies ahead fires again at its new time."""
    case, _ = await waited(bench, 1.8 * HOUR, resumed=False)
    view = await bench.cases.show(case)

    assert [name for name, _ in fired(view)] == ["warn", "withdrawn"]
    assert (view.record.warned, facts(view).state) == (None, "paused")


async def test_an_answer_is_not_older_than_the_work_on_it(bench):
    """Begun at three hours, it is done no earlier, whatever its sender's clock shows: the promise is broken."""
    case, task = await opened(bench, Patient)
    await bench.skip(case, 3 * HOUR)
    await bench.until(case, lambda view: view if len(view.record.rungs) == 2 else None)
    await act(bench, task, "start")
    await act(bench, task, "complete", sent_at=task.ready + HOUR, **GRANT)
    view = await bench.closed(case)
    begun, done = (acted.at for acted in view.record.actions)

    assert begun == done == view.record.steps[0].done == view.record.closed
    assert (view.close, view.record.sla) == ("achieved_late", "breached")


def office(lab, folder):
    """A way to cases whose calendars are in a folder, and one to publish another version of a calendar."""
    first = (CALENDARS / "tests" / "1.toml").read_text(encoding="utf-8")

    def publish(name, version=1, closes="17:00"):
        (folder / name).mkdir(exist_ok=True)
        said = first.replace("version = 1", f"version = {version}").replace("17:00", closes)
        (folder / name / f"{version}.toml").write_text(said, encoding="utf-8")

    publish("shifting")
    publish("fixed")
    return Bench(lab, Catalog([PACKAGE]), queue=f"twofold-{uuid.uuid4().hex[:8]}", calendars=folder), publish


async def told(there, case, name, version):
    """What becomes of an open case when a calendar's version is published for open ones, too.

    They are those that the engine lists: this one as it now is, and perhaps another test's that has just closed.
    """
    await there.listed(case)
    found = [one async for one in reproject(there.cases, name, version, actor="op", reason="why not")]
    (one,) = [one for one in found if one.case == case]
    return one


async def over(there, case):
    """End a case: what is told to all open ones is not for it any more."""
    await there.handle(case).cancel()
    await there.closed(case)


async def test_a_reprojection_that_cannot_be_done_yet_stays_wanted(lab, tmp_path):
    """It is reported and written down as not done, does not hold up another one, and is done once it can be."""
    there, publish = office(lab, tmp_path)
    async with there.worker():
        case, _ = await opened(there, Twofold)
        await there.skip(case, timedelta(days=9))
        late = await there.until(case, lambda view: view if view.record.breached else None)
        lost = await told(there, case, "fixed", 9)
        kept = await there.cases.show(case)
        publish("shifting", 2, closes="09:30")
        moving = await told(there, case, "shifting", 2)
        moved = await there.cases.show(case)
        publish("fixed", 9)
        await there.skip(case, timedelta(days=1))
        done = await there.until(case, lambda view: view if view.record.entries[0].came == "done" else None)
        await over(there, case)

    def came(view):
        return [(entry.calendar, entry.came) for entry in view.record.entries]

    assert late.record.breached
    assert lost.error.startswith("accepted, not yet done: ")
    assert (moving.error, moving.before) == ("", "shifting@1")
    assert came(kept) == [("fixed@9", "wanted")]
    assert "9" in kept.record.entries[0].why
    assert (facts(kept, "ask.finish_by").calendar, facts(kept, "ask.finish_by").generation) == ("fixed@1", 1)
    assert came(moved) == [("fixed@9", "wanted"), ("shifting@2", "done")]
    assert (moved.record.breached, facts(moved).calendar) == (None, "shifting@2")
    assert came(done) == [("fixed@9", "done"), ("shifting@2", "done")]
    assert (done.record.entries[0].why, facts(done, "ask.finish_by").generation) == ("", 2)
    assert done.record.ignored_count == 1


async def test_of_two_reprojections_the_later_one_counts(lab, tmp_path):
    """A version that is not there is not waited for once another one is wanted, and a wish outlives its run."""
    there, publish = office(lab, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("workunits.core.course.MESSAGES_PER_RUN", 3)
        async with there.worker():
            case, task = await opened(there, Twofold)
            await told(there, case, "shifting", 9)
            await told(there, case, "fixed", 2)
            await act(there, task, "claim")
            await there.until(case, lambda view: view if view.record.runs == 2 else None)
            publish("shifting", 2)
            publish("fixed", 2)
            moving = await told(there, case, "shifting", 2)
            await there.skip(case, timedelta(days=2))
            view = await there.until(case, lambda view: view if view.record.entries[1].came == "done" else None)
            await over(there, case)

    assert moving.error == ""
    assert [(entry.calendar, entry.came) for entry in view.record.entries] == [
        ("shifting@9", "overtaken"),
        ("fixed@2", "done"),
        ("shifting@2", "done"),
    ]


async def test_a_reprojection_sees_as_far_ahead_as_was_seen_before(lab, tmp_path):
    """A budget that reaches beyond the usual 400 days still has a due time by the new version."""
    there, _ = office(lab, tmp_path)

    def briefly(version, minutes):
        said = f'version = {version}\nzone = "UTC"\n[hours]\nsunday = ["09:00-09:{minutes:02}"]\n'
        (tmp_path / "shifting" / f"{version}.toml").write_text(said, encoding="utf-8")

    briefly(1, 8)
    async with there.worker():
        case, _ = await opened(there, Twofold)
        before = await there.cases.show(case)
        briefly(2, 7)
        moving = await told(there, case, "shifting", 2)
        after = await there.cases.show(case)
        await over(there, case)

    weeks = [facts(view).due // us(7 * 24 * HOUR) if facts(view).due else None for view in (before, after)]
    assert moving.error == ""
    assert facts(after).calendar == "shifting@2"
    assert weeks[0] in (59, 60)
    assert weeks[1] in (68, 69)
