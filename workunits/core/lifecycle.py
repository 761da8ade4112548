"""The life of a human task: states, actions, and who may take them, as data and pure functions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from .errors import BadInput, Refused
from .kept import Kept
from .proposal import Review

State = Literal[
    "created",
    "ready",
    "claimed",
    "in_progress",
    "waiting",
    "suspended",
    "completed",
    "failed",
    "skipped",
    "expired",
    "cancelled",
]
OPEN: frozenset[str] = frozenset({"created", "ready", "claimed", "in_progress", "waiting", "suspended"})
_HELD: frozenset[str] = frozenset({"created", "ready", "claimed", "in_progress", "waiting"})
_WORKED: frozenset[str] = frozenset({"claimed", "in_progress"})
_DOABLE: frozenset[str] = frozenset({"ready", "claimed", "in_progress"})

Relation = Literal["candidate", "owner", "admin", "accountable", "initiator", "system"]
"""What an actor is to a task."""
SYSTEM = "system"
"""The role that a door vouches for when nobody but the runtime itself acts."""


@dataclass(frozen=True, slots=True)
class Move:
    """One action: from which states, to which, by whom, and what it says."""

    sources: frozenset[str]
    target: State | None
    """None: the state that was before, or the same."""
    who: tuple[Relation, ...]
    takes: type[BaseModel] | None = None
    """The model of its body; a completing action's is the step's own."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Because(_Body):
    """Why."""

    reason: str = Field(min_length=1, max_length=500)


class MayBecause(_Body):
    """Why, where that is asked for."""

    reason: str = Field(default="", max_length=500)


class Hand(_Body):
    """To whom a task goes."""

    to: str = Field(min_length=1, max_length=200)
    reason: str = Field(default="", max_length=500)


class Forward(_Body):
    """To whom, or to which role, a task is passed on."""

    to: str | None = Field(default=None, min_length=1, max_length=200)
    role: str | None = Field(default=None, min_length=1, max_length=120)
    reason: str = Field(min_length=1, max_length=500)


class Await(_Body):
    """For whom an owner waits, and until when at most."""

    reason: str = Field(min_length=1, max_length=120)
    until: AwareDatetime | None = None


class Escalate(_Body):
    """How a task goes up: others are told and may take it, or it is moved to them."""

    how: Literal["notify_up", "reassign_up"]
    reason: str = Field(min_length=1, max_length=500)


class Exceptional(_Body):
    """The business exception that a person meets."""

    code: str = Field(min_length=1, max_length=100)
    reason: str = Field(default="", max_length=500)


MOVES: dict[str, Move] = {
    "activate": Move(frozenset({"created"}), "ready", ("system",)),
    "claim": Move(frozenset({"ready"}), "claimed", ("candidate",)),
    "assign": Move(_DOABLE, "claimed", ("admin", "accountable"), Hand),
    "release": Move(_WORKED, "ready", ("owner", "admin"), MayBecause),
    "start": Move(frozenset({"ready", "claimed"}), "in_progress", ("candidate",)),
    "stop": Move(frozenset({"in_progress"}), "claimed", ("owner",)),
    "wait": Move(frozenset({"in_progress"}), "waiting", ("owner",), Await),
    "resume": Move(frozenset({"waiting", "suspended"}), None, ("owner", "admin", "accountable", "system")),
    "suspend": Move(_HELD, "suspended", ("admin", "accountable"), Because),
    "delegate": Move(_WORKED, "claimed", ("owner",), Hand),
    "resolve": Move(_WORKED, "claimed", ("owner",), MayBecause),
    "forward": Move(_WORKED, "ready", ("owner", "admin"), Forward),
    "escalate": Move(OPEN, None, ("owner", "system"), Escalate),
    "complete": Move(_DOABLE, "completed", ("candidate",)),
    "fail": Move(OPEN, "failed", ("owner", "admin"), Exceptional),
    "skip": Move(OPEN, "skipped", ("owner", "admin", "initiator"), Because),
    "cancel": Move(OPEN, "cancelled", ("admin", "system"), Because),
}
"""What may be done. From `ready` or `claimed`, a candidate's `complete` also claims and starts."""


