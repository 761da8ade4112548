"""A machine step that failed for good waits for an operator: every decision, and what becomes of the case meanwhile."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.worker import Worker

from tests.conftest import PACKAGE, Bench
from tests.lab import trouble_performers
from tests.lab.messages import cause
from tests.lab.trouble_performers import BROKEN, DONE, ODD
from tests.lab.troubles import Held, Trip
from workunits.core.errors import BadInput, Refused
from workunits.core.parts import parts
from workunits.performs import collect, match
from workunits.registry import Catalog

GRANT = {"decision": "grant"}
HOUR = 3_600_000_000


def incident(view, key="book"):
    """The incident of a step."""
    return next((one for one in view.record.incidents if one.key == key), None) if view.record else None


def adds_up(view):
    """The parts of a closed case are its elapsed time, to the microsecond."""
    return sum(parts(view.record).values()) == view.record.closed


async def start(bench, *broken, **more):
    """A case whose steps are broken, once it is held by an incident, and its request."""
    request = uuid.uuid4().hex[:12]
    BROKEN.update(f"{request}/{step}" for step in broken or ("book",))
    started = await bench.start(Held, request=request, **more)
    return started.case, request


async def held(bench, case, key="book", tries=1):
    """The case, once the incident of a step is open after so many tries."""

    def look(view):
        found = incident(view, key)
        return view if found and (found.state, found.tries) == ("open", tries) else None

    return await bench.until(case, look)


async def decide(bench, case, action, key="book", **more):
    """Decide an incident as someone of operations."""
    said = {"actor": "olga", "roles": ["operations"], **more}
    return await bench.cases.act(f"{case}/{key}", action, **said)


async def sign(bench, case):
    """Answer the person's step."""
    await bench.answer(await bench.task(case, "sign"), GRANT)


async def test_a_case_stays_open_with_an_incident(bench):
    """It says what failed without a word of the error's text, its state is `incident`, and other work goes on."""
    case, request = await start(bench)
    await sign(bench, case)
    view = await held(bench, case)
    found = incident(view)
    description = await bench.handle(case).describe()

    assert (view.state, view.is_open) == ("incident", True)
    assert {p.key.name: p.value for p in description.typed_search_attributes}["WorkUnitState"] == "incident"
    assert (found.code, found.attempts, found.tries, found.state) == ("bank_down", 1, 1, "open")
    assert found.cause == "book failed after 1 attempt: bank_down"
    assert "Ann Example" not in view.record.model_dump_json()
    assert [(r.key, r.code, r.business, r.to) for r in view.record.routes] == [("book", "bank_down", False, "incident")]
    await bench.listed(case, "incident")
    assert next(w for w in view.record.steps if w.key == "sign").end == "done"
    BROKEN.discard(f"{request}/book")
    await decide(bench, case, "fail", body={"reason": "enough"})
    assert adds_up(await bench.closed(case))


async def test_a_retry_is_resolved_only_when_the_step_has_succeeded(bench):
    """A retry that fails is the same incident with one more try; the effect's key stays the same over all of them."""
    case, request = await start(bench)
    view = await held(bench, case)
    said = await decide(bench, case, "retry", body={"reason": "the bank says it is up"})
    again = await held(bench, case, tries=2)

    assert said == {"task_id": f"{case}/book", "state": "retrying", "revision": 2}
    assert len(again.record.incidents) == 1
    assert (incident(again).attempts, incident(again).revision) == (2, 3)
    BROKEN.discard(f"{request}/book")
    await decide(bench, case, "retry")
    await sign(bench, case)
    view = await bench.closed(case)
    found = incident(view)
    work = next(w for w in view.record.steps if w.key == "book")

    assert (view.close, found.state, found.by, found.tries) == ("achieved", "resolved", "olga", 2)
    assert (work.end, work.attempts, work.by, len(work.held), len(work.work)) == ("done", 3, None, 2, 3)
    assert found.closed == work.done
    assert [key for key in DONE if key.startswith(case)] == [f"{case}/book", f"{case}/confirm"]
    assert [(a.action, a.by, a.said, a.state) for a in view.record.actions if a.task == "book"] == [
        ("retry", "olga", {"reason": "the bank says it is up"}, "retrying"),
        ("retry", "olga", {}, "retrying"),
    ]
    assert adds_up(view)


async def test_the_time_of_an_incident_is_idle_and_the_clock_runs_on(bench):
    """Nobody works on it, so it is nobody's queue; the promise does not wait."""
    case, request = await start(bench)
    await sign(bench, case)
    await held(bench, case)
    await bench.skip(case, timedelta(hours=30))
    await bench.until(case, lambda view: view.record.breached)
    BROKEN.discard(f"{request}/book")
    await decide(bench, case, "retry")
    view = await bench.closed(case)
    split = parts(view.record)

    assert (view.close, view.record.sla) == ("achieved_late", "breached")
    assert 0 <= split["idle"] - 30 * HOUR < HOUR // 60
    assert split["queue"] < HOUR // 60
    assert adds_up(view)


