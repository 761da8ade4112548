"""The four-element test: all unresolved design decisions of a unit at once, each with its remedy.

It reads any class, also one that is no unit: a plain Temporal workflow is "a process waiting to be designed",
and the test says which of the four elements cannot be found in it.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from pydantic import BaseModel

from .gate_logic import rule_problems, step_problems
from .spec import MEASURES, Elapsed, Learning, Measure, Outcome, Step

Element = Literal["definition", "outcome", "logic", "structure", "learning"]
ELEMENTS: tuple[Element, ...] = ("outcome", "logic", "structure", "learning")

UNIT_NAME = re.compile(r"[a-z][a-z0-9_]{1,59}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_ACTIVITY = re.compile(
    r"(?i)^(to )?(process|handle|check|review|send|perform|run|execute|manage|do|make|assess|verify|approve|prepare"
    r"|collect|create|update|start|call|notify|work on|deal with)\b|^\w+ing\b"
)
_TIME_BOUND = re.compile(
    r"(?i)\b(within|by|before|after|no later than|in|same)\b.*(\d|day|hour|minute|week|month|noon|midnight)"
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One unresolved design decision."""

    element: Element
    field: str
    what: str
    remedy: str
    warning: bool = False
    """A warning does not keep a unit from loading."""

    def __str__(self) -> str:
        """On one line."""
        return f"{self.element} · {self.field}: {self.what}. {self.remedy}"


def examine(cls: type[Any]) -> list[Problem]:
    """Everything that a class leaves undecided, in the order of the four elements."""
    return [*_definition(cls), *_outcome(cls), *_logic(cls), *_structure(cls), *_learning(cls)]


def _definition(cls: type[Any]) -> Iterator[Problem]:
    name, version = getattr(cls, "unit_name", None), getattr(cls, "version", None)
    if name is None:
        return
    if not isinstance(name, str) or not UNIT_NAME.fullmatch(name):
        remedy = 'Write name="lower_case_words": 2 to 60 letters, digits and _, a letter first'
        yield Problem("definition", "name", f"{name!r} is no unit name", remedy)
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        yield Problem("definition", "version", f"{version!r} is no version", 'Write version="1"')
    case = _work_types(cls)[0]
    fields = case.model_fields if case else {}
    key = getattr(cls, "key", "")
    if case and key and key not in fields:
        yield Problem(
            "definition", "key", f"{case.__name__} has no field {key!r}", "Name the field that identifies a case"
        )
    for fact in getattr(cls, "facts", ()):
        if case and fact not in fields:
            yield Problem("definition", "facts", f"{case.__name__} has no field {fact!r}", "Name fields of the case")


def _outcome(cls: type[Any]) -> Iterator[Problem]:
    outcome = getattr(cls, "outcome", None)
    if not isinstance(outcome, Outcome):
        remedy = 'State what done looks like: outcome = Outcome(Result, "... is decided within 24 hours.", ...)'
        yield Problem("outcome", "outcome", "no outcome definition can be found", remedy)
        return
    if not _is_model(outcome.result):
        yield Problem("outcome", "result", "the result is no pydantic model", "Write a model of what the unit delivers")
    if not callable(outcome.achieved):
        remedy = "Give a predicate: achieved=lambda result: result.decision is not None"
        yield Problem(
            "outcome", "achieved", "no predicate says from the result whether the outcome is achieved", remedy
        )
    yield from _budget("outcome", "within", outcome.within, "no SLA", "elapsed(hours=24)")
    if not _named(outcome.accountable):
        remedy = 'Name the one role that answers for it: accountable="head of onboarding"'
        yield Problem("outcome", "accountable", "no accountable role", remedy)
    if not 0 < outcome.warn < 1:
        yield Problem("outcome", "warn", "not a fraction of the budget", "Write a number between 0 and 1, such as 0.75")
    yield from _statement(outcome)


def _statement(outcome: Outcome[Any]) -> Iterator[Problem]:
    if not _named(outcome.statement):
        remedy = 'Say the result in one sentence: "The request is decided within 24 hours."'
        yield Problem("outcome", "statement", "no statement in business terms", remedy)
    elif not outcome.worded_on_purpose:
        keep = 'or keep it and say why: worded_on_purpose="..."'
        if _ACTIVITY.search(outcome.statement):
            remedy = f'Say what is true when it is done ("The claim is settled within 5 days."), {keep}'
            yield Problem("outcome", "statement", "it describes an activity, not a result", remedy, warning=True)
        if not _TIME_BOUND.search(outcome.statement):
            remedy = f'Say by when ("... within {outcome.within}"), {keep}'
            yield Problem("outcome", "statement", "it has no time bound", remedy, warning=True)


