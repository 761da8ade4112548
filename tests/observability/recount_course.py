"""The course of a case as its history and its unit's definition tell it: who could do what from when, and who did.

The procedure of each unit stands here again, as its author would tell it: `[a, b]` is one after the other, `(a, b)` is
at the same time. A unit that a recount is to cover adds its line to `PROCEDURES`; an action of people that the core
learns adds its method to `_Desk`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.observability.recount_history import Activities, Attempted, History, Message, Turn, kind_of, messages_of
from workunits.core.spec import On, OnFailure, Step
from workunits.core.unit import WorkUnit

Procedure = str | list[Any] | tuple[Any, ...]
Span = tuple[int, int]
Then = Callable[[], None]
Raised = tuple[str, str, bool]
"""The item, the code, and whether it is an exception of the business."""
_ONE = timedelta(microseconds=1)

PROCEDURES: Mapping[str, Callable[[Any], Procedure]] = {
    "plain": lambda case: ["look", "decide"],
    "inline": lambda case: ["look", "decide"],
    "ruled": lambda case: ("look", "advise"),
    "pair": lambda case: ("left", "right"),
    "sequence": lambda case: ["first", "look", "last"],
    "terms": lambda case: ("early", "late", "never"),
    "crowd": lambda case: ("ask",) * case["amount"],
    "keyless": lambda case: [] if case["subject"] in ("odd", "error") else "ask",
    "billed": lambda case: ["prepare", ("sign", "check"), "file"],
}


@dataclass
class Item:
    """One performance of a step: a work item. Times are microseconds since the case's start."""

    key: str
    step: Step[Any, Any]
    ready: int
    then: Then
    repeats: str | None = None
    times: int = 1
    """How often the step has been performed for one place of the procedure."""
    claimed: int | None = None
    worked: list[Span] = field(default_factory=list)
    since: int | None = None
    retried: list[Span] = field(default_factory=list)
    done: int | None = None
    ended: str | None = None
    code: str | None = None
    by: str | None = None
    acting_for: str | None = None
    attempts: int = 1
    untold: bool = False
    """It was completed, and nobody said when the work began."""
    owner: str | None = None
    revision: int = 1

    @property
    def human(self) -> bool:
        """Whether a person performs it."""
        return self.step.kind == "human"

    @property
    def state(self) -> str:
        """Of a human task that is open."""
        if self.since is not None:
            return "in_progress"
        return "claimed" if self.owner else "ready"