async def test_an_operator_gives_the_result(bench):
    """It is checked against the step's output type, and the record says who gave it and why, and not what."""
    case, _ = await start(bench)
    await held(bench, case)
    with pytest.raises(BadInput) as misfit:
        await decide(bench, case, "resolve", body={"result": {"risk": 7}, "reason": "by phone"})
    with pytest.raises(BadInput) as wordless:
        await decide(bench, case, "resolve", body={"result": {"risk": "by hand"}})
    assert (misfit.value.field, wordless.value.field) == ("body.result.risk", "body.reason")
    said = await decide(bench, case, "resolve", body={"result": {"risk": "by hand"}, "reason": "by phone"})
    BROKEN.clear()
    await sign(bench, case)
    view = await bench.closed(case)
    work = next(w for w in view.record.steps if w.key == "book")

    assert said["state"] == "resolved"
    assert (await bench.handle(case).result())["result"]["by"] == ["by hand"]
    assert (incident(view).state, incident(view).by, incident(view).why) == ("resolved", "olga", "by phone")
    assert (work.end, work.by) == ("done", "olga")
    assert [a.said for a in view.record.actions if a.action == "resolve"] == [{"reason": "by phone"}]
    assert adds_up(view)


async def test_an_operator_lets_the_case_fail(bench):
    """It closes as failed with the reason, and the person beside it is asked no more."""
    case, _ = await start(bench)
    await bench.task(case, "sign")
    await held(bench, case)
    await decide(bench, case, "fail", body={"reason": "the bank is gone"}, roles=["head of tests"], actor="hank")
    view = await bench.closed(case)

    assert (view.close, view.record.reason) == ("failed", "technical_failure")
    assert view.record.why == "book: bank_down: the bank is gone"
    assert (incident(view).state, incident(view).by, incident(view).why) == ("failed", "hank", "the bank is gone")
    assert [routed.to for routed in view.record.routes] == ["incident", "close"]
    assert {work.key: work.end for work in view.record.steps} == {"book": "failed", "sign": "cancelled"}
    assert adds_up(view)


async def test_who_may_not_decide_is_refused_with_no_history_cost(bench):
    """Roles are the unit's; a stale revision, another action and a closed incident are refused as for tasks."""
    case, request = await start(bench)
    await held(bench, case)
    before = (await bench.handle(case).describe()).history_length
    refused: dict[str, dict[str, Any]] = {
        "not_allowed": {"roles": ["clerk"]},
        "stale_revision": {"revision": 9},
        "unknown_action": {"action": "claim"},
    }
    for code, more in refused.items():
        with pytest.raises(Refused) as error:
            await decide(bench, case, **{"action": "retry", **more})
        assert error.value.code == code
    assert (await bench.handle(case).describe()).history_length == before
    BROKEN.discard(f"{request}/book")
    await decide(bench, case, "retry")
    await bench.until(case, lambda view: incident(view).state == "resolved")
    with pytest.raises(Refused, match="the incident is resolved") as error:
        await decide(bench, case, "retry")
    assert error.value.code == "closed"
    await sign(bench, case)
    await bench.closed(case)


async def test_the_same_decision_twice_has_one_effect_and_one_answer(bench):
    """The action id makes repeating safe, also after the close; other content under it is refused."""
    case, _ = await start(bench)
    await held(bench, case)
    first = await decide(bench, case, "retry", action_id="again")
    await held(bench, case, tries=2)
    assert await decide(bench, case, "retry", action_id="again", revision=1) == first
    with pytest.raises(Refused) as error:
        await decide(bench, case, "fail", action_id="again", body={"reason": "no"})
    assert error.value.code == "action_id_reused"
    assert incident(await held(bench, case, tries=2)).tries == 2
    await decide(bench, case, "fail", body={"reason": "enough"})
    await bench.closed(case)
    assert await decide(bench, case, "retry", action_id="again", revision=1) == first


async def test_a_decision_by_signal_is_taken_and_a_bad_one_is_noted(bench):
    """Systems that cannot wait send the same envelope."""
    case, _ = await start(bench)
    await held(bench, case)
    envelope = {
        "action": "fail",
        "action_id": uuid.uuid4().hex,
        "task_id": f"{case}/book",
        "revision": 1,
        "actor": "olga",
        "roles": ["clerk"],
        "sent_at": datetime.now(UTC).isoformat(),
        "body": {"reason": "gone"},
    }
    await bench.handle(case).signal("act", envelope)
    with pytest.raises(WorkflowUpdateFailedError) as error:
        await bench.handle(case).execute_update("act", {**envelope, "body": {}, "roles": ["operations"]})
    assert cause(error.value).type == "invalid_field"
    await bench.handle(case).signal("act", {**envelope, "roles": ["operations"]})
    view = await bench.closed(case)

    assert [ignored.code for ignored in view.record.ignored] == ["not_allowed"]
    assert (view.close, incident(view).state) == ("failed", "failed")


