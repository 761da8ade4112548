"""The body of an action, read as what the action says: an answer, a reason, a person."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from .errors import BadInput, Refused
from .lifecycle import MOVES, Action, Await, Exceptional, Forward, Task
from .spec import Step
from .strict_json import read_part


def read_body(step: Step[Any, Any], task: Task, action: Action) -> BaseModel | None:
    """Read and check the body of an action that was judged.

    Raises:
        BadInput: it does not fit; the field's path begins with `body`.
        Refused: `not_skippable`, `not_forwardable`: the step does not allow it.
    """
    model = step.gives if action.action == "complete" else MOVES[action.action].takes
    if model is None:
        if action.body:
            raise BadInput(f"{action.action!r} takes no body", field="body")
        return None
    said = read_part(model, action.body, "body")
    _check(step, task, action, said)
    return said


def _check(step: Step[Any, Any], task: Task, action: Action, said: BaseModel) -> None:
    """What no model can say: it depends on the step."""
    if action.action == "release" and task.state == "in_progress" and not getattr(said, "reason", ""):
        raise BadInput("say why: work on it has begun", field="body.reason")
    if action.action == "skip" and step.if_skipped is None:
        raise Refused("not_skippable", "the unit does not declare what a skipped task gives")
    if isinstance(said, Await) and said.reason not in step.waits:
        known = f"one of {', '.join(step.waits)}" if step.waits else "nothing: the unit declares no waits for this step"
        raise BadInput(f"should be {known}", field="body.reason")
    if isinstance(said, Exceptional):
        codes = [exception.code for exception in step.raises]
        if said.code not in codes:
            known = f"one of {', '.join(codes)}" if codes else "none: the unit declares no exceptions of this step"
            raise BadInput(f"should be {known}", field="body.code")
    if isinstance(said, Forward):
        if not step.forwardable:
            raise Refused("not_forwardable", "the unit does not let this task be passed on")
        if (said.to is None) == (said.role is None):
            raise BadInput("name a person or a role, and not both", field="body.to")
    _check_receiver(task, action, getattr(said, "to", None))


def _check_receiver(task: Task, action: Action, to: str | None) -> None:
    if action.action == "delegate" and to in (task.owner, task.delegator):
        raise BadInput("should be someone else; a task that was delegated goes back by resolve", field="body.to")
    if to is not None and to in task.excluded:
        raise Refused("excluded", "whoever performed what this task checks may not get it (four eyes)")
