"""The four-element test on promises with time: each flaw has its field and its remedy."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest

from tests.core.test_gate import Case, Done, declare, fields, outcome
from workunits.core import spec
from workunits.core.promise import WorkingHours
from workunits.core.spec import (
    Between,
    Passed,
    Pause,
    Rise,
    SilenceApproves,
    Target,
    elapsed,
    human,
    working_days,
    working_hours,
)

loose: Any = spec
DAY = elapsed(hours=24)


@pytest.mark.parametrize(
    ("within", "field"),
    [
        (working_hours(8), "within"),
        (working_days(1), "within"),
        (timedelta(days=1), "within"),
        (loose.Target(timedelta(days=1), calendar="office"), "within.within"),
        (loose.Target(None), "within.within"),
        (Target(elapsed(hours=0)), "within.within"),
        (Target(elapsed(days=9999)), "within.within"),
        (Target(DAY, calendar="office"), "within.within"),
        (Target(working_hours(0), calendar="office"), "within.within"),
        (Target(working_hours(-1), calendar="office"), "within.within"),
        (Target(working_hours(99999), calendar="office"), "within.within"),
        (loose.Target(WorkingHours("8"), calendar="office"), "within.within"),  # type: ignore[arg-type]
        (Target(working_days(0), calendar="office"), "within.within"),
        (loose.Target(loose.working_days(1.5), calendar="office"), "within.within"),
        (Target(working_days(1)), "within.within"),
        (Target(working_days(1), calendar="../office"), "within.within"),
        (loose.Target(working_days(1), calendar=5), "within.within"),
        (Target(DAY, warn=1), "within.warn"),
        (loose.Target(DAY, warn=None), "within.warn"),
        (Target(DAY, goal=0), "within.goal"),
        (Target(DAY, goal=math.nan), "within.goal"),
        (Target(DAY, goal=0.9), "within.goal"),
        (loose.Target(DAY, pauses=Pause("customer", DAY)), "within.pauses"),
        (loose.Target(DAY, pauses=("customer",)), "within.pauses"),
        (Target(DAY, pauses=(Pause("", DAY),)), "within.pauses"),
        (loose.Target(DAY, pauses=(loose.Pause("customer", None),)), "within.pauses.cap"),
        (Target(DAY, pauses=(Pause("customer", elapsed()),)), "within.pauses.cap"),
        (Target(DAY, pauses=(Pause("customer", DAY), Pause("customer", DAY))), "within.pauses"),
        (loose.Target(DAY, passed=3), "within.passed"),
        (Target(DAY, passed=Passed(elapsed(), 3)), "within.passed.every"),
        (Target(DAY, passed=Passed(DAY, 0)), "within.passed.at_most"),
        (Target(DAY, passed=Passed(DAY, 9999)), "within.passed.at_most"),
        (loose.Target(DAY, ladder=Rise("warn", to="team lead")), "within.ladder"),
        (loose.Target(DAY, ladder=("team lead",)), "within.ladder"),
        (loose.Target(DAY, ladder=(loose.Rise("late", to="team lead"),)), "within.ladder"),
        (Target(DAY, ladder=(Rise("warn", to=""),)), "within.ladder"),
        (Target(DAY, ladder=(Rise("goal", to="team lead"),)), "within.ladder"),
        (Target(DAY, ladder=(Rise("passed", to="team lead"),)), "within.ladder"),
    ],
)
def test_a_promise_that_cannot_be_kept_track_of(within, field):
    """Zero, negative, a bare day, working time without a calendar, a pause without an end: each is refused."""
    problems = [problem for problem in outcome(within=within) if not problem.warning]
    assert fields(problems) == [f"outcome.{field}"]


@pytest.mark.parametrize(
    "within",
    [
        DAY,
        Target(DAY),
        Target(working_hours(8), calendar="back-office"),
        Target(working_days(2), calendar="back-office", pauses=(Pause("customer", cap=elapsed(days=14)),)),
        Target(DAY, goal=0.5, passed=Passed(DAY, 3), ladder=(Rise("goal", to="lead"), Rise("passed", to="lead"))),
    ],
)
def test_a_promise_that_can(within):
    """A budget alone, and whole targets."""
    assert [problem for problem in outcome(within=within) if not problem.warning] == []


def test_the_warning_stands_in_one_place():
    """Either beside a bare budget, or in the target."""
    assert fields(outcome(within=Target(DAY), warn=0.5)) == ["outcome.warn"]


@pytest.mark.parametrize("field", ["start_by", "finish_by"])
def test_a_steps_promises_are_read_like_the_outcomes(field):
    """A bare day is refused on a step, too."""
    step = loose.human("decide", Case, Done, role="clerk", accountable="head", **{field: timedelta(days=1)})

    assert f"structure.decide.{field}" in fields(declare(DECIDE=step))


@pytest.mark.parametrize(
    ("between", "field"),
    [
        ("reply", "targets"),
        (Between("Reply", "case.started", "decide.done", Target(DAY)), "targets.name"),
        (Between("unit", "case.started", "decide.done", Target(DAY)), "targets.name"),
        (Between("decide", "case.started", "decide.done", Target(DAY)), "targets.name"),
        (Between("reply", "case.opened", "decide.done", Target(DAY)), "targets.since"),
        (Between("reply", "case.started", "judge.done", Target(DAY)), "targets.until"),
        (Between("reply", "decide.ready", "case.started", Target(DAY)), "targets.until"),
        (Between("reply", "decide.ready", "decide.over", Target(DAY)), "targets.until"),
        (Between("reply", "case.started", "decide.done", Target(working_days(1))), "targets.target.within"),
        (loose.Between("reply", "case.started", "decide.done", None), "targets.target"),
    ],
)
def test_a_promise_between_events_that_do_not_exist(between, field):
    """Its events are those of the case and of its declared steps."""
    assert f"outcome.{field}" in fields(declare(targets=(between,)))


def test_promises_between_events_are_a_tuple_with_names_of_their_own():
    """One without its comma, and two of the same name."""
    reply = Between("reply", "case.started", "decide.done", Target(DAY))

    assert "outcome.targets" in fields(declare(targets=reply))
    assert "outcome.targets.name" in fields(declare(targets=(reply, reply)))
    assert "outcome.targets" not in " ".join(fields(declare(targets=(reply,))))


def silent(**more):
    """What is said of a decision that is taken when nobody answers."""
    step = loose.human(
        "decide", Case, Done, role="clerk", accountable="head", expires=DAY, by_default=Done(yes=True), **more
    )
    return [field for field in fields(declare(DECIDE=step)) if field.startswith("structure.decide")]


def test_silence_is_no_approval():
    """What the answer by default grants must be said, and granting needs governance and a way back."""
    grants = {"grants": lambda done: done.yes}
    signed = SilenceApproves(governance="policy 7, signed by the board", undone_by="the limit is lowered again")

    assert silent() == ["structure.decide.grants"]
    assert silent(grants=True) == ["structure.decide.grants"]
    assert silent(grants=lambda done: done.maybe) == ["structure.decide.grants"]
    assert silent(**grants) == ["structure.decide.by_default"]
    assert silent(**grants, silence_approves=SilenceApproves("", "somehow")) == ["structure.decide.by_default"]
    assert silent(**grants, silence_approves=SilenceApproves("the board", " ")) == ["structure.decide.by_default"]
    assert silent(**grants, silence_approves=signed) == []
    assert silent(grants=lambda done: not done.yes) == []


def test_silence_that_only_supplies_information_grants_nothing():
    """A step that decides nothing needs no word of that."""
    step = human("ask", Case, Done, role="clerk", decides=False, expires=DAY, by_default=Done(yes=True))

    assert [field for field in fields(declare(ASK=step)) if field.startswith("structure.ask")] == []
