"""A unit's definition as plain data: what is hashed, signed, kept and compared. See docs/governance.md.

A fact is named only where it is stated, so that a definition which does not use it keeps its hash. A rule, which is
a function, stands there by the digest of its source, under a name that ends in `_rule`.
"""

from __future__ import annotations

from typing import Any

from workunits.core.autonomy import routine
from workunits.core.spec import Autonomy, Between, Elapsed, On, Quality, Rule, Step, Target, Urgency, Votes, as_target
from workunits.core.unit import WorkUnit
from workunits.rule_source import digest

_REASONS = Autonomy.__dataclass_fields__["reasons"].default
_WHOLE_ANSWER = Votes.__dataclass_fields__["on"].default


def describe(unit: type[WorkUnit]) -> dict[str, Any]:
    """The four elements of a unit as plain data: its contract with those who use it."""
    outcome, learning = unit.outcome, unit.learning
    return _unit(unit) | {
        "unit": unit.unit_name,
        "version": unit.version,
        "key": unit.key,
        "facts": list(unit.facts),
        "outcome": {
            "statement": outcome.statement,
            "result": outcome.result.model_json_schema(),
            "achieved_rule": digest(outcome.achieved),
            **_promise(outcome.target),
            "accountable": outcome.accountable,
        }
        | {f"target {between.name}": _between(between) for between in unit.targets}
        | ({"quality": [_quality(quality) for quality in outcome.quality]} if outcome.quality else {}),
        "logic": {"input": unit.case_type.model_json_schema(), "rules": [_rule(rule) for rule in unit.rules]},
        "structure": {"steps": [_step(step) for step in unit.steps]},
        "learning": {
            "owner": learning.owner,
            "review_seconds": learning.review.span.total_seconds(),
            "measures": [{"measure": str(m), "baseline": m.baseline} for m in learning.measures],
            "rates": {role: f"{rate.per_hour:g} {rate.currency}/h" for role, rate in learning.rates.items()},
        }
        | ({"segment_rule": digest(learning.segment)} if learning.segment else {}),
    }


def _unit(unit: type[WorkUnit]) -> dict[str, Any]:
    """What a unit states beside its four elements."""
    said: dict[str, Any] = {"stream": unit.stream} if unit.stream else {}
    said |= {"admins": list(unit.admins)} if unit.admins else {}
    return said | ({"keep_inputs": True} if unit.keep_inputs else {})


def _between(promised: Between) -> dict[str, Any]:
    return {"since": promised.since, "until": promised.until, **_promise(promised.target)}


def _promise(target: Target) -> dict[str, Any]:
    """A promise; what is not declared is left out."""
    within = target.within
    said: dict[str, Any] = {"within_seconds": within.span.total_seconds()} if isinstance(within, Elapsed) else {}
    said |= {} if isinstance(within, Elapsed) else {"within": str(within), "calendar": target.calendar}
    said["warn"] = target.warn
    for name in ("goal", "pauses", "passed", "ladder"):
        if getattr(target, name):
            said[name] = str(getattr(target, name))
    return said | ({"urgency": str(target.urgency)} if target.urgency != Urgency() else {})


def _quality(quality: Quality[Any]) -> dict[str, Any]:
    said: dict[str, Any] = {"name": quality.name}
    said |= {"of_result_rule": digest(quality.of_result)} if quality.of_result else {}
    said |= {"within_seconds": quality.within.span.total_seconds()} if quality.within else {}
    return said | ({"stands_rule": digest(quality.stands)} if quality.stands else {})


def _step(step: Step[Any, Any]) -> dict[str, Any]:
    promised = {"start_by": step.start_by, "finish_by": step.finish_by}
    return {
        "name": step.name,
        "executor": step.kind,
        "performed_by": step.role or step.calls or step.activity,
        "takes": step.takes.__name__,
        "gives": step.gives.__name__,
        "decides": step.decides,
        "accountable": step.accountable or None,
        "external": step.external,
        "raises": [exception.code for exception in step.raises],
        "timeout_seconds": step.timeout.total_seconds() if step.has_performer else None,
        "attempts": step.attempts if step.has_performer else None,
        "inline": step.inline,
        "expires_seconds": step.expires.span.total_seconds() if step.expires else None,
        **{name: _promise(as_target(given)) for name, given in promised.items() if given is not None},
        **_trouble(step),
        **_answers(step),
        **_tasks(step),
    }


def _trouble(step: Step[Any, Any]) -> dict[str, Any]:
    """What follows trouble, and what a machine is bound to."""
    said: dict[str, Any] = {"after": step.after} if step.after != "fail" else {}
    said |= {"compensated_by": step.compensated_by.name} if step.compensated_by else {}
    said |= {"approved_by": step.approved_by.name} if step.approved_by else {}
    said |= {"payload_rule": digest(step.payload)} if step.payload else {}
    said |= {"shown_rule": digest(step.shown)} if step.shown else {}
    said |= {"case_key_rule": digest(step.case_key)} if step.case_key else {}
    return said | ({"autonomy": _autonomy(step.autonomy)} if step.autonomy else {})


def _answers(step: Step[Any, Any]) -> dict[str, Any]:
    """What counts as an answer, and what does instead of one."""
    said: dict[str, Any] = {"instead": step.instead.name} if step.instead else {}
    for name in ("by_default", "if_skipped"):
        given = getattr(step, name)
        said |= {name: given.model_dump(mode="json")} if given is not None else {}
    said |= {"grants_rule": digest(step.grants)} if step.grants else {}
    if step.silence_approves:
        allowed = step.silence_approves
        said["silence_approves"] = {"governance": allowed.governance, "undone_by": allowed.undone_by}
    return said | ({"votes": _votes(step.votes)} if step.votes else {})


def _votes(votes: Votes) -> dict[str, Any]:
    counted = {} if votes.on is _WHOLE_ANSWER else {"on_rule": digest(votes.on)}
    return {"of": votes.of, "quorum": votes.quorum, **counted}


def _tasks(step: Step[Any, Any]) -> dict[str, Any]:
    """What people may do with its task, and who may not."""
    said: dict[str, Any] = {"excludes": [other.name for other in step.excludes]} if step.excludes else {}
    said |= {} if step.forwardable else {"forwardable": False}
    said |= {"waits": list(step.waits)} if step.waits else {}
    return said | ({} if step.undo else {"undo": False})


def _autonomy(said: Autonomy[Any, Any]) -> dict[str, Any]:
    """How far a model may go."""
    told: dict[str, Any] = {
        "level": said.level,
        "dual": list(said.dual),
        "material": list(said.material),
        "blind": said.blind,
        "audit": said.audit,
        "veto_seconds": said.veto.span.total_seconds() if said.veto else None,
    }
    told |= {} if said.risk is routine else {"risk_rule": digest(said.risk)}
    told |= {"decoy_rule": digest(said.decoy)} if said.decoy else {}
    told |= {"seeded": said.seeded} if said.seeded else {}
    return told | ({} if said.reasons == _REASONS else {"reasons": list(said.reasons)})


def _rule(rule: Rule) -> dict[str, Any]:
    on = rule.exception.code if isinstance(rule, On) else "technical_failure"
    if rule.instead:
        then = f"{rule.instead.name} takes over"
    elif isinstance(rule, On) and rule.repair:
        then = f"{rule.repair.name} mends the input, then again, at most {rule.times} time(s)"
    else:
        then = "the case closes as not achieved"
    if isinstance(rule, On) and rule.compensate:
        then += ", after what was done is undone"
    return {"step": rule.step.name, "on": on, "then": then}
