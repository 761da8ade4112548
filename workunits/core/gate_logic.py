"""The part of the four-element test that reads steps and rules: each problem as (field, what, remedy)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from .errors import BusinessException
from .spec import KINDS, On, OnFailure, Step

Found = tuple[str, str, str]

_STEP_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
_INLINE_LIMIT = timedelta(seconds=30)


def step_problems(steps: Sequence[Step[Any, Any]]) -> Iterator[Found]:
    """What the declared steps leave undecided."""
    for name, times in Counter(step.name for step in steps).items():
        if times > 1:
            yield f"{name}.name", f"{times} steps have this name", "Give each step a name of its own"
    for step in steps:
        yield from ((f"{step.name}.{field}", what, remedy) for field, what, remedy in _step(step))


def _step(step: Step[Any, Any]) -> Iterator[Found]:
    if not _STEP_NAME.fullmatch(str(step.name)):
        yield "name", "no step name", "Use lower_case_words: at most 60 letters, digits and _, a letter first"
    if step.kind not in KINDS:
        yield "kind", f"{step.kind!r} is no executor", f"Choose who performs it: {', '.join(KINDS)}"
    if step.kind == "human" and not step.role.strip():
        yield "role", "nobody is named who performs it", 'Name the role: human(..., role="reviewer")'
    if step.decides and not step.accountable.strip():
        remedy = 'Name the human role that answers for the decision: accountable="head of credit"'
        if step.kind == "human":
            remedy += ", or say decides=False if it only supplies information"
        yield "accountable", "a decision point without a named accountable human role", remedy
    if step.kind != "human":
        yield from _machine(step)


def _machine(step: Step[Any, Any]) -> Iterator[Found]:
    if step.attempts < 1:
        yield "attempts", "it would never be tried", "Write attempts=1 or more"
    if step.timeout <= timedelta(0):
        yield "timeout", "one attempt has no time", "Write a positive timedelta"
    if step.inline and step.kind != "automated":
        yield "inline", f"an {step.kind} step may not run inline", "Leave inline for short automated steps"
    if step.inline and step.timeout > _INLINE_LIMIT:
        yield (
            "inline",
            f"people wait up to {step.timeout} for it",
            f"Leave it out, or set timeout to at most {_INLINE_LIMIT}",
        )


def rule_problems(steps: Sequence[Step[Any, Any]], rules: Iterable[object]) -> Iterator[Found]:
    """What the exception rules leave undecided."""
    declared = {id(step) for step in steps}
    known = [rule for rule in rules if isinstance(rule, On | OnFailure)]
    for rule in known:
        where = f"rules.{rule.step.name}"
        for step in (rule.step, rule.instead, rule.repair if isinstance(rule, On) else None):
            if step is not None and id(step) not in declared:
                yield where, f"its step {step.name!r} is not declared in this unit", "Declare it, or remove the rule"
        if rule.step.kind == "human":
            yield where, "a person's step raises nothing by itself", "Remove the rule"
        if isinstance(rule, On):
            yield from ((where, what, remedy) for what, remedy in _rule(rule))
    yield from _unrouted(steps, known)


def _rule(rule: On[Any, Any]) -> Iterator[tuple[str, str]]:
    if rule.exception not in rule.step.raises:
        name = rule.exception.__name__
        yield f"{rule.step.name} does not raise {name}", f"Add it to raises=({name},), or remove the rule"
    if rule.instead and rule.repair:
        yield "it names both instead and repair", "Keep one"
    if rule.times < 1:
        yield "it repairs less than once", "Write times=1 or more"


def _unrouted(steps: Sequence[Step[Any, Any]], rules: Sequence[On[Any, Any] | OnFailure[Any, Any]]) -> Iterator[Found]:
    routed = Counter((rule.step.name, rule.exception) for rule in rules if isinstance(rule, On))
    for (name, exception), times in routed.items():
        if times > 1:
            yield f"rules.{name}", f"{times} rules for {exception.__name__}", "Keep one"
    for step in steps:
        for exception in step.raises:
            if not issubclass(exception, BusinessException):
                yield (
                    f"{step.name}.raises",
                    f"{exception.__name__} is no business exception",
                    "Derive it from BusinessException",
                )
            elif (step.name, exception) not in routed:
                remedy = (
                    f"Write a rule: On({exception.__name__}, {step.name.upper()}, instead=...), or without it to close"
                )
                yield f"{step.name}.raises", f"{exception.code!r} is raised and routed by no rule", remedy
