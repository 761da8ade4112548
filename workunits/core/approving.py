"""Acting on a decision: what is done is what was decided, to the letter, or it is not done.

The case says what was decided, as a hash: of the answer or, where that is a yes or no, of what it was given to. The
performer of the act takes the hash of what it is to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .machine import Said
from .proposal import Asked, digest

if TYPE_CHECKING:
    from pydantic import BaseModel

    from .course import Course
    from .spec import Step

STALE = "approval_stale"
"""The code of an act whose payload is not what was decided."""


def note_shown(course: Course, step: Step[Any, Any], key: str, what: BaseModel) -> None:
    """Keep the hash of what a decision is on, where acts are bound to that and not to the answer."""
    for act in course.unit.steps:
        if act.shown is not None and act.approved_by is not None and act.approved_by.name == step.name:
            course.aside[_shown(act, key)] = Said(out=digest(act.shown(what)))


def approval(course: Course, step: Step[Any, Any]) -> Asked | None:
    """What a step that acts on a decision may act on: the hash of the last one; None for any other step."""
    if step.approved_by is None:
        return None
    decisions = [key for key in course.done if course.step_of(key).name == step.approved_by.name]
    out = course.done[decisions[-1]].out if decisions else None
    if out is None:
        approved = ""
    elif step.shown is not None:
        approved = course.aside[_shown(step, decisions[-1])].out or ""
    else:
        approved = digest(out)
    return Asked(version=course.unit.version, approved=approved)


def _shown(act: Step[Any, Any], key: str) -> str:
    """Where the hash is kept that binds an act to a performance of its decision."""
    return f"{key}-shown-{act.name}"


def is_approved(step: Step[Any, Any], what: BaseModel, asked: Asked) -> bool:
    """Whether what a step is given to do is what was decided."""
    payload = step.payload(what) if step.payload is not None else what
    return bool(asked.approved) and digest(payload) == asked.approved
