"""What people can do with a task beside completing it, on real cases."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from temporalio.worker import Worker

import workunits.core.course
import workunits.core.human
from tests.conftest import Bench
from tests.lab.contracts import Decision, Request
from tests.lab.people import PEOPLE, Council, FourEyes, Jury, Silent, Unanimous
from workunits.core.errors import BadInput, Refused
from workunits.core.parts import parts
from workunits.registry import Catalog, Package
from workunits.testing import Lab

HOUR = timedelta(hours=1)
MICRO = timedelta(microseconds=1)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def people(lab: Lab) -> AsyncIterator[Bench]:
    """A worker for these units."""
    queue = f"people-{uuid.uuid4().hex[:8]}"
    catalog = Catalog([Package("people", PEOPLE, ("tests.lab.contracts",), ())])
    async with Worker(lab.client, task_queue=queue, workflows=list(PEOPLE)):
        yield Bench(lab, catalog, queue)


async def act(people: Bench, task: Any, action: str, by: str = "ann", roles: Any = None, **body: Any) -> Any:
    """Act on a task as it stands."""
    return await people.cases.act(task.id, action, actor=by, roles=roles or [task.role], body=body)


async def vote(people: Bench, case: str, number: int, by: str, decision: str) -> None:
    """Give one vote."""
    task = await people.until(case, lambda v: next((t for t in v.tasks if t.id.endswith(f"-v{number}")), None))
    body = {"decision": decision} | ({"reason": "no"} if decision == "refuse" else {})
    await people.answer(task, body, by=by)


async def refused(awaitable: Any) -> str:
    """The code of a refusal."""
    with pytest.raises((Refused, BadInput)) as error:
        await awaitable
    return str(getattr(error.value, "code", ""))


def adds_up(view: Any) -> bool:
    """Every microsecond is in one part."""
    return bool(sum(parts(view.record).values()) == view.record.closed)


async def test_a_quorum_decides_at_once_and_the_others_are_asked_no_more(people):
    """Two of three agree: the third task is cancelled, and no one voted twice."""
    started = await people.start(Council)
    await vote(people, started.case, 1, "ann", "grant")
    assert await refused(vote(people, started.case, 2, "ann", "grant")) == "excluded"
    await vote(people, started.case, 2, "bob", "grant")
    view = await people.closed(started.case)

    assert (view.close, view.record.decided_by) == ("achieved", ["ann", "bob"])
    assert [work.end for work in view.record.steps] == ["done", "done", "cancelled"]
    assert adds_up(view)


async def test_without_a_quorum_the_rule_says_who_decides(people):
    """An exception of the platform's own, routed by the unit's rule."""
    started = await people.start(Council)
    for number, (by, decision) in enumerate([("ann", "grant"), ("bob", "refuse")], 1):
        await vote(people, started.case, number, by, decision)
    task = await people.until(started.case, lambda v: next((t for t in v.tasks if t.id.endswith("-v3")), None))
    await act(people, task, "fail", by="cyd", roles=["head of tests"], code="odd")
    view = await people.closed(started.case)

    assert (view.close, view.record.reason) == ("not_achieved", "odd")


async def test_votes_survive_continue_as_new(people, monkeypatch):
    """A vote that was given is not asked for again, and counts."""
    monkeypatch.setattr(workunits.core.course, "MESSAGES_PER_RUN", 1)
    started = await people.start(Council)
    await vote(people, started.case, 1, "ann", "refuse")
    await people.until(started.case, lambda view: view.record.runs == 2)  # else the others may close the first run
    assert await refused(vote(people, started.case, 2, "ann", "refuse")) == "excluded"
    await vote(people, started.case, 3, "cyd", "refuse")
    view = await people.closed(started.case)

    assert (view.close, view.record.reason) == ("not_achieved", "outcome_not_met")
    assert view.record.runs > 1
    assert len(view.record.steps) == 3
    assert adds_up(view)


@pytest.mark.parametrize(
    ("mood", "close", "reason", "routes"),
    [
        ("by_default", "not_achieved", "outcome_not_met", []),
        ("instead", "achieved", None, [("instead", "expired", "chair")]),
        ("neither", "expired", "no_answer", []),
    ],
)
async def test_votes_that_nobody_gives_are_silence(people, mood, close, reason, routes):
    """The step says what follows, as it does of a single task; that is no vote without a quorum."""
    case = Jury.case_type(request=uuid.uuid4().hex, mood=mood)
    view = await people.lab.run(Jury, case, {Jury.CHAIR: Decision(decision="grant")})

    assert (view.close, view.record.reason) == (close, reason)
    assert [(r.key, r.code, r.to) for r in view.record.routes] == routes
    assert [work.end for work in view.record.steps[:3]] == ["expired"] * 3
    assert adds_up(view)


async def test_one_vote_that_is_missing_is_silence_too(people, monkeypatch):
    """Two differ and the third, who would have decided, stays silent; the votes came in an earlier run."""
    monkeypatch.setattr(workunits.core.course, "MESSAGES_PER_RUN", 1)
    started = await people.start(Jury)
    await vote(people, started.case, 1, "ann", "grant")
    await vote(people, started.case, 2, "bob", "refuse")
    await people.until(started.case, lambda view: view.record.runs > 1)
    await people.skip(started.case, HOUR)
    view = await people.closed(started.case)

    assert (view.close, view.record.reason) == ("not_achieved", "outcome_not_met")
    assert sorted(work.end for work in view.record.steps) == ["done", "done", "expired"]
    assert not view.record.routes
    assert adds_up(view)


async def test_where_all_have_voted_the_rule_for_no_quorum_counts(people):
    """Nobody stayed silent, so the expiry policy says nothing of it."""
    started = await people.start(Jury, mood="instead")
    for number, by in enumerate(("ann", "bob", "cyd"), 1):
        name = f"instead-v{number}"
        task = await people.until(started.case, lambda v, n=name: next((t for t in v.tasks if t.id.endswith(n)), None))
        await people.answer(task, {"decision": "grant", "reason": name}, by=by)
    view = await people.closed(started.case)

    assert (view.close, view.record.reason) == ("not_achieved", "no_quorum")


async def test_four_eyes_and_a_return_for_rework(people):
    """Whoever prepared may not check; what was returned is rework, to the microsecond."""
    started = await people.start(FourEyes)
    task = await people.task(started.case, "prepare")
    await people.answer(task, {"request": "draft"}, by="ann")
    check = await people.task(started.case, "check")
    assert check.excluded == ["ann"]
    assert await refused(act(people, check, "claim", by="ann")) == "excluded"
    assert (
        await refused(people.cases.act(check.id, "claim", actor="bob", roles=["clerk"], acting_for="ann")) == "excluded"
    )
    await people.answer(check, {"decision": "refuse", "reason": "again"}, by="bob")
    again = await people.task(started.case, "prepare")
    assert again.redo_of == "prepare"
    await people.skip(started.case, HOUR)
    at = await people.clock(started.case)
    await people.answer(again, {"request": "better"}, by="cyd", sent_at=at)
    last = await people.task(started.case, "check")
    assert last.excluded == ["ann", "cyd"]
    await people.answer(last, {"decision": "grant"}, by="bob", sent_at=at + HOUR)
    view = await people.closed(started.case)

    assert [work.key for work in view.record.steps] == ["prepare", "check", "prepare-2", "check-2"]
    assert parts(view.record)["rework"] > HOUR // MICRO
    assert adds_up(view)


async def test_waiting_for_someone_outside_and_being_held(people):
    """A wait is external and ends by itself; a hold is idle; neither is touch."""
    started = await people.start(FourEyes)
    task = await people.task(started.case, "prepare")
    begin = await people.clock(started.case)
    await act(people, task, "start")
    assert await refused(act(people, task, "wait", reason="the weather")) == "invalid_field"
    until = (begin + 3 * HOUR).isoformat()
    await act(people, task, "wait", reason="customer", until=until)
    waiting = await people.task(started.case, "prepare", state="waiting")
    assert waiting.waits_for == "customer"
    await people.skip(started.case, 4 * HOUR)
    task = await people.task(started.case, "prepare", state="in_progress")
    assert await refused(act(people, task, "suspend", reason="audit")) == "not_allowed"
    at = await people.clock(started.case)
    await people.cases.act(
        task.id, "suspend", actor="bea", roles=["head of tests"], body={"reason": "audit"}, sent_at=at
    )
    held = await people.task(started.case, "prepare", state="suspended")
    assert await refused(people.answer(held, {"request": "x"})) == "wrong_state"
    await people.skip(started.case, 2 * HOUR)
    at = await people.clock(started.case)
    await people.cases.act(held.id, "resume", actor="bea", roles=["head of tests"], sent_at=at)
    task = await people.task(started.case, "prepare", state="in_progress")
    await people.answer(task, {"request": "x"}, sent_at=at)
    await people.answer(await people.task(started.case, "check"), {"decision": "grant"}, by="bob", sent_at=at)
    view = await people.closed(started.case)
    split = parts(view.record)

    assert abs(split["external_wait"] - 3 * HOUR // MICRO) < 60_000_000
    assert abs(split["idle"] - 2 * HOUR // MICRO) < 60_000_000
    assert abs(split["touch_human"] - HOUR // MICRO) < 60_000_000
    assert adds_up(view)


async def test_hand_on_delegate_forward_escalate(people):
    """Each leaves its trace on the task, and on the record with its reason."""
    started = await people.start(FourEyes)
    task = await people.task(started.case, "prepare")
    await act(people, task, "claim")
    await act(people, task, "delegate", to="bob")
    task = await people.until(started.case, lambda v: next((t for t in v.tasks if t.owner == "bob"), None))
    assert task.delegator == "ann"
    assert await refused(people.answer(task, {"request": "x"}, by="bob")) == "sign_off"
    for to in ("bob", "zoe"):
        assert await refused(act(people, task, "forward", by="bob", to=to, reason="not mine")) == "sign_off"
    assert await refused(act(people, task, "release", by="bob")) == "sign_off"
    assert await refused(act(people, task, "escalate", by="bob", how="reassign_up", reason="too big")) == "sign_off"
    await act(people, task, "resolve", by="bob")
    assert await refused(act(people, task, "forward", reason="not mine")) == "invalid_field"
    assert await refused(act(people, task, "forward", to="ann", reason="mine")) == "invalid_field"
    await act(people, task, "forward", to="zoe", reason="not mine")
    task = await people.task(started.case, "prepare")
    assert await refused(act(people, task, "claim")) == "not_candidate"
    await act(people, task, "claim", by="zoe", roles=["guest"])
    await act(people, task, "escalate", by="zoe", roles=["guest"], how="reassign_up", reason="too big")
    task = await people.task(started.case, "prepare")
    assert (task.role, task.level, task.owner) == ("head of tests", 1, None)
    first = await people.cases.act(task.id, "assign", actor="bea", roles=["head of tests"], body={"to": "bea"})
    again = await people.cases.act(task.id, "assign", actor="bea", roles=["head of tests"], body={"to": "bea"})
    assert first["revision"] == again["revision"]
    await people.cases.act(task.id, "skip", actor="bea", roles=["head of tests"], body={"reason": "not needed"})
    await people.answer(await people.task(started.case, "check"), {"decision": "grant"}, by="bob")
    view = await people.closed(started.case)

    assert view.record.steps[0].end == "skipped"
    assert "not mine" in [acted.said.get("reason") for acted in view.record.actions]
    assert adds_up(view)


async def test_who_did_the_work_for_another_may_not_check_it(people, monkeypatch):
    """The record of the work names who signed it off; four eyes know both, also in the next run."""
    monkeypatch.setattr(workunits.core.course, "MESSAGES_PER_RUN", 4)
    monkeypatch.setattr(workunits.core.human, "REMEMBERED", 0)
    started = await people.start(FourEyes)
    task = await people.task(started.case, "prepare")
    await act(people, task, "claim")
    await act(people, task, "delegate", to="bob")
    await act(people, task, "resolve", by="bob")
    await people.answer(await people.task(started.case, "prepare", state="claimed"), {"request": "x"}, by="ann")
    check = await people.task(started.case, "check")
    assert check.excluded == ["ann", "bob"]
    assert await refused(act(people, check, "claim", by="bob")) == "excluded"
    await people.until(started.case, lambda view: view.record.runs > 1)
    await people.answer(check, {"decision": "refuse", "reason": "again"}, by="cyd")
    await people.answer(await people.task(started.case, "prepare"), {"request": "better"}, by="dan")
    check = await people.task(started.case, "check")
    assert check.excluded == ["ann", "bob", "dan"]
    await people.answer(check, {"decision": "grant"}, by="cyd")
    view = await people.closed(started.case)

    assert (view.close, [work.by for work in view.record.steps]) == ("achieved", ["ann", "cyd", "dan", "cyd"])


async def test_an_exception_that_a_person_meets_is_routed_by_the_rules(people):
    """It is typed, declared, and on the record as any other."""
    started = await people.start(FourEyes)
    task = await people.task(started.case, "prepare")
    await act(people, task, "claim")
    assert await refused(act(people, task, "fail", code="unheard")) == "invalid_field"
    await act(people, task, "fail", code="odd", reason="two heads")
    view = await people.closed(started.case)

    assert (view.close, view.record.reason) == ("not_achieved", "odd")
    assert [(r.key, r.code, r.business) for r in view.record.routes] == [("prepare", "odd", True)]
    assert adds_up(view)


async def test_a_task_that_an_admin_cancels_closes_the_case(people):
    """As cancelled, with its reason on the record."""
    started = await people.start(FourEyes)
    task = await people.task(started.case, "prepare")
    assert await refused(act(people, task, "cancel", reason="no need")) == "not_allowed"
    await people.cases.act(task.id, "cancel", actor="bea", roles=["head of tests"], body={"reason": "no need"})
    view = await people.closed(started.case)

    assert (view.close, view.record.reason) == ("cancelled", "task_cancelled")
    assert adds_up(view)


async def test_silence_goes_to_another_and_then_to_the_safe_answer(people):
    """Each expiry counts at its due time, and the default is the declared one."""
    view = await people.lab.run(Silent, Silent.case_type(request=uuid.uuid4().hex))

    assert (view.close, [work.end for work in view.record.steps]) == ("not_achieved", ["expired", "expired"])
    assert [(r.key, r.code, r.to) for r in view.record.routes] == [("first", "expired", "second")]
    assert 3 * HOUR // MICRO <= view.record.closed < 3 * HOUR // MICRO + 60_000_000
    assert adds_up(view)


async def test_a_lab_has_as_many_people_as_a_vote_needs(lab):
    """One answer is enough for a test; each vote is given in a name of its own."""
    view = await lab.run(Unanimous, Request(request=uuid.uuid4().hex), {Unanimous.VOTE: Decision(decision="grant")})

    assert view.close == "achieved"
    assert view.record.decided_by == ["someone", "a colleague of someone", "a colleague of someone (2)"]
