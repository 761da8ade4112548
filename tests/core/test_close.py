"""Every way in which a case closes, and that its record says why."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta

import pytest
from temporalio.client import WorkflowFailureError

from tests.lab.contracts import Decision, Facts, Request
from tests.lab.messages import cause
from tests.lab.performers import EFFECTS
from tests.lab.units import Inline, Pair, Plain, Ruled
from tests.patience import PATIENCE
from workunits.core.parts import parts
from workunits.testing import Answer, NobodyAnswersError

GRANT, REFUSE = Decision(decision="grant"), Decision(decision="refuse", reason="no")
HOUR = timedelta(hours=1)


def adds_up(view):
    """The parts of a closed case are its elapsed time, to the microsecond."""
    return sum(parts(view.record).values()) == view.record.closed


@pytest.mark.parametrize(
    ("after", "answer", "close", "sla"),
    [
        (3 * HOUR, GRANT, "achieved", "met"),
        (20 * HOUR, GRANT, "achieved", "met"),
        (24 * HOUR - timedelta(seconds=1), GRANT, "achieved", "met"),
        (25 * HOUR, GRANT, "achieved_late", "breached"),
        (3 * HOUR, REFUSE, "not_achieved", "met"),
        (30 * HOUR, REFUSE, "not_achieved", "breached"),
    ],
)
async def test_an_answer_closes_by_outcome_and_time(lab, after, answer, close, sla):
    """The predicate says whether, the clock says whether in time; a breach is a fact of its own."""
    view = await lab.run(Plain, Request(request=uuid.uuid4().hex), {Plain.DECIDE: Answer(answer, "ann", after)})

    assert (close, sla) == (view.close, view.record.sla)
    assert (after > 18 * HOUR) == (view.record.warned is not None)
    decided = next(work for work in view.record.steps if work.step == "decide")
    assert view.record.closed == decided.done == decided.ready + after // timedelta(microseconds=1)
    assert view.record.decided_by == ["ann"]
    assert adds_up(view)


async def test_a_task_that_nobody_answers_expires_the_case(lab):
    """An expiry closes at its due time and is never a no."""
    view = await lab.run(Plain, Request(request="silence"))

    task = view.record.steps[-1]
    assert (view.close, view.record.reason) == ("expired", "no_answer")
    assert view.record.closed == task.done == task.ready + 36 * HOUR // timedelta(microseconds=1)
    assert view.record.breached == 24 * HOUR // timedelta(microseconds=1)
    assert adds_up(view)


async def test_the_lab_says_when_a_test_forgot_an_answer(lab):
    """A task without expiry and answer would wait for ever; the lab names the step."""
    with pytest.raises(NobodyAnswersError, match="'decide'"):
        await lab.run(Inline, Request(request="forgotten"))


async def test_cancelled_while_a_person_is_asked(bench):
    """A cancel ends the open task, names who asked for it, and Temporal says Canceled."""
    started = await bench.start(Plain)
    await bench.task(started.case, "decide")
    await bench.cases.cancel(started.case, actor="ops", reason="entered twice")
    view = await bench.closed(started.case)

    assert view.close == "cancelled"
    assert view.record.cancelled_by == "ops: entered twice"
    assert view.record.steps[-1].end == "cancelled"
    assert (await bench.handle(started.case).describe()).status.name == "CANCELED"
    assert adds_up(view)


async def test_cancelled_while_a_machine_works(bench):
    """A cancel does not wait for a running performer."""
    started = await bench.start(Plain, "stuck")
    async with asyncio.timeout(PATIENCE):
        while f"{started.case}/look" not in EFFECTS:  # noqa: ASYNC110 - the performer tells nobody
            await asyncio.sleep(0.01)
    await bench.handle(started.case).cancel()
    view = await bench.closed(started.case)

    assert (view.close, view.record.steps[0].end) == ("cancelled", "cancelled")
    assert adds_up(view)


@pytest.mark.parametrize(
    ("mood", "code"),
    [
        ("broken", "ConnectionError"),
        ("refused", "not_found"),
        ("undeclared", "undeclared_exception"),
        ("nan", "bad_result"),
        ("none", "bad_result"),
        ("misfit", "bad_result"),
        ("huge_integer", "bad_result"),
        ("large", "bad_result"),
    ],
)
async def test_f18_a_technical_failure_without_a_rule_fails_the_case(bench, mood, code):
    """After the last attempt the case closes as failed, says what failed, and Temporal says Failed."""
    started = await bench.start(Plain, mood)
    with pytest.raises(WorkflowFailureError) as error:
        await bench.handle(started.case).result()
    view = await bench.closed(started.case)

    assert ("failed", "technical_failure", f"look: {code}") == (view.close, view.record.reason, view.record.why)
    assert cause(error.value).details[0]["close"] == "failed"
    assert [(False, code, "close")] == [(r.business, r.code, r.to) for r in view.record.routes]
    assert (3 if mood == "broken" else 1) == view.record.steps[0].attempts
    assert adds_up(view)


async def test_f18_a_blocked_performer_times_out_and_others_go_on(bench):
    """An attempt over its time is retried; meanwhile other cases of the same worker close."""
    stuck = await bench.start(Plain, "stuck")
    fine = await bench.start(Plain)
    await bench.answer(await bench.task(fine.case, "decide"), {"decision": "grant"})
    assert (await bench.closed(fine.case)).close == "achieved"
    view = await bench.closed(stuck.case)

    assert view.record.why == "look: timeout_start_to_close"
    assert parts(view.record)["retry"] > 5_500_000
    assert adds_up(view)


async def test_a_flaky_step_is_done_once_with_its_attempts_on_the_record(bench):
    """Retries are the platform's and no exception; the effect's key is the same over all attempts."""
    started = await bench.start(Plain, "flaky")
    await bench.answer(await bench.task(started.case, "decide"), {"decision": "grant"})
    view = await bench.closed(started.case)

    assert (view.record.steps[0].attempts, view.record.routes) == (3, [])
    assert parts(view.record)["retry"] > 2_900_000
    assert [f"{started.case}/look"] * 3 == [key for key in EFFECTS if key.startswith(started.case)]
    assert adds_up(view)


async def test_an_inline_step_takes_time_although_the_workflow_clock_stands_still(bench):
    """What comes after an inline step is later than its end, attempts included."""
    started = await bench.start(Inline, "slow")
    await bench.answer(await bench.task(started.case, "decide"), {"decision": "grant"})
    view = await bench.closed(started.case)

    look, decide = view.record.steps
    assert parts(view.record)["touch_machine"] > 390_000
    assert decide.ready >= look.done >= look.work[-1][1]
    assert adds_up(view)


async def test_an_inline_step_keeps_its_attempts(bench):
    """Three attempts leave one marker in the history and three attempts on the record."""
    started = await bench.start(Inline, "flaky")
    task = await bench.task(started.case, "decide")
    await bench.answer(task, {"decision": "grant"})
    view = await bench.closed(started.case)

    assert view.record.steps[0].attempts == 3
    assert parts(view.record)["retry"] > 2_900_000
    assert adds_up(view)


async def test_an_exception_goes_to_a_person_with_its_evidence(bench):
    """`instead` gives the step to someone else, who sees what was found."""
    started = await bench.start(Ruled, "odd")
    task = await bench.task(started.case, "look_by_hand")
    asked = await bench.cases.question(task.id)
    await bench.answer(task, {"risk": "seen"})
    view = await bench.closed(started.case)

    assert asked["evidence"] == {"found": "a second head"}
    assert "odd" == task.because == asked["task"]["because"]
    assert [(r.key, r.code, r.business, r.to) for r in view.record.routes] == [("look", "odd", True, "look_by_hand")]
    assert view.close == "achieved"
    assert adds_up(view)


async def test_an_exception_goes_back_to_the_customer_once(bench):
    """`repair` mends the input and the step is done again; that time is rework, the customer's is external."""
    started = await bench.start(Ruled, "unreadable")
    task = await bench.task(started.case, "mend")
    await bench.skip(started.case, timedelta(days=2))
    at = await bench.clock(started.case)
    await bench.answer(task, {"request": "r", "mood": "fine"}, by="the customer", sent_at=at)
    view = await bench.closed(started.case)

    again = next(work for work in view.record.steps if work.key == "look-2")
    split = parts(view.record)
    assert (again.redo_of, again.end) == ("look", "done")
    assert 0 <= split["external_wait"] - 2 * 86_400_000_000 < 60_000_000
    assert split["rework"] == again.done - again.ready
    assert adds_up(view)


