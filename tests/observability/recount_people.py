"""What people do to their tasks: whose they are then, and how their time is spent (semantics, section 1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from workunits.core.spec import Step

Span = tuple[int, int]
Said = Mapping[str, Any]


@dataclass
class Item:
    """One performance of a step: a work item. Times are microseconds since the case's start."""

    key: str
    step: Step[Any, Any]
    ready: int
    then: Callable[[Any], None]
    """Goes on with the procedure, with a person's answer."""
    repeats: str | None = None
    times: int = 1
    """How often the step has been performed for one place of the procedure."""
    votes: list[Item] | None = None
    """The set of votes that it belongs to."""
    answer: Any = None
    state: str = "ready"
    before: str = "ready"
    """The state that it was suspended in."""
    owner: str | None = None
    delegator: str | None = None
    revision: int = 1
    claimed: int | None = None
    since: int | None = None
    """Since when it is worked on, waits or is held."""
    until: int | None = None
    worked: list[Span] = field(default_factory=list)
    waited: list[Span] = field(default_factory=list)
    held: list[Span] = field(default_factory=list)
    retried: list[Span] = field(default_factory=list)
    done: int | None = None
    ended: str | None = None
    code: str | None = None
    by: str | None = None
    acting_for: str | None = None
    attempts: int = 1
    tried: int | None = None
    """When an operator had it tried again."""
    trouble: Any = None
    """Its incident; see `recount_trouble`."""

    @property
    def human(self) -> bool:
        """Whether a person performs it."""
        return self.step.kind == "human"

    @property
    def performed(self) -> bool:
        """Whether a person ended it by doing it: with an answer, or with an exception that the person met."""
        return self.human and self.ended in ("done", "exception")

    @property
    def untold(self) -> bool:
        """Whether nobody said when a person's work on it began."""
        return self.performed and not self.worked


def hold(item: Item, at: int) -> None:
    """End what goes on: work, a wait or a hold."""
    if item.since is not None:
        spans = {"waiting": item.waited, "suspended": item.held}.get(item.state, item.worked)
        spans.append((item.since, max(at, item.since)))
        item.since = None


def counted(item: Item) -> int:
    """When what was said of it last counts: what is said later counts no earlier."""
    ends = (end for _, end in (*item.worked, *item.waited, *item.held))
    return max(item.ready, item.claimed or 0, item.since or 0, *ends)


def _become(item: Item, state: str, at: int) -> None:
    hold(item, at)
    item.state = state
    item.since = at if state in ("in_progress", "waiting", "suspended") else None


def _take(item: Item, at: int, said: Said) -> None:
    item.claimed = at if item.claimed is None else item.claimed
    item.owner = item.owner or said["actor"]
    item.by, item.acting_for = said["actor"], said.get("acting_for")


def _give_back(item: Item) -> None:
    item.owner = item.delegator = item.claimed = item.by = item.acting_for = None


def _claim(item: Item, at: int, said: Said) -> None:
    _become(item, "claimed", at)
    _take(item, at, said)


def _assign(item: Item, at: int, said: Said) -> None:
    if item.owner == said["body"]["to"]:
        item.revision -= 1  # no event
        return
    _become(item, "claimed", at)
    item.claimed = at if item.claimed is None else item.claimed
    item.owner = item.by = said["body"]["to"]
    item.acting_for = None


def _delegate(item: Item, at: int, said: Said) -> None:
    item.delegator = item.delegator or item.owner
    _become(item, "claimed", at)
    item.owner = item.by = said["body"]["to"]
    item.acting_for = None


def _resolve(item: Item, at: int, said: Said) -> None:
    _become(item, "claimed", at)
    item.owner, item.delegator = item.delegator, None
    item.by, item.acting_for = item.owner, None


def _release(item: Item, at: int, said: Said) -> None:
    _become(item, "ready", at)
    _give_back(item)


def _start(item: Item, at: int, said: Said) -> None:
    _become(item, "in_progress", at)
    _take(item, at, said)


def _stop(item: Item, at: int, said: Said) -> None:
    _become(item, "claimed", at)


def _wait(item: Item, at: int, said: Said) -> None:
    _become(item, "waiting", at)
    item.until = None


def _suspend(item: Item, at: int, said: Said) -> None:
    before = item.state
    _become(item, "suspended", at)
    item.before = before


def _resume(item: Item, at: int, said: Said) -> None:
    _become(item, "in_progress" if item.state == "waiting" else item.before, at)


def _escalate(item: Item, at: int, said: Said) -> None:
    if said["body"]["how"] == "reassign_up":
        _release(item, at, said)


def _complete(item: Item, at: int, said: Said) -> None:
    _take(item, at, said)
    hold(item, at)
    item.done, item.ended = at, "done"


def _fail(item: Item, at: int, said: Said) -> None:
    hold(item, at)
    item.by = item.by or said["actor"]
    item.done, item.ended, item.code = at, "exception", said["body"]["code"]


def _skip(item: Item, at: int, said: Said) -> None:
    hold(item, at)
    item.done, item.ended = at, "skipped"


def _cancel(item: Item, at: int, said: Said) -> None:
    hold(item, at)
    item.done, item.ended = at, "cancelled"


ACTIONS: Mapping[str, Callable[[Item, int, Said], None]] = {
    "assign": _assign,
    "cancel": _cancel,
    "claim": _claim,
    "complete": _complete,
    "delegate": _delegate,
    "escalate": _escalate,
    "fail": _fail,
    "forward": _release,
    "release": _release,
    "resolve": _resolve,
    "resume": _resume,
    "skip": _skip,
    "start": _start,
    "stop": _stop,
    "suspend": _suspend,
    "wait": _wait,
}
SIGNALLED: Mapping[str, Sequence[str]] = {
    "claim": ("ready",),
    "start": ("ready", "claimed"),
    "stop": ("in_progress",),
    "release": ("claimed", "in_progress"),
    "complete": ("ready", "claimed", "in_progress"),
}
"""The actions that a recount can judge, with the states that they apply to."""


def allowed(item: Item, said: Said, at: int) -> bool:
    """Whether a case takes a signal: no history says. Only of tasks that nobody has passed on."""
    if item.step.expires and at >= item.ready + item.step.expires.span // timedelta(microseconds=1):
        return False
    return (
        said["action"] in SIGNALLED
        and item.state in SIGNALLED[said["action"]]
        and item.step.role in said["roles"]
        and item.owner in (None, said["actor"], said["acting_for"])
        and item.revision == said["revision"]
    )