class Action(BaseModel):
    """The envelope of every action; the door that sends it vouches for who acts, in which roles, from where."""

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
    """Whom the actor stands in for: what is theirs is the actor's, and what excludes them excludes the actor."""
    accountable: str | None = Field(default=None, max_length=200)
    """The person who answers for the decision now, as the door's directory has it."""
    origin: str = Field(default="", max_length=60)
    """Through which door it came."""
    seen: str | None = Field(default=None, max_length=64)
    """A hash of what the actor was shown."""
    sent_at: AwareDatetime
    """When the actor decided; counts instead of the time of arrival, never before what counts already on the task."""
    body: dict[str, Any] = Field(default_factory=dict)
    review: Review | None = Field(default=None, exclude_if=lambda review: review is None)
    """What the actor says about the proposal that was shown."""


class Task(Kept):
    """One task of a person."""

    model_config = ConfigDict(extra="ignore")

    id: str
    step: str
    role: str
    ready: datetime
    state: State = "ready"
    revision: int = 1
    owner: str | None = None
    delegator: str | None = None
    """Whose task it is while the owner has it for them: it comes back to be signed off."""
    expires: datetime | None = None
    external: bool = False
    accountable: str = ""
    because: str | None = None
    """The exception that led here."""
    also: list[str] = Field(default_factory=list)
    """Further roles that may take it, since it was escalated."""
    people: list[str] = Field(default_factory=list)
    """Persons who may take it, whatever their roles, since it was passed on to them."""
    barred: list[str] = Field(default_factory=list)
    """Who has passed it on and may not take it again."""
    excluded: list[str] = Field(default_factory=list)
    """Who may not do it at all: those who performed what it checks."""
    level: int = 0
    """How often it was escalated."""
    before: State | None = None
    """The state that a resume goes back to."""
    waits_for: str | None = None
    until: datetime | None = None
    """When a wait ends by itself."""
    redo_of: str | None = None
    """The performance that this one repeats."""
    vote: str | None = None
    """The set of votes that it belongs to."""
    proposal: str | None = Field(default=None, exclude_if=lambda proposal: proposal is None)
    """The hash of the proposal that whoever answers it sees."""

    @property
    def is_open(self) -> bool:
        """Whether someone may still act on it."""
        return self.state in OPEN

    def clip(self, sent_at: datetime, now: datetime) -> datetime:
        """The time at which an action counts: what its sender says, within what is possible."""
        return min(max(sent_at, self.ready), now)


def judge(task: Task, action: Action, now: datetime, *, admins: Collection[str] = (), initiator: str = "") -> Move:
    """Say whether an action is allowed on a task; changes nothing.

    Args:
        task: The task.
        action: The action.
        now: The case's clock.
        admins: Roles that administrate the unit's tasks.
        initiator: Who started the case.

    Raises:
        Refused: `unknown_action`, `not_candidate`, `not_allowed`, `closed`, `expired`, `excluded`, `not_owner`,
            `wrong_state` or `stale_revision`, in that order.
    """
    move = MOVES.get(action.action)
    if move is None:
        raise Refused("unknown_action", f"there is no such action; there are {', '.join(sorted(MOVES))}")
    related = relations(task, action, admins=admins, initiator=initiator)
    _refuse_strangers(task, action, move, related)
    if not task.is_open:
        raise Refused("expired" if task.state == "expired" else "closed", f"the task is {task.state}")
    if task.expires and SYSTEM not in related and task.clip(action.sent_at, now) >= task.expires:
        raise Refused("expired", f"the task expired at {task.expires.isoformat()}")
    if "candidate" in move.who and (who := _excluded(task, action)):
        raise Refused("excluded", f"{who} performed what this task checks (four eyes)")
    _refuse_others(task, action, move, related)
    if task.state not in move.sources:
        raise Refused("wrong_state", f"{action.action!r} does not apply to a task that is {task.state}")
    if action.revision != task.revision:
        said = f"the task is at revision {task.revision}, not {action.revision}; look at it again"
        raise Refused("stale_revision", said)
    return move