async def test_a_repair_that_does_not_help_closes_as_not_achieved(bench):
    """The customer is asked once; the exception's code is the reason."""
    started = await bench.start(Ruled, "unreadable")
    await bench.answer(await bench.task(started.case, "mend"), {"request": "r", "mood": "unreadable"}, by="c")
    view = await bench.closed(started.case)

    assert (view.close, view.record.reason) == ("not_achieved", "unreadable")
    assert [routed.to for routed in view.record.routes] == ["mend", "close"]


async def test_an_exception_without_instead_closes_the_case_and_stops_the_other_steps(bench):
    """The step beside it is cancelled, not left running."""
    started = await bench.start(Ruled, "adviser odd")
    view = await bench.closed(started.case)

    assert (view.close, view.record.reason) == ("not_achieved", "odd")
    assert adds_up(view)


async def test_a_failed_model_is_followed_by_a_person(bench):
    """A technical failure with a rule is routed, and is no business exception."""
    started = await bench.start(Ruled, "adviser broken")
    await bench.answer(await bench.task(started.case, "advise_by_hand"), {"risk": "read"})
    view = await bench.closed(started.case)

    assert [(r.key, r.code, r.business, r.to) for r in view.record.routes] == [
        ("advise", "ConnectionError", False, "advise_by_hand")
    ]
    assert view.close == "achieved"
    assert adds_up(view)


async def test_two_people_are_asked_at_the_same_time(lab):
    """Parallel human steps are open together and may be answered in any order."""
    answers = {Pair.LEFT: Answer(GRANT, "ann", 2 * HOUR), Pair.RIGHT: Answer(GRANT, "bob", HOUR)}
    view = await lab.run(Pair, Request(request="two"), answers)

    left, right = view.record.steps
    assert left.ready == right.ready
    assert right.done < left.done == view.record.closed
    assert adds_up(view)


async def test_work_that_was_started_counts_as_touch(lab):
    """Between start and complete a person works; a bare complete says only who."""
    measured = Answer(GRANT, "ann", 2 * HOUR, started_after=HOUR)
    view = await lab.run(Plain, Request(request="measured"), {Plain.DECIDE: measured, Plain.LOOK: Facts(risk="low")})

    assert not view.record.steps[1].assigned_only
    assert parts(view.record)["touch_human"] == 3_600_000_000
    assert adds_up(view)
