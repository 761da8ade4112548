"""The four-element test: all unresolved design decisions of a unit at once, each with its remedy.

It reads any class, also one that is no unit: a plain Temporal workflow is "a process waiting to be designed",
and the test says which of the four elements cannot be found in it. Whatever stands in a class, it never raises.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import BaseModel

from .gate_autonomy import autonomy_doubts
from .gate_code import is_in_place, names_in_code
from .gate_contracts import contract_problems
from .gate_facts import (
    Found,
    declares,
    fact,
    is_function,
    is_model,
    is_number,
    is_role,
    is_text,
    members,
    name_of,
    shown,
)
from .gate_learning import learning_doubts, learning_problems
from .gate_logic import called, model_doubts, rule_problems, step_problems
from .gate_promise import between_problems, promise
from .gate_words import role_doubt, statement_doubts
from .gate_workflow import clues
from .personal import personal_fields
from .spec import UNSTATED, Learning, Outcome, Step, Target

Element = Literal["definition", "outcome", "logic", "structure", "learning"]
ELEMENTS: tuple[Element, ...] = ("outcome", "logic", "structure", "learning")

UNIT_NAME = re.compile(r"[a-z][a-z0-9_]{1,59}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_WARN = 0.75
_PROCEDURE = "Write the procedure: async def work(self, case: Case) -> Result"


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
        where = self.element if self.field == self.element else f"{self.element}.{self.field}"
        return f"{where}: {self.what}. {self.remedy}"


def examine(cls: type[Any]) -> list[Problem]:
    """Everything that a class leaves undecided, in the order of the four elements."""
    found = [problem for element, find in _FINDERS.items() for problem in _all(element, find, cls)]
    hints = {} if declares(cls, "unit_name") else clues(cls)
    # Each hint once, where the whole element is missing.
    return [
        replace(problem, remedy=f"{problem.remedy}.{hints.pop(problem.element)}")
        if problem.element in hints
        else problem
        for problem in found
    ]


def _all(element: Element, find: Callable[[type[Any]], Iterator[Problem]], cls: type[Any]) -> Iterator[Problem]:
    """All that one part finds; a fact so odd that it cannot even be judged is a finding, too."""
    try:
        yield from find(cls)
    except Exception as error:  # noqa: BLE001, whatever someone's object does when it is looked at
        yield Problem(element, element, f"it cannot be read ({type(error).__name__})", "Write plain facts")


def _definition(cls: type[Any]) -> Iterator[Problem]:
    name, version = fact(cls, "unit_name"), fact(cls, "version")
    if name is None and not declares(cls, "unit_name"):
        remedy = f'Derive it: class {cls.__name__}(WorkUnit, name="...", version="1")'
        yield Problem("definition", "class", "it is no WorkUnit", remedy)
        return
    if not isinstance(name, str) or not UNIT_NAME.fullmatch(name):
        what = f"{shown(name)} is no unit name" if name else "the unit has no name"
        remedy = 'Write name="lower_case_words": 2 to 60 letters, digits and _, a letter first'
        yield Problem("definition", "name", what, remedy)
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        remedy = 'Write version="1": at most 40 letters, digits, dots, _ and -'
        yield Problem("definition", "version", f"{shown(version)} is no version", remedy)
    stream = fact(cls, "stream")
    if stream and not (isinstance(stream, str) and UNIT_NAME.fullmatch(stream)):
        remedy = 'Write stream="lower_case_words", the same in all units of the stream, or leave it out'
        yield Problem("definition", "stream", f"{shown(stream)} is no name of a value stream", remedy)
    case = _work_types(cls)[0]
    if is_model(case):
        yield from _fields(cls, case.__name__, case.model_fields)
        yield from _personal(cls, case)
        yield from _problems("definition", (("case", what, remedy) for what, remedy in contract_problems(case)))


def _fields(cls: type[Any], case: str, fields: dict[str, Any]) -> Iterator[Problem]:
    key, facts = fact(cls, "key"), fact(cls, "facts")
    if key != "" and (not isinstance(key, str) or key not in fields):
        what = f"{case} has no field {shown(key)}"
        yield Problem("definition", "key", what, "Name the field that identifies a case")
    elif key and not fields[key].is_required():
        what, remedy = f"{case}.{key} has a default, which two cases could share", "Give that field no default"
        yield Problem("definition", "key", what, remedy, warning=True)
    named = members(facts)
    if named is None:
        remedy = 'Write facts = ("product",): a tuple, also of one'
        yield Problem("definition", "facts", f"{name_of(facts)} is no tuple of fields", remedy)
    for name in named or ():
        if not isinstance(name, str) or name not in fields:
            yield Problem("definition", "facts", f"{case} has no field {shown(name)}", "Name fields of the case")


def _personal(cls: type[Any], case: type[BaseModel]) -> Iterator[Problem]:
    marked = {path.partition(".")[0] for path in personal_fields(case)}
    key, facts = (fact(cls, "key"),), members(fact(cls, "facts")) or ()
    for field, names, stored in (("key", key, "the key stands"), ("facts", facts, "facts stand")):
        for name in names:
            if isinstance(name, str) and name in marked:
                what = f"{case.__name__}.{name} is marked as personal, and {stored} in clear"
                yield Problem("definition", field, what, "Name a field that says nothing of a person")


def _outcome(cls: type[Any]) -> Iterator[Problem]:
    outcome = fact(cls, "outcome")
    if not isinstance(outcome, Outcome):
        remedy = 'State what done looks like: outcome = Outcome(Result, "... is decided within 24 hours.", ...)'
        yield Problem("outcome", "outcome", "no outcome definition can be found", remedy)
        return
    yield from _problems("outcome", _outcome_problems(outcome))
    if is_text(outcome.statement):
        doubts = (("statement", what, remedy) for what, remedy in statement_doubts(outcome))
        yield from _problems("outcome", doubts, warning=True)
    yield from _problems("outcome", _role_doubts(outcome, "accountable"), warning=True)


def _outcome_problems(outcome: Outcome[Any]) -> Iterator[Found]:
    if not is_model(outcome.result):
        what = "no result type" if outcome.result is UNSTATED else f"{shown(outcome.result)} is no pydantic model"
        yield "result", what, "Write a model of what the unit delivers"
    predicate = "Give a predicate: achieved=lambda result: result.decision is not None"
    if not callable(outcome.achieved):
        yield "achieved", "no predicate says from the result whether the outcome is achieved", predicate
    elif not is_function(outcome.achieved):
        yield "achieved", "the predicate is async, so it would always count as true", predicate
    elif not _takes_one(outcome.achieved):
        yield "achieved", "the predicate does not take the result alone", predicate
    yield from promise("within", outcome.within, "no SLA")
    if not is_role(outcome.accountable):
        remedy = 'Name the one role that answers for it: accountable="head of onboarding"'
        yield "accountable", "no accountable role", remedy
    if isinstance(outcome.within, Target) and outcome.warn != _WARN:
        yield "warn", "the target says when it counts as at risk", "Write it there: Target(..., warn=0.5)"
    elif not is_number(outcome.warn) or not 0 < outcome.warn < 1:
        yield "warn", "it is no fraction of the budget", "Write a number between 0 and 1, such as 0.75"
    if not is_text(outcome.statement):
        remedy = 'Say the result in one sentence: "The request is decided within 24 hours."'
        yield "statement", "no statement in business terms", remedy


def _logic(cls: type[Any]) -> Iterator[Problem]:
    work = vars(cls).get("work")
    if not inspect.iscoroutinefunction(work):
        what = "it is not async" if callable(work) else "no execution logic of a unit can be found"
        yield Problem("logic", "work", what, _PROCEDURE)
    else:
        yield from _work(cls, work)
    steps, rules = _steps(cls), fact(cls, "rules")
    yield from _problems("logic", rule_problems(list(steps.values()), () if rules is None else rules))
    if steps and callable(work) and is_in_place(cls):
        for name in _unused(cls, steps):
            remedy = "Perform it in work(), name it in a rule, or remove it"
            what = "nothing in its file performs it"
            yield Problem("logic", steps[name].name, what, remedy, warning=True)


def _work(cls: type[Any], work: Callable[..., Any]) -> Iterator[Problem]:
    case, result, unread = _work_types(cls)
    if unread:
        yield Problem("logic", "work", f"its annotations cannot be read: {unread}", _PROCEDURE)
        return
    if not _takes_one(work, bound=True) or not is_model(case):
        remedy = "Annotate it: async def work(self, case: Case) -> Result, both pydantic models"
        yield Problem("logic", "work", "its case is not one annotated pydantic model", remedy)
    outcome = fact(cls, "outcome")
    if isinstance(outcome, Outcome) and is_model(outcome.result) and result is not outcome.result:
        what, remedy = f"it does not return {outcome.result.__name__}", "Return the outcome's result type"
        yield Problem("logic", "work", what, remedy)


def _structure(cls: type[Any]) -> Iterator[Problem]:
    steps = list(_steps(cls).values())
    if not steps:
        remedy = "Declare who or what performs each step: automated(...), ai(...), human(..., role=...)"
        yield Problem("structure", "steps", "no declared step, so no human/machine boundary, can be found", remedy)
    yield from _problems("structure", step_problems(steps))
    for step in steps:
        odd = _role_doubts(step, "role", "accountable")
        doubts = ((f"{called(step)}.{field}", what, remedy) for field, what, remedy in odd)
        yield from _problems("structure", doubts, warning=True)
    yield from _problems("structure", autonomy_doubts(steps), warning=True)
    yield from _problems("structure", model_doubts(steps, fact(cls, "rules")), warning=True)
    targets = fact(cls, "targets")
    by_name = {str(step.name): step for step in steps}
    taken = {"unit", "case", *by_name}
    yield from _problems("outcome", between_problems(() if targets is None else targets, by_name, taken))


def _learning(cls: type[Any]) -> Iterator[Problem]:
    learning = fact(cls, "learning")
    if not isinstance(learning, Learning):
        remedy = 'State how it gets better: learning = Learning(owner="...", review=elapsed(days=30), measures=(...))'
        yield Problem("learning", "learning", "no learning loop can be found", remedy)
        return
    yield from _problems("learning", learning_problems(learning))
    yield from _problems("learning", learning_doubts(learning, list(_steps(cls).values())), warning=True)
    yield from _problems("learning", _role_doubts(learning, "owner"), warning=True)


def _role_doubts(there: object, *fields: str) -> Iterator[Found]:
    """What is odd about the roles that it names."""
    for field in fields:
        doubt = role_doubt(getattr(there, field, None))
        if doubt is not None:
            yield field, *doubt


def _problems(element: Element, found: Iterator[Found], *, warning: bool = False) -> Iterator[Problem]:
    return (Problem(element, field, what, remedy, warning=warning) for field, what, remedy in found)


def _steps(cls: type[Any]) -> dict[str, Step[Any, Any]]:
    """The declared steps by the name of their attribute."""
    return {name: member for name, member in vars(cls).items() if isinstance(member, Step)}


def _work_types(cls: type[Any]) -> tuple[Any, Any, str]:
    """The case type and the result type of `work`, as far as they are annotated, and why they cannot be read."""
    work = vars(cls).get("work")
    if work is None:
        return None, None, ""
    try:
        hints = typing.get_type_hints(work)
    except Exception as error:  # noqa: BLE001, an annotation in quotes may be any expression
        return None, None, f"{type(error).__name__}: {error}"[:120]
    result = hints.pop("return", None)
    given = list(hints.values())
    return (given[0] if len(given) == 1 else None), result, ""


def _takes_one(called: Callable[..., Any], *, bound: bool = False) -> bool:
    """Whether it can be called with one value, after `self` when it is yet to be bound."""
    try:
        inspect.signature(called).bind(*([None, None] if bound else [None]))
    except TypeError:
        return False
    except ValueError:  # built in, and says nothing of itself
        return True
    return True


def _unused(cls: type[Any], steps: dict[str, Step[Any, Any]]) -> Iterator[str]:
    """Steps that neither a rule nor any code of the class's file names."""
    used = names_in_code(cls)
    if used & {"steps", "getattr", "vars"}:
        return  # it may well go through them all
    rules = members(fact(cls, "rules")) or ()
    routed = {id(step) for rule in rules for step in (getattr(rule, "instead", None), getattr(rule, "repair", None))}
    routed |= {id(other) for step in steps.values() for other in (step.compensated_by, step.instead)}
    yield from (name for name, step in steps.items() if name not in used and id(step) not in routed)


_FINDERS: dict[Element, Callable[[type[Any]], Iterator[Problem]]] = {
    "definition": _definition,
    "outcome": _outcome,
    "logic": _logic,
    "structure": _structure,
    "learning": _learning,
}