def judge_passing_on(task: Task, action: Action, *, admins: Collection[str] = ()) -> None:
    """Say whether whoever has a task may let go of it as an action that was judged says; changes nothing.

    Args:
        task: The task.
        action: The action.
        admins: Roles that administrate the unit's tasks.

    Raises:
        Refused: `sign_off`: it was delegated, so whoever has it hands it back and nobody else gets it.
        BadInput: it would be forwarded to whoever forwards it.
    """
    lets_go = action.action in ("release", "forward") or action.body.get("how") == "reassign_up"
    others = set(MOVES[action.action].who) - {"candidate", "owner"}
    if lets_go and task.delegator and not others & relations(task, action, admins=admins, initiator=""):
        raise Refused("sign_off", f"the task is {task.delegator}'s, who signs it off: hand it back, by resolve")
    if action.action == "forward" and any(action.body.get("to") == name for name in _persons(action)):
        raise BadInput("should be someone else than who passes it on", field="body.to")


def relations(task: Task, action: Action, *, admins: Collection[str], initiator: str) -> set[Relation]:
    """What the actor is to the task."""
    persons, roles = _persons(action), set(action.roles)
    found: set[Relation] = set()
    takers = {task.role, *task.also}
    if (roles & takers or persons & set(task.people)) and not persons & set(task.barred):
        found.add("candidate")
    if task.owner in persons:
        found |= {"owner", "candidate"}
    if roles & set(admins):
        found.add("admin")
    if task.accountable and task.accountable in roles:
        found.add("accountable")
    if initiator and initiator in persons:
        found.add("initiator")
    if SYSTEM in roles:
        found.add("system")
    return found


def _refuse_strangers(task: Task, action: Action, move: Move, related: set[Relation]) -> None:
    """Whoever can never do this learns nothing of how the task stands."""
    allowed = set(move.who) | ({"candidate"} if "owner" in move.who else set())
    if related & allowed:
        return
    if "candidate" in allowed:
        passed_on = _persons(action) & set(task.barred)
        why = (
            "whoever passed the task on may not take it again"
            if passed_on
            else f"the task is for the role {task.role!r}"
        )
        raise Refused("not_candidate", why)
    raise Refused("not_allowed", f"{action.action!r} is for {' or '.join(move.who)}")


def _refuse_others(task: Task, action: Action, move: Move, related: set[Relation]) -> None:
    """What is done by the owner is done by nobody else."""
    if action.action == "resume" and task.state == "suspended" and not related & {"admin", "accountable"}:
        raise Refused("not_allowed", "a task that was suspended is resumed by an admin or the accountable")
    if related & (set(move.who) - {"candidate", "owner"}):
        return
    if task.owner is None and ("candidate" in move.who or task.state not in move.sources):
        return
    if "owner" not in related:
        why = f"{task.owner} has claimed the task" if task.owner else "nobody has claimed the task: claim it first"
        raise Refused("not_owner", why)
    if task.delegator and action.action == "complete":
        raise Refused("sign_off", f"the task is {task.delegator}'s, who signs it off: resolve it")
    if not task.delegator and action.action == "resolve":
        raise Refused("wrong_state", "the task was not delegated")


def _persons(action: Action) -> set[str]:
    return {action.actor, action.acting_for} - {None}  # type: ignore[return-value]


def _excluded(task: Task, action: Action) -> str | None:
    return next((name for name in sorted(_persons(action)) if name in task.excluded), None)
