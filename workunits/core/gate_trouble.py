"""The part of the four-element test that reads what follows trouble: incidents and compensation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from .gate_facts import Found, name_of, shown, text
from .spec import After, On, OnFailure, Step

AnyStep = Step[Any, Any]


def after_problems(step: AnyStep) -> Iterator[Found]:
    """What a step leaves undecided about its last attempt."""
    if text(step.after) not in get_args(After):
        yield "after", f"{shown(step.after)} does not follow a last attempt", 'Write after="fail" or after="incident"'
    elif step.after == "incident" and step.asks_person:
        remedy = "Leave it out; expires= and instead= say what follows"
        yield "after", "a person's step has no technical failure", remedy


def compensation_problems(step: AnyStep, declared: set[int]) -> Iterator[Found]:
    """What a step leaves undecided about how it is undone."""
    undo = step.compensated_by
    if undo is None:
        return
    if not isinstance(undo, Step):
        yield "compensated_by", f"{name_of(undo)} is no step", "Name the step of this unit that undoes it"
        return
    if id(undo) not in declared:
        what = f"its compensation {shown(undo.name)} is not declared in this unit"
        yield "compensated_by", what, "Declare it, or leave compensated_by out"
    if undo.takes is not step.gives:
        remedy = f"Let it take {name_of(step.gives)}, what the step gives"
        yield "compensated_by", f"its compensation {shown(undo.name)} cannot take its output", remedy
    if undo is step or undo.compensated_by is not None:
        remedy = "Leave compensated_by out of the step that undoes"
        yield "compensated_by", f"its compensation {shown(undo.name)} would be undone itself, in a circle", remedy


def trouble_problems(
    steps: Sequence[AnyStep], rules: Sequence[On[Any, Any] | OnFailure[Any, Any]]
) -> Iterator[tuple[AnyStep, str, str]]:
    """What rules and declarations of trouble leave undecided together, as (step, what, remedy)."""
    undoing = {id(step.compensated_by) for step in steps if isinstance(step.compensated_by, Step)}
    for rule in rules:
        step = rule.step
        if isinstance(rule, OnFailure):
            if step.after == "incident" and not step.asks_person:
                remedy = 'Keep one: the rule, or after="incident"'
                yield step, "its failure rule takes over, so no incident ever opens", remedy
        elif not isinstance(rule.compensate, bool):
            yield step, f"{name_of(rule.compensate)} does not say whether to compensate", "Write compensate=True"
        elif rule.compensate:
            yield from ((step, what, remedy) for what, remedy in _compensating(rule, undoing))


def _compensating(rule: On[Any, Any], undoing: set[int]) -> Iterator[tuple[str, str]]:
    if rule.instead is not None:
        remedy = "Keep one: instead goes on with the case, compensate undoes it"
        yield "it names both instead and compensate", remedy
    if not undoing:
        yield (
            "no step declares how it is undone",
            "Write compensated_by=STEP at those that are, or leave compensate out",
        )
    if id(rule.step) in undoing:
        remedy = "Let it close the case, or name instead="
        yield "a compensation's own rule would compensate, in a circle", remedy
