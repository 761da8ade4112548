"""The part of the four-element test that reads what is declared of models, of acts on decisions, and of other units."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from .autonomy import DECLARABLE, FEWEST_UNSEEN, RISKS, Autonomy
from .gate_facts import Found, budget, is_model, is_number, members, name_of, shown, text
from .spec import Step

_UNIT = re.compile(r"[a-z][a-z0-9_]{1,59}")
_MOST = 0.5


def autonomy_problems(step: Step[Any, Any]) -> Iterator[Found]:
    """What a step leaves undecided, as (field, what, remedy)."""
    if step.kind == "hybrid":
        if isinstance(step.autonomy, Autonomy):
            yield from _autonomy(step, step.autonomy)
        else:
            yield "autonomy", "it does not say how far the model may go", 'Write autonomy=Autonomy(level="A2")'
    elif step.autonomy is not None:
        yield "autonomy", f"a step of kind {step.kind} has no model whose proposals a person decides", "Leave it out"
    yield from _approval(step)
    yield from _unit(step)


def autonomy_doubts(steps: Sequence[Step[Any, Any]]) -> Iterator[Found]:
    """What lets a unit load and may not be meant, as (field, what, remedy)."""
    for step in steps:
        said = step.autonomy
        if step.kind != "hybrid" or not isinstance(said, Autonomy):
            continue
        shares = (said.blind, said.audit)
        # Rounded, so that 0.03 and 0.02 are enough.
        if all(_is_share(share) for share in shares) and round(sum(shares), 9) < FEWEST_UNSEEN:
            what = (
                f"blind= and audit= are {sum(shares):.3g} together, and below {FEWEST_UNSEEN} too few "
                "cases are judged without the model to earn a certificate, or to keep one"
            )
            remedy = "Raise blind= for what people decide, audit= for what the model does"
            yield f"{text(step.name) or 'step'}.autonomy", what, remedy


def _autonomy(step: Step[Any, Any], said: Any) -> Iterator[Found]:
    if said.level not in DECLARABLE:
        remedy = f"Declare one of {', '.join(DECLARABLE)}; `workunits autonomy` raises it by a signed certificate"
        yield "autonomy.level", f"{shown(said.level)} cannot be declared", remedy
    if members(said.dual) is None or any(risk not in RISKS for risk in said.dual):
        yield "autonomy.dual", "it names no risk classes", f"Write a tuple of {', '.join(RISKS)}"
    for field, share in (("blind", said.blind), ("audit", said.audit), ("seeded", said.seeded)):
        if not _is_share(share):
            yield f"autonomy.{field}", "it is no share of the cases", f"Write a number from 0 to {_MOST}"
    if said.seeded and not callable(said.decoy):
        yield "autonomy.decoy", "nothing makes a wrong proposal to show", "Write decoy=, a function of input and output"
    if not callable(said.risk):
        yield "autonomy.risk", "no rule says the risk class", "Write a function of input and output"
    yield from _material(step, said)
    if said.veto is not None:
        yield from budget("autonomy.veto", said.veto, "no time to object", "elapsed(hours=4)")
    if members(said.reasons) is None:
        yield "autonomy.reasons", "it is no tuple of codes", 'Write reasons=("wrong_facts",)'
    if step.votes is not None or step.by_default is not None or step.if_skipped is not None:
        yield "kind", "a hybrid step has neither votes, nor a default, nor a skip", "Leave it out"


def _is_share(share: Any) -> bool:
    return is_number(share) and 0 <= share <= _MOST


def _material(step: Step[Any, Any], said: Any) -> Iterator[Found]:
    fields = step.gives.model_fields if is_model(step.gives) else {}
    named = members(said.material)
    if named is None or any(name not in fields for name in named):
        remedy = f"Write a tuple of fields of {name_of(step.gives)}"
        yield "autonomy.material", "it names fields that the output does not have", remedy


def _approval(step: Step[Any, Any]) -> Iterator[Found]:
    decides: Any = step.approved_by
    if decides is None:
        for name in ("payload", "shown"):
            if getattr(step, name) is not None:
                yield name, "it does not say who approves it", "Write approved_by=DECIDE"
        return
    if step.kind != "automated" or step.inline:
        yield "approved_by", "only an automated step that is not inline acts on a decision", "Leave it out"
    if not isinstance(decides, Step) or not decides.decides:
        yield "approved_by", "it names no decision point", "Name the step that decides"
    elif step.shown is not None:
        if not callable(step.shown):
            yield "shown", "it is no function", f"Write shown=lambda asked: ..., of what {decides.name} is given"
    elif step.payload is None and step.takes is not decides.gives:
        remedy = f"Write payload=lambda what: what.{decides.name}"
        yield "payload", "its input is not what is decided, and it does not say which part is", remedy


def _unit(step: Step[Any, Any]) -> Iterator[Found]:
    if step.kind != "unit":
        if step.calls or step.case_key is not None:
            yield "calls", "only unit_step(...) calls another unit", "Leave it out"
        return
    if not _UNIT.fullmatch(text(step.calls) or ""):
        yield "calls", f"{shown(step.calls)} is no unit name", 'Write unit_step(..., unit="credit_decision")'
    if step.case_key is not None and not callable(step.case_key):
        yield "case_key", "it is no function", "Write key=lambda what: what.application"