def _logic(cls: type[Any]) -> Iterator[Problem]:
    if not inspect.iscoroutinefunction(vars(cls).get("work")):
        remedy = "Write the procedure: async def work(self, case: Case) -> Result"
        yield Problem("logic", "work", "no execution logic of a unit can be found", remedy)
    else:
        case, result = _work_types(cls)
        outcome = getattr(cls, "outcome", None)
        if not _is_model(case):
            remedy = "Annotate it: async def work(self, case: Case) -> Result, both pydantic models"
            yield Problem("logic", "work", "its case is not one annotated pydantic model", remedy)
        if isinstance(outcome, Outcome) and _is_model(outcome.result) and result is not outcome.result:
            yield Problem(
                "logic", "work", f"it does not return {outcome.result.__name__}", "Return the outcome's result type"
            )
    steps, rules = _steps(cls), getattr(cls, "rules", ())
    for where, what, remedy in rule_problems(steps, rules):
        yield Problem("logic", where, what, remedy)


def _structure(cls: type[Any]) -> Iterator[Problem]:
    steps = _steps(cls)
    if not steps:
        signals = sorted(getattr(getattr(cls, "__temporal_workflow_definition", None), "signals", None) or ())
        waits = (
            f" It waits for {', '.join(map(str, signals))}: who sends that, and who is accountable?" if signals else ""
        )
        remedy = f"Declare who or what performs each step: automated(...), ai(...), human(..., role=...).{waits}"
        yield Problem("structure", "steps", "no declared step, so no human/machine boundary, can be found", remedy)
    for where, what, remedy in step_problems(steps):
        yield Problem("structure", where, what, remedy)
    for step in steps:
        if step.expires is not None:
            yield from _budget("structure", f"{step.name}.expires", step.expires, "no time", "elapsed(days=7)")


def _learning(cls: type[Any]) -> Iterator[Problem]:
    learning = getattr(cls, "learning", None)
    if not isinstance(learning, Learning):
        remedy = "Say how it gets better: learning = Learning(owner=..., review=elapsed(days=30), measures=(...))"
        yield Problem("learning", "learning", "no learning loop can be found", remedy)
        return
    if not _named(learning.owner):
        yield Problem("learning", "owner", "nobody owns the unit's improvement", 'Name a role: owner="..."')
    yield from _budget("learning", "review", learning.review, "no review interval", "elapsed(days=30)")
    if not learning.measures:
        yield Problem("learning", "measures", "nothing is measured", f"Choose from {', '.join(MEASURES)}")
    for measure in learning.measures:
        yield from _measure(measure)


def _measure(measure: Measure) -> Iterator[Problem]:
    where = f"measures.{measure.name}"
    if measure.name not in MEASURES:
        yield Problem("learning", where, "no such measure", f"Choose from {', '.join(MEASURES)}")
    if (measure.at_most is None) == (measure.at_least is None):
        yield Problem("learning", where, "not exactly one target", "Write at_most=... or at_least=...")
    if not _named(measure.baseline):
        remedy = 'Say what it is compared with: baseline="the first 100 cases of version 1"'
        yield Problem("learning", where, "no baseline plan", remedy)


def _budget(element: Element, field: str, budget: object, missing: str, example: str) -> Iterator[Problem]:
    if budget is None:
        yield Problem(element, field, missing, f"Write {example}")
    elif isinstance(budget, timedelta):
        what = f"a bare timedelta of {budget} does not say whether nights and weekends count"
        yield Problem(element, field, what, f"Write {example}")
    elif not isinstance(budget, Elapsed):
        yield Problem(element, field, f"{type(budget).__name__} is no time budget", f"Write {example}")
    elif budget.span <= timedelta(0):
        yield Problem(element, field, f"the budget of {budget} is not positive", f"Write {example}")


def _steps(cls: type[Any]) -> list[Step[Any, Any]]:
    return [member for member in vars(cls).values() if isinstance(member, Step)]


def _work_types(cls: type[Any]) -> tuple[type[BaseModel] | None, Any]:
    """The case type and the result type of `work`, as far as they are annotated."""
    work = vars(cls).get("work")
    if work is None:
        return None, None
    try:
        hints = typing.get_type_hints(work)
    except (NameError, TypeError):
        return None, None
    result = hints.pop("return", None)
    given = list(hints.values())
    return (given[0] if len(given) == 1 and _is_model(given[0]) else None), result


def _is_model(candidate: object) -> bool:
    return inspect.isclass(candidate) and issubclass(candidate, BaseModel)


def _named(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip())
