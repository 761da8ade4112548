"""The kill switch of a step's autonomy, as it reaches one case: from the next moment on, people decide there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field
from temporalio import workflow

from .autonomy import STOPPED
from .errors import Refused
from .lifecycle import SYSTEM, Action
from .strict_json import read_part

if TYPE_CHECKING:
    from .human import Desk
    from .proposal import Offered, Proposed
    from .record import Microseconds, Record, Work
    from .spec import Step

STOP = "stop_autonomy"
"""The action."""
PREFIX = "ai:"
"""Before the step's name, where an action names a task."""
LONGEST = 500
"""Characters of a reason."""
_WITHDRAWS = "a stop withdraws what is proposed"
"""Cases that were told of a stop before there was this go on showing the proposal, as their histories say."""


class Stopping(BaseModel):
    """Why a step's autonomy is stopped."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=LONGEST)


def judge_stop(desk: Desk, steps: dict[str, Step[Any, Any]], action: Action) -> BaseModel:
    """Say whether the stop is allowed; changes nothing.

    Raises:
        BadInput: its body does not fit.
        Refused: `not_allowed`, `unknown_step` or `wrong_state`.
    """
    case, _, name = action.task_id.rpartition("/")
    step = steps.get(name.removeprefix(PREFIX))
    if case != desk.record.case or not name.startswith(PREFIX) or step is None or step.kind != "hybrid":
        known = ", ".join(sorted(one.name for one in steps.values() if one.kind == "hybrid")) or "none"
        raise Refused("unknown_step", f"the unit has no such hybrid step; it has {known}")
    allowed = {*desk.admins, step.accountable, SYSTEM}
    if not set(action.roles) & allowed:
        raise Refused("not_allowed", f"{STOP!r} is for {', '.join(sorted(allowed - {SYSTEM}))}")
    if step.name in desk.record.stopped:
        raise Refused("wrong_state", "the step's autonomy is already stopped in this case")
    return read_part(Stopping, action.body, "body")


def stop(desk: Desk, action: Action, now: Microseconds) -> tuple[str, int]:
    """Stop it: people decide what nobody has decided yet, and see nothing any more of what was proposed.

    Returns:
        The state, and the revision.
    """
    name = action.task_id.rpartition("/")[2].removeprefix(PREFIX)
    desk.record.stopped[name] = now
    withdraws = workflow.patched(_WITHDRAWS)
    for task in desk.open_tasks():
        proposed = desk.record.proposal(task.id.rpartition("/")[2])
        if proposed is None or proposed.step != name:
            continue
        if proposed.route == "auto":
            proposed.route, proposed.why, proposed.level = "review", STOPPED, "A0"
            task.expires = None
        elif task.proposal is None or not withdraws:
            continue
        if withdraws:
            _withdraw(proposed, now)
            task.proposal = None
            desk.questions.withdraw(task.id)
        # Whoever looked at it before is refused, and looks again.
        task.revision += 1
    return STOPPED, 2


def still_shown(record: Record, work: Work, offered: Offered, now: Microseconds) -> Offered | None:
    """What a task that opens, or opens again in the next run, shows of a proposal: after a stop, nothing."""
    if work.step not in record.stopped or not workflow.patched(_WITHDRAWS):
        return offered
    proposed = record.proposal(work.key)
    if proposed is not None and proposed.withdrawn is None:
        _withdraw(proposed, now)
    return None


def _withdraw(proposed: Proposed, now: Microseconds) -> None:
    """Write down that nobody is shown it any more."""
    if proposed.route != "dual_review":  # two people decide what cannot be undone, with a model or without
        proposed.route = "human_only"
    proposed.why, proposed.level, proposed.withdrawn = STOPPED, "A0", now
    if proposed.seeded == "shown":
        proposed.seeded = ""  # nobody decides on the decoy any more
    if proposed.sampled == "audit":
        proposed.sampled = ""  # the model decides nothing that could be audited
