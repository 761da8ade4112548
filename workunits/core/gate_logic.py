"""The part of the four-element test that reads steps and rules: each problem as (field, what, remedy)."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from .errors import BusinessException, NoQuorum
from .gate_autonomy import autonomy_problems
from .gate_contracts import contract_problems
from .gate_facts import LONGEST, Found, budget, count, is_model, is_role, members, name_of, shown, text
from .gate_human import human_problems
from .gate_trouble import after_problems, compensation_problems, trouble_problems
from .spec import KINDS, UNSTATED, On, OnFailure, Step

_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
_WORDING = "Use lower_case_words: at most 60 letters, digits and _, a letter first"
_INLINE_LIMIT = timedelta(seconds=30)
_MOST_ATTEMPTS = 1000

AnyStep = Step[Any, Any]
KnownRule = On[Any, Any] | OnFailure[Any, Any]


def step_problems(steps: Sequence[AnyStep]) -> Iterator[Found]:
    """What the declared steps leave undecided."""
    for name, times in Counter(called(step) for step in steps if _is_name(step.name)).items():
        if times > 1:
            yield f"{name}.name", f"{times} steps have this name", "Give each step a name of its own"
    declared = {id(step) for step in steps}
    for step in steps:
        found = (*_step(step), *after_problems(step), *compensation_problems(step, declared))
        yield from ((f"{called(step)}.{field}", what, remedy) for field, what, remedy in found)


def rule_problems(steps: Sequence[AnyStep], rules: object) -> Iterator[Found]:
    """What the exception rules leave undecided."""
    given = members(rules)
    if given is None:
        yield "rules", f"{name_of(rules)} is no tuple of rules", "Write rules = (On(...),): a tuple, also of one"
    known = []
    for place, rule in enumerate(given or (), 1):
        if isinstance(rule, On | OnFailure) and isinstance(rule.step, Step):
            known.append(rule)
        else:
            remedy = "Write On(Exception, STEP, ...) or OnFailure(STEP, instead=...)"
            yield f"rules.{place}", f"{name_of(rule)} is no rule for a step", remedy
    declared = {id(step) for step in steps}
    for rule in known:
        where = f"rules.{called(rule.step)}"
        yield from ((where, what, remedy) for what, remedy in _rule(rule, declared))
    yield from _unrouted(steps, known)
    yield from _twice(known)
    yield from _circles(steps, known)
    yield from ((f"rules.{called(step)}", what, remedy) for step, what, remedy in trouble_problems(steps, known))


def model_doubts(steps: Sequence[AnyStep], rules: object) -> Iterator[Found]:
    """Where a model works and no person stands behind it, as (field, what, remedy)."""
    known = [rule for rule in members(rules) or () if isinstance(rule, OnFailure)]
    covered = {id(rule.step) for rule in known if getattr(rule.instead, "asks_person", False)}
    decided = any(step.asks_person and step.decides for step in steps)
    for step in steps:
        if step.kind != "ai":
            continue
        # Of an incident an operator takes care.
        if id(step) not in covered and step.after != "incident":
            remedy = "Write OnFailure(STEP, instead=BY_HAND), a human or hybrid step, among the rules"
            yield f"{called(step)}.rules", "when the model fails nobody takes over", remedy
        if not decided:
            remedy = "Declare a hybrid step, or a person who decides on it"
            yield f"{called(step)}.kind", "its output reaches the outcome without a person", remedy


def called(step: AnyStep) -> str:
    """What a step is called in a problem; its name may be anything."""
    return step.name if _is_name(step.name) else "step"


def _is_name(name: object) -> bool:
    return isinstance(name, str) and bool(_NAME.fullmatch(name))


def _step(step: AnyStep) -> Iterator[Found]:
    if not _is_name(step.name):
        yield "name", f"{shown(step.name)} is no step name", _WORDING
    for field, model in (("takes", step.takes), ("gives", step.gives)):
        if not is_model(model):
            yield field, f"{shown(model)} is no pydantic model", f"Write a model of what the step {field}"
        else:
            yield from ((field, what, remedy) for what, remedy in contract_problems(model))
    kind = text(step.kind)
    if kind not in KINDS:
        what = "no executor is named" if kind == "" or step.kind is UNSTATED else f"{shown(step.kind)} is no executor"
        yield "kind", what, f"Choose the executor: {', '.join(KINDS)}"
    if kind in ("human", "hybrid") and not is_role(step.role):
        yield "role", "nobody is named who performs it", 'Name the role: human(..., role="reviewer")'
    if step.decides and not is_role(step.accountable):
        yield _no_accountable(human=kind == "human")
    yield from _raises(step)
    if step.expires is not None:
        yield from budget("expires", step.expires, "no time", "elapsed(days=7)")
    if kind in ("automated", "ai", "hybrid"):
        yield from _machine(step)
    if kind in ("human", "hybrid"):
        yield from human_problems(step)
    yield from autonomy_problems(step)


def _no_accountable(*, human: bool) -> Found:
    remedy = 'Name the human role that answers for the decision: accountable="head of credit"'
    remedy += ", or say decides=False if it only supplies information" if human else ""
    return "accountable", "a decision point without a named accountable human role", remedy


def _raises(step: AnyStep) -> Iterator[Found]:
    raised = members(step.raises)
    if raised is None:
        yield (
            "raises",
            f"{name_of(step.raises)} is no tuple of exceptions",
            "Write raises=(Name,): a tuple, also of one",
        )
    for exception in raised or ():
        if not _is_business(exception):
            yield "raises", f"{name_of(exception)} is no business exception", "Derive it from BusinessException"
        elif not _is_name(exception.code):
            yield "raises", f"{exception.__name__} has no fit code", f'Write code="..."; {_WORDING.lower()}'
    for code, times in Counter(exception.code for exception in raising(step)).items():
        if times > 1:
            yield "raises", f"{times} exceptions have the code {code!r}", "Give each exception a code of its own"


def raising(step: AnyStep) -> list[type[BusinessException]]:
    """The business exceptions of a step that can be told apart."""
    ours = (NoQuorum,) if step.votes is not None else ()
    return [e for e in (*ours, *(members(step.raises) or ())) if _is_business(e) and _is_name(e.code)]


def _is_business(candidate: object) -> bool:
    return inspect.isclass(candidate) and issubclass(candidate, BusinessException)


def _machine(step: AnyStep) -> Iterator[Found]:
    if step.expires is not None and step.kind != "hybrid":
        yield "expires", "only a person's step expires", "Leave it out; timeout= limits an attempt"
    attempts = count(step.attempts)
    if attempts is None:
        yield "attempts", f"{name_of(step.attempts)} is no number of attempts", "Write attempts=3"
    elif not 1 <= attempts <= _MOST_ATTEMPTS:
        what = "it would never be tried" if attempts < 1 else "it would be tried for years"
        yield "attempts", what, f"Write 1 to {_MOST_ATTEMPTS}"
    if not isinstance(step.timeout, timedelta):
        yield "timeout", f"{name_of(step.timeout)} is no timedelta", "Write timeout=timedelta(seconds=30)"
        return
    if not timedelta(0) < step.timeout <= LONGEST:
        what = "one attempt has no time" if step.timeout <= timedelta(0) else "one attempt has more than ten years"
        yield "timeout", what, "Write timeout=timedelta(seconds=30)"
    if step.inline and step.kind != "automated":
        yield "inline", f"an {step.kind} step may not run inline", "Leave inline for short automated steps"
    elif step.inline and step.timeout > _INLINE_LIMIT:
        remedy = f"Leave it out, or set timeout to at most {_INLINE_LIMIT.seconds} s"
        yield "inline", "people's actions wait too long while it runs", remedy


def _rule(rule: KnownRule, declared: set[int]) -> Iterator[tuple[str, str]]:
    step, instead = rule.step, rule.instead
    repair = rule.repair if isinstance(rule, On) else None
    for other in (step, instead, repair):
        if other is None:
            continue
        if not isinstance(other, Step):
            yield f"{name_of(other)} is no step", "Name a step of this unit"
        elif id(other) not in declared:
            yield f"its step {called(other)!r} is not declared in this unit", "Declare it, or remove the rule"
    if isinstance(instead, Step) and (instead.takes is not step.takes or instead.gives is not step.gives):
        wanted = f"Let it take {name_of(step.takes)} and give {name_of(step.gives)}, as {called(step)} does"
        yield f"{called(instead)} cannot take its place", wanted
    if isinstance(rule, OnFailure):
        if step.asks_person:
            yield "a person's step has no technical failure", "Remove the rule; expires= and instead= say what follows"
        elif instead is None:
            yield "it does not say what follows", "Write instead=..., or remove it: the case then closes as failed"
        return
    if isinstance(repair, Step) and not repair.takes is repair.gives is step.takes:
        wanted = f"Let it take and give {name_of(step.takes)}, the input of {called(step)}"
        yield f"{called(repair)} cannot mend its input", wanted
    yield from _exception_of(rule)


def _exception_of(rule: On[Any, Any]) -> Iterator[tuple[str, str]]:
    if not _is_business(rule.exception):
        yield f"{name_of(rule.exception)} is no business exception", "Derive it from BusinessException"
    elif rule.exception not in raising(rule.step):
        name = rule.exception.__name__
        yield f"{called(rule.step)} does not raise {name}", f"Add it to raises=({name},), or remove the rule"
    if rule.instead is not None and rule.repair is not None:
        yield "it names both instead and repair", "Keep one"
    if (count(rule.times) or 0) < 1:
        yield "it does not say how often it repairs", "Write times=1 or more"


def _unrouted(steps: Sequence[AnyStep], rules: Sequence[KnownRule]) -> Iterator[Found]:
    routed = {(id(rule.step), id(rule.exception)) for rule in rules if isinstance(rule, On)}
    for step in steps:
        for exception in raising(step):
            if (id(step), id(exception)) not in routed:
                name = f"On({exception.__name__}, {called(step).upper()}"
                remedy = f"Write a rule: {name}, instead=...), or {name}) to close the case"
                yield f"{called(step)}.raises", f"{exception.code!r} is raised and routed by no rule", remedy


def _twice(rules: Sequence[KnownRule]) -> Iterator[Found]:
    """Of two rules for the same event only the first would ever be followed."""
    events = [
        (called(rule.step), name_of(rule.exception) if isinstance(rule, On) else "a technical failure")
        for rule in rules
    ]
    for (name, event), times in Counter(events).items():
        if times > 1:
            yield f"rules.{name}", f"{times} rules for {event}", "Keep one"


def _circles(steps: Sequence[AnyStep], rules: Sequence[KnownRule]) -> Iterator[Found]:
    """Rules by which a step that goes wrong would in the end be performed again, and again."""
    leads = {id(step): {id(step.instead)} for step in steps if isinstance(step.instead, Step)}
    for rule in rules:
        targets = (rule.instead, rule.repair if isinstance(rule, On) else None)
        leads.setdefault(id(rule.step), set()).update(id(step) for step in targets if isinstance(step, Step))
    reported = set()
    for rule in rules:
        seen: set[int] = set()
        ahead = list(leads[id(rule.step)])
        while ahead:
            step = ahead.pop()
            if step not in seen:
                seen.add(step)
                ahead += leads.get(step, ())
        if id(rule.step) in seen and id(rule.step) not in reported:
            reported.add(id(rule.step))
            remedy = "Let one of its rules lead to a step without such a rule, or close the case"
            yield f"rules.{called(rule.step)}", "its rules lead back to itself, for ever", remedy