class Course:
    """Tells the course of one case, turn by turn."""

    def __init__(self, unit: type[WorkUnit], history: History) -> None:
        self.unit = unit
        self.history = history
        self.items: list[Item] = []
        self.exceptions: list[Raised] = []
        self.accounts: list[Attempted] = []
        self.closed = 0
        self._steps = {step.name: step for step in unit.steps}
        self._activities = Activities()
        self._actions: set[str] = set()
        self._at = self._floor = 0
        self._judged: tuple[int, int] | None = None
        """When a person's task ended last: at which turn, and as of when."""

    def tell(self) -> None:
        """Go through all turns; of a case that the engine ended, through those of which the case had told."""
        outside = self.history.ended_outside
        turns = self.history.turns
        if outside:
            told = [i for i, turn in enumerate(turns) if any(kind_of(e) == _TOLD for e in turn.did)]
            turns = turns[: told[-1] + 1 if told else 0]
        for number, turn in enumerate(turns):
            self._at = max(self._offset(turn.at), self._floor)
            if number == 0 and _fits(self.unit, self.history.given):
                self._go(PROCEDURES[self.unit.unit_name](self.history.given), lambda: None)
            self._turn(turn)
        if outside:
            self.closed = self._offset(self.history.last.event_time.ToDatetime(self.history.started.tzinfo))
        else:
            self.closed = self._counted()
        self._end_what_is_open()

    def _offset(self, moment: datetime) -> int:
        return max(0, (moment - self.history.started) // _ONE)

    def _turn(self, turn: Turn) -> None:
        for message in messages_of(turn):
            self._hear(message)
        cancelled = any(kind_of(event) == "workflow_execution_cancel_requested" for event in turn.learned)
        for attempted in self._activities.ended(turn):
            if not cancelled:  # else the case takes no result any more
                self._performed(attempted)
        if any(kind_of(event) == "timer_fired" for event in turn.learned):
            self._expire()
        self._activities.scheduled(turn)

    def _counted(self) -> int:
        """A case closes when the person acted whose action closed it, though never before anything in it ended."""
        if any(item.done is None and not item.human for item in self.items):
            return self._at
        if self._judged and self._judged[0] == self._at:
            return max([self._judged[1], *(item.done for item in self.items if item.done is not None)])
        return self._at

    def _end_what_is_open(self) -> None:
        for item in self.items:
            if item.done is None:
                self._stop(item, self.closed)
                at = self.closed if item.human or self.history.ended_outside else self._at
                item.done, item.ended = max(item.ready, at), "cancelled"

    # -- the procedure

    def _go(self, procedure: Procedure, then: Then) -> None:
        if isinstance(procedure, str):
            self._perform(self._steps[procedure], then)
        elif isinstance(procedure, tuple):
            left = list(procedure)

            def one_is_done() -> None:
                left.pop()
                if not left:
                    then()

            for one in procedure:
                self._go(one, one_is_done)
        elif procedure:
            first, *rest = procedure
            self._go(first, lambda: self._go(rest, then))
        else:
            then()

    def _perform(self, step: Step[Any, Any], then: Then, *, repeats: str | None = None, times: int = 1) -> None:
        number = 1 + sum(item.step is step for item in self.items)
        key = step.name if number == 1 else f"{step.name}-{number}"
        self.items.append(Item(key, step, self._at, then, repeats, times))

    def _route(self, item: Item, code: str, *, business: bool) -> None:
        """Follow the unit's rules; where none is left, the case closes."""
        self.exceptions.append((item.key, code, business))
        for rule in self.unit.rules:
            if rule.step is not item.step:
                continue
            if isinstance(rule, OnFailure) and not business:
                self._perform(rule.instead, item.then)
            elif isinstance(rule, On) and business and rule.exception.code == code:
                if rule.instead:
                    self._perform(rule.instead, item.then)
                elif rule.repair and item.times <= rule.times:
                    self._perform(rule.repair, lambda: self._repeat(item))

    def _repeat(self, item: Item) -> None:
        self._perform(item.step, item.then, repeats=item.key, times=item.times + 1)

    # -- machines

    def _performed(self, said: Attempted) -> None:
        item = self._open(said.key)
        self.accounts.append(said)
        item.attempts = said.attempts
        if said.account is not None:
            retried, waited, worked = said.account
            begun = item.ready + retried + waited
            if said.shown:  # the clock stood still meanwhile, and may go on by less than the performer's
                self._floor = max(self._floor, begun + worked)
                self._at = max(self._at, self._offset(said.shown), self._floor)
            begun = min(begun, self._at)
            if retried:
                item.retried.append((item.ready, min(item.ready + retried, begun)))
            item.worked.append((begun, min(begun + worked, self._at)))
        elif said.code is not None:
            item.retried.append((item.ready, self._at))
        item.done = self._at
        if said.code is None:
            item.ended = "done"
            item.then()
            return
        business = said.code in {exception.code for exception in item.step.raises}
        item.ended, item.code = "exception" if business else "failed", said.code
        self._route(item, said.code, business=business)

    # -- people

    def _hear(self, message: Message) -> None:
        """Apply an action, once."""
        said = message.envelope
        case, _, key = str(said["task_id"]).rpartition("/")
        item = next((i for i in self.items if i.key == key and i.human and i.done is None), None)
        taken = message.taken if message.taken is not None else item is not None and self._allowed(item, said)
        if not taken or said["action_id"] in self._actions:
            return
        assert item is not None, f"{case}: {key} was not open"
        self._actions.add(said["action_id"])
        item.revision += 1
        moment = self._offset(datetime.fromisoformat(said["sent_at"]))
        getattr(self, f"_{said['action']}")(item, min(max(moment, item.ready), self._at), said)
        item.acting_for = said.get("acting_for") if item.by else None

    def _allowed(self, item: Item, said: Mapping[str, Any]) -> bool:
        """Whether a case takes a signal: no history says."""
        return (
            said["action"] in _FROM
            and item.state in _FROM[said["action"]]
            and item.step.role in said["roles"]
            and item.owner in (None, said["actor"])
            and item.revision == said["revision"]
        )

    def _take(self, item: Item, at: int, said: Mapping[str, Any]) -> None:
        item.claimed = at if item.claimed is None else item.claimed
        item.owner = item.by = said["actor"]

    def _claim(self, item: Item, at: int, said: Mapping[str, Any]) -> None:
        self._take(item, at, said)

    def _start(self, item: Item, at: int, said: Mapping[str, Any]) -> None:
        self._take(item, at, said)
        item.since = at

    def _stop(self, item: Item, at: int, said: Mapping[str, Any] | None = None) -> None:
        if item.since is not None:
            item.worked.append((item.since, max(at, item.since)))
            item.since = None

    def _release(self, item: Item, at: int, said: Mapping[str, Any]) -> None:
        self._stop(item, at)
        item.claimed = item.owner = item.by = None

    def _complete(self, item: Item, at: int, said: Mapping[str, Any]) -> None:
        self._take(item, at, said)
        item.untold = not item.worked and item.since is None
        self._stop(item, at)
        item.done, item.ended = at, "done"
        self._count_as(at)
        item.then()

    def _expire(self) -> None:
        for item in self.items:
            if item.human and item.done is None and item.step.expires:
                due = item.ready + item.step.expires.span // _ONE
                if due <= self._at:
                    self._stop(item, due)
                    item.done, item.ended = due, "expired"
                    self._count_as(due)

    def _count_as(self, at: int) -> None:
        before = self._judged[1] if self._judged and self._judged[0] == self._at else at
        self._judged = self._at, max(before, at)

    def _open(self, key: str) -> Item:
        return next(item for item in self.items if item.key == key)


_TOLD = "workflow_properties_modified"
_FROM: Mapping[str, Sequence[str]] = {
    "claim": ("ready",),
    "start": ("ready", "claimed"),
    "stop": ("in_progress",),
    "release": ("claimed", "in_progress"),
    "complete": ("ready", "claimed", "in_progress"),
}


def _fits(unit: type[WorkUnit], given: Any) -> bool:
    try:
        unit.case_type.model_validate(given)
    except ValueError:
        return False
    return True