async def test_an_incident_travels_into_the_next_run(bench, monkeypatch):
    """Its state, revision and tries are those of before, nothing is performed again, and a retry goes on from there."""
    monkeypatch.setattr("workunits.core.course.MESSAGES_PER_RUN", 4)
    case, request = await start(bench)
    await held(bench, case)
    await decide(bench, case, "retry")
    before = await held(bench, case, tries=2)
    task = await bench.task(case, "sign")
    for action in ("claim", "release", "claim", "release"):
        await bench.cases.act(task.id, action, actor="ann", roles=[task.role])
    after = await bench.until(case, lambda view: view if view.record.runs >= 2 else None)

    assert incident(after) == incident(before)
    assert after.state == "incident"
    BROKEN.discard(f"{request}/book")
    await decide(bench, case, "retry")
    await sign(bench, case)
    view = await bench.closed(case)

    assert (view.close, incident(view).state, incident(view).attempts) == ("achieved", "resolved", 3)
    assert len(view.record.incidents) == 1
    assert adds_up(view)


async def test_a_cancel_closes_the_incident(bench):
    """Whoever ends the case decides nothing of the incident: it reads closed."""
    case, _ = await start(bench)
    await held(bench, case)
    await bench.cases.cancel(case, actor="ops", reason="entered twice")
    view = await bench.closed(case)
    work = next(w for w in view.record.steps if w.key == "book")

    assert (view.close, incident(view).state, incident(view).by) == ("cancelled", "closed", None)
    assert (work.end, work.since, work.now) == ("cancelled", None, None)
    assert adds_up(view)
    with pytest.raises(Refused) as error:
        await decide(bench, case, "retry")
    assert error.value.code == "closed"


async def test_a_business_exception_of_a_retry_follows_its_rule(bench):
    """The step has then really been performed: the incident is resolved, and the unit's rules go on."""
    case, request = await start(bench)
    await held(bench, case)
    BROKEN.discard(f"{request}/book")
    ODD.add(f"{request}/book")
    await decide(bench, case, "retry")
    view = await bench.closed(case)

    assert (view.close, view.record.reason, incident(view).state) == ("not_achieved", "odd", "resolved")
    assert [(routed.code, routed.to) for routed in view.record.routes] == [("bank_down", "incident"), ("odd", "close")]
    assert adds_up(view)


async def test_an_inline_step_has_incidents_too(bench):
    """It is tried again under the same key."""
    case, request = await start(bench, "confirm")
    await sign(bench, case)
    await held(bench, case, "confirm")
    BROKEN.discard(f"{request}/confirm")
    await decide(bench, case, "retry", "confirm")
    view = await bench.closed(case)

    assert (view.close, incident(view, "confirm").state) == ("achieved", "resolved")
    assert adds_up(view)


async def test_a_worker_that_remembers_nothing_goes_on(lab):
    """Each activation replays the whole case: incidents, decisions and compensations come out the same."""
    there = Bench(lab, Catalog([PACKAGE]), queue=f"forgetful-{uuid.uuid4().hex[:8]}")
    steps = [step for unit in (Held, Trip) for step in unit.steps]
    found = [p for p in collect([trouble_performers], {}) if p.step in steps]
    activities = [performer.as_activity() for performer in match(steps, found)]
    async with Worker(
        lab.client, task_queue=there.queue, workflows=[Held, Trip], activities=activities, max_cached_workflows=0
    ):
        case = (await there.start(Held, "twice")).case
        await decide(there, (await held(there, case)).case, "retry")
        await decide(there, (await held(there, case, tries=2)).case, "retry")
        await sign(there, case)
        trip = (await there.start(Trip, "no car")).case
        closed, undone = await there.closed(case), await there.closed(trip)

    assert (closed.close, incident(closed).state, incident(closed).tries) == ("achieved", "resolved", 2)
    assert undone.record
    assert len([work for work in undone.record.steps if work.undoes and work.end == "done"]) >= 2
    assert adds_up(closed)


async def test_a_poisoned_case_takes_no_other_down(bench):
    """Two incidents of one cause, one of them retried again and again: the others of the same worker close."""
    poisoned, _ = await start(bench)
    await held(bench, poisoned)
    for tries in (2, 3, 4):
        await decide(bench, poisoned, "retry")
        fine = (await bench.start(Held)).case
        await sign(bench, fine)
        assert (await bench.closed(fine)).close == "achieved"
        await held(bench, poisoned, tries=tries)
    await decide(bench, poisoned, "fail", body={"reason": "poisoned"})
    assert (await bench.closed(poisoned)).close == "failed"
