"""What the four-element test says of incidents and compensation: every problem with its place and its remedy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.core.test_gate import CHECK, Case, Done, Late, Odd, declare, fields, loose
from tests.lab.troubles import TROUBLES
from workunits.core.gate import examine
from workunits.core.spec import On, OnFailure, ai, automated, human
from workunits.registry import definition_hash, describe
from workunits.units import UNITS

UNDO = automated("undo", Case, Done)
WRONG = automated("wrong", Done, Done)
BY_HAND = human("by_hand", Case, Case, role="clerk", accountable="head of clerks")
CLOSES = (On(Odd, CHECK),)


def test_whole_declarations_have_no_problem():
    """The units of the other tests are complete, without a warning."""
    assert [examine(unit) for unit in TROUBLES] == [[], []]


@pytest.mark.parametrize("made", [automated, ai])
def test_each_kind_of_machine_step_may_wait_for_an_operator(made):
    """`after` is a fact of any machine step."""
    check = made("check", Case, Case, raises=(Odd,), after="incident")
    assert declare(CHECK=check, rules=(On(Odd, check),)) == []


@pytest.mark.parametrize("after", ["", "wait", None, 3, []])
def test_what_follows_a_last_attempt_is_one_of_two(after):
    """Anything else is named with what there is."""
    check = replace(CHECK, after=after)
    (problem,) = declare(CHECK=check, rules=(On(Odd, check),))

    assert (problem.element, problem.field) == ("structure", "check.after")
    assert problem.remedy == 'Write after="fail" or after="incident"'


def test_a_person_has_no_incident():
    """A person's step does not fail technically."""
    (problem,) = declare(DECIDE=replace(declared("DECIDE"), after="incident"))

    assert problem.field == "decide.after"
    assert "expires=" in problem.remedy


def test_a_failure_rule_leaves_no_incident():
    """Of two answers to one question only one would ever be heard."""
    check = replace(CHECK, after="incident")
    rules = (On(Odd, check), OnFailure(check, instead=BY_HAND))
    (problem,) = declare(CHECK=check, BY_HAND=BY_HAND, rules=rules)

    assert (problem.element, problem.field) == ("logic", "rules.check")
    assert "no incident ever opens" in problem.what


@pytest.mark.parametrize(
    ("undo", "others", "words"),
    [
        ("undo", {}, "str is no step"),
        (UNDO, {}, "is not declared in this unit"),
        (WRONG, {"WRONG": WRONG}, "cannot take its output"),
        (replace(UNDO, compensated_by=WRONG), {"WRONG": WRONG}, "undone itself, in a circle"),
    ],
    ids=["no_step", "undeclared", "type", "circle"],
)
def test_a_compensation_that_cannot_be_performed(undo, others, words):
    """It is a declared step that takes what the other gave, and is not undone itself."""
    check = replace(CHECK, compensated_by=undo)
    if words.endswith("circle"):
        others = {**others, "UNDO": undo}
    problems = declare(CHECK=check, rules=(On(Odd, check),), **others)

    assert fields(problems) == ["structure.check.compensated_by"]
    assert words in problems[0].what


def test_a_step_does_not_undo_itself():
    """The shortest circle."""
    check = automated("check", Case, Case, raises=(Odd,))
    object.__setattr__(check, "compensated_by", check)
    (problem,) = declare(CHECK=check, rules=(On(Odd, check),))

    assert "circle" in problem.what


def test_a_rule_that_compensates_is_whole():
    """With a step that declares how it is undone; a repair may come first."""
    check = replace(CHECK, compensated_by=UNDO)
    mend = human("mend", Case, Case, role="clerk", decides=False)
    rules = (On(Odd, check, repair=mend, compensate=True),)

    assert declare(CHECK=check, UNDO=UNDO, MEND=mend, rules=rules) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"compensate": True, "instead": BY_HAND}, "both instead and compensate"),
        ({"compensate": "yes"}, "str does not say whether"),
    ],
)
def test_a_rule_that_compensates_and_does_not_fit(changes, words):
    """It says one thing, with a yes or a no."""
    check = replace(CHECK, compensated_by=UNDO)
    rule = loose.On(Odd, check, **changes)
    problems = declare(CHECK=check, UNDO=UNDO, BY_HAND=BY_HAND, rules=(rule,))

    assert "logic.rules.check" in fields(problems)
    assert any(words in problem.what for problem in problems)


def test_a_rule_with_nothing_to_undo():
    """A promise that nobody could keep."""
    (problem,) = declare(rules=(On(Odd, CHECK, compensate=True),))

    assert problem.what == "no step declares how it is undone"
    assert "compensated_by=STEP" in problem.remedy


def test_a_compensation_does_not_compensate():
    """Its own exception may not begin the undoing again."""
    undo = automated("undo", Case, Done, raises=(Late,))
    check = replace(CHECK, compensated_by=undo)
    (problem,) = declare(CHECK=check, UNDO=undo, rules=(On(Odd, check), On(Late, undo, compensate=True)))

    assert (problem.field, "circle" in problem.what) == ("rules.undo", True)


def test_a_definition_without_trouble_keeps_its_hash():
    """What is not declared is not described: the units that were there before trouble are what they were."""
    older = [unit for unit in UNITS if unit.unit_name in ("customer_onboarding", "refund_request")]
    steps = [step for unit in older for step in describe(unit)["structure"]["steps"]]
    assert not any({"after", "compensated_by"} & set(step) for step in steps)
    trip = {step["name"]: step for step in describe(TROUBLES[1])["structure"]["steps"]}
    assert (trip["cancel_flight"]["after"], trip["book_flight"]["compensated_by"]) == ("incident", "cancel_flight")
    assert "undone" in describe(TROUBLES[1])["logic"]["rules"][0]["then"]
    assert len({definition_hash(unit) for unit in TROUBLES}) == 2


def declared(name: str) -> Any:
    """A step of the whole declaration."""
    from tests.core import test_gate

    return getattr(test_gate, name)
