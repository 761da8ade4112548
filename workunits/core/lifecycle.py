"""The life of a human task: states, actions and who may take them, as data and pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from .errors import Refused

State = Literal["ready", "claimed", "in_progress", "completed", "expired", "cancelled"]
OPEN: frozenset[str] = frozenset({"ready", "claimed", "in_progress"})

Who = Literal["candidate", "owner"]


@dataclass(frozen=True, slots=True)
class Move:
    """One action: from which states, to which, and by whom."""

    sources: frozenset[str]
    target: State
    who: Who


MOVES: dict[str, Move] = {
    "claim": Move(frozenset({"ready"}), "claimed", "candidate"),
    "start": Move(frozenset({"ready", "claimed"}), "in_progress", "candidate"),
    "stop": Move(frozenset({"in_progress"}), "claimed", "owner"),
    "release": Move(frozenset({"claimed", "in_progress"}), "ready", "owner"),
    "complete": Move(OPEN, "completed", "candidate"),
}
"""What people may do. From `ready` or `claimed`, a candidate's `complete` also claims and starts."""


class Action(BaseModel):
    """The envelope of every action; the door that sends it vouches for `actor` and `roles`."""

    model_config = ConfigDict(extra="forbid")

    action: str = Field(min_length=1, max_length=40)
    action_id: str = Field(min_length=1, max_length=100)
    """The same id with the same content has the answer of the first, however often it comes."""
    task_id: str = Field(min_length=1, max_length=400)
    """`<case>/<task>`: an action for another case's task finds none here."""
    revision: int = Field(ge=1)
    """The task's revision that the actor saw."""
    actor: str = Field(min_length=1, max_length=200)
    roles: list[str] = Field(default_factory=list, max_length=100)
    acting_for: str | None = Field(default=None, max_length=200)
    sent_at: AwareDatetime
    """When the actor decided; counts instead of the time of arrival, never before the task was ready."""
    body: dict[str, Any] = Field(default_factory=dict)


class Task(BaseModel):
    """One task of a person."""

    model_config = ConfigDict(extra="ignore")

    id: str
    step: str
    role: str
    ready: datetime
    state: State = "ready"
    revision: int = 1
    owner: str | None = None
    expires: datetime | None = None
    external: bool = False
    accountable: str = ""
    because: str | None = None
    """The exception that led here."""

    @property
    def is_open(self) -> bool:
        """Whether someone may still act on it."""
        return self.state in OPEN

    def clip(self, sent_at: datetime, now: datetime) -> datetime:
        """The time at which an action counts: what its sender says, within what is possible."""
        return min(max(sent_at, self.ready), now)


def judge(task: Task, action: Action, now: datetime) -> Move:
    """Say whether an action is allowed on a task; changes nothing.

    Raises:
        Refused: `unknown_action`, `not_candidate`, `closed`, `expired`, `not_owner`, `wrong_state` or
            `stale_revision`, in that order.
    """
    move = MOVES.get(action.action)
    if move is None:
        raise Refused("unknown_action", f"there is no such action; there are {', '.join(sorted(MOVES))}")
    if task.role not in action.roles:
        raise Refused("not_candidate", f"the task is for the role {task.role!r}")
    if not task.is_open:
        raise Refused("expired" if task.state == "expired" else "closed", f"the task is {task.state}")
    if task.expires and task.clip(action.sent_at, now) >= task.expires:
        raise Refused("expired", f"the task expired at {task.expires.isoformat()}")
    if task.owner not in (None, action.actor):
        raise Refused("not_owner", f"{task.owner} has claimed the task")
    if task.state not in move.sources:
        raise Refused("wrong_state", f"{action.action!r} does not apply to a task that is {task.state}")
    if action.revision != task.revision:
        raise Refused("stale_revision", f"the task is at revision {task.revision}, not {action.revision}")
    return move
