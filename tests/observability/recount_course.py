"""The course of a case as its history and its unit's definition tell it: who could do what from when, and who did.

The procedure of each unit stands here again, as its author would tell it. A unit that a recount is to cover adds its
line to `PROCEDURES`; an action of people that the core learns adds its function to `recount_people`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.observability.recount_history import Activities, Attempted, History, Message, Turn, kind_of, messages_of
from tests.observability.recount_people import ACTIONS, Item, allowed, counted, hold
from tests.observability.recount_trouble import decide, fail_for_good, settle, waits_for_operator
from workunits.core.spec import On, OnFailure, Step
from workunits.core.unit import WorkUnit


@dataclass(frozen=True)
class Again:
    """A step is repeated, because what came of it was returned."""

    step: str


@dataclass(frozen=True)
class Reading:
    """What no history says, and a recount has to try."""

    replayed: bool = False
    """A worker has gone through the case again. An inline step that ended as its turn did then ended in that turn, and
    else in the next one: the SDK's clock differs by that much."""
    told: bool = True
    """What machines did in the turn in which a case last told of itself, before the engine ended it, was told too."""


READINGS = tuple(Reading(replayed, told) for told in (True, False) for replayed in (False, True))
Procedure = str | Again | list[Any] | tuple[Any, ...] | Generator[Any, Any, None]
"""`[a, b]` is one after the other, `(a, b)` is at the same time; a generator is told what came of each."""
Raised = tuple[str, str, bool]
"""The item, the code, and whether it is an exception of the business."""
_ONE = timedelta(microseconds=1)


def _four_eyes() -> Generator[Any, Any, None]:
    yield "prepare"
    checked = yield "check"
    while checked == {"decision": "refuse", "reason": "again"}:
        yield Again("prepare")
        checked = yield Again("check")


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
    "council": lambda case: "vote",
    "four_eyes": lambda case: _four_eyes(),
    "jury": lambda case: case["mood"],
    "silent": lambda case: "first",
    "held": lambda case: [("book", "sign"), "confirm"],
}


class Course:
    """Tells the course of one case, turn by turn."""

    def __init__(self, unit: type[WorkUnit], history: History, reading: Reading) -> None:
        self.unit = unit
        self.history = history
        self.reading = reading
        self.items: list[Item] = []
        self.exceptions: list[Raised] = []
        self.accounts: list[Attempted] = []
        self.closed = 0
        self._steps = {step.name: step for step in unit.steps}
        self._activities = Activities()
        self._actions: set[str] = set()
        self._decided: set[str] = set()
        self._expired: list[Item] = []
        """Items whose end the procedure has not followed yet."""
        self._times: Counter[str] = Counter()
        self._at = self._floor = self._moved = 0
        """What the clock shows, what it has been moved on to, and what it showed when the case last went on."""
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
            self._moved = self._moved or self._at
            if number == 0 and _fits(self.unit, self.history.given):
                self._go(PROCEDURES[self.unit.unit_name](self.history.given), lambda _: None)
            self._turn(turn, is_last=number == len(turns) - 1)
        if outside:
            self.closed = self._offset(self.history.last.event_time.ToDatetime(self.history.started.tzinfo))
        else:
            self.closed = self._counted()
        self._end_what_is_open()

    def _offset(self, moment: datetime) -> int:
        return max(0, (moment - self.history.started) // _ONE)

    def _turn(self, turn: Turn, *, is_last: bool) -> None:
        for message in messages_of(turn):
            self._hear(message)
        if any(item.state == "waiting" and (item.until or self._at) < self._at for item in self.items):
            self._fire(goes_on=True)
        cancelled = any(kind_of(event) == "workflow_execution_cancel_requested" for event in turn.learned)
        if cancelled:
            self._moved = self._at
        untold = is_last and bool(self.history.ended_outside) and not self.reading.told
        for attempted in self._activities.ended(turn, replayed=self.reading.replayed):
            if not cancelled and not untold:  # a case that is cancelled takes no result any more
                self._performed(attempted)
        # A new run looks at its clock as it begins: what came due before has no timer.
        if any(kind_of(event) in ("timer_fired", "workflow_execution_started") for event in turn.learned):
            self._fire(goes_on=all(kind_of(event) != "workflow_execution_continued_as_new" for event in turn.did))
        self._activities.scheduled(turn)

    def _counted(self) -> int:
        """A case closes when the person acted whose action closed it, though never before anything in it ended."""
        if any(item.done is None and not item.human for item in self.items):
            return self._at
        if self._judged and self._judged[0] == self._moved:
            return max([self._judged[1], *(item.done for item in self.items if item.done is not None)])
        return self._moved

    def _end_what_is_open(self) -> None:
        for item in self.items:
            if item.done is None:
                hold(item, self.closed)
                at = self.closed if item.human or self.history.ended_outside else self._at
                item.done, item.ended = max(item.ready, at), "cancelled"

    # -- the procedure

    def _go(self, procedure: Procedure, then: Callable[[Any], None]) -> None:
        if isinstance(procedure, str):
            self._perform(self._steps[procedure], then)
        elif isinstance(procedure, Again):
            step = self._steps[procedure.step]
            self._perform(step, then, repeats=[item.key for item in self.items if item.step is step][-1])
        elif isinstance(procedure, tuple):
            self._go_at_once(procedure, then)
        elif isinstance(procedure, list):
            self._go_in_turn(procedure, then)
        else:
            self._go_next(procedure, None, then)

    def _go_in_turn(self, procedures: list[Procedure], then: Callable[[Any], None]) -> None:
        if procedures:
            self._go(procedures[0], lambda _: self._go_in_turn(procedures[1:], then))
        else:
            then(None)

    def _go_next(self, procedure: Generator[Any, Any, None], said: Any, then: Callable[[Any], None]) -> None:
        try:
            following = procedure.send(said)
        except StopIteration:
            then(None)
        else:
            self._go(following, lambda answer: self._go_next(procedure, answer, then))

    def _go_at_once(self, procedures: tuple[Procedure, ...], then: Callable[[Any], None]) -> None:
        left = list(procedures)

        def one_is_done(_: Any) -> None:
            left.pop()
            if not left:
                then(None)

        for one in procedures:
            self._go(one, one_is_done)

    def _perform(
        self, step: Step[Any, Any], then: Callable[[Any], None], *, repeats: str | None = None, times: int = 1
    ) -> None:
        number = self._times[step.name] = self._times[step.name] + 1
        key = step.name if number == 1 else f"{step.name}-{number}"
        if step.votes is None:
            self.items.append(Item(key, step, self._at, then, repeats, times))
            return
        votes = [Item(f"{key}-v{n}", step, self._at, then, repeats, times) for n in range(1, step.votes.of + 1)]
        for vote in votes:
            vote.votes = votes
        self.items += votes

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
                    self._perform(rule.repair, lambda _: self._repeat(item))

    def _repeat(self, item: Item) -> None:
        self._perform(item.step, item.then, repeats=item.key, times=item.times + 1)

    # -- machines

    def _performed(self, said: Attempted) -> None:
        item = self._open(said.key)
        self.accounts.append(said)
        since = item.ready if item.tried is None else item.tried
        item.attempts = said.attempts + (item.trouble.attempts if item.trouble else 0)
        if said.account is not None:
            retried, waited, worked = said.account
            begun = since + retried + waited
            if said.shown:  # the clock stood still meanwhile, and may go on by less than the performer's
                self._floor = max(self._floor, begun + worked)
                self._at = max(self._at, self._offset(said.shown), self._floor)
            begun = min(begun, self._at)
            if retried:
                item.retried.append((since, min(since + retried, begun)))
            item.worked.append((begun, min(begun + worked, self._at)))
        elif said.code is not None:
            item.retried.append((since, self._at))
        self._moved = self._at
        business = said.code in {exception.code for exception in item.step.raises}
        if said.code is not None and not business and waits_for_operator(self.unit, item):
            if item.trouble is None:
                self.exceptions.append((item.key, said.code, False))
            fail_for_good(item, said.code, self._at)
            return
        item.done = self._at
        settle(item, self._at)
        if said.code is None:
            item.ended = "done"
            item.then(None)
            return
        item.ended, item.code = "exception" if business else "failed", said.code
        self._route(item, said.code, business=business)

    # -- people

    def _hear(self, message: Message) -> None:
        """Apply an action, once."""
        said = message.envelope
        key = str(said["task_id"]).rpartition("/")[2]
        item = next((i for i in self.items if i.key == key and (i.human or i.trouble) and i.done is None), None)
        at = self._offset(datetime.fromisoformat(said["sent_at"]))
        ready = item.ready if item and item.human else item.trouble.opened if item else at
        at = min(max(at, ready), self._at)
        taken = message.taken if message.taken is not None else item is not None and allowed(item, said, at)
        if not taken or said["action_id"] in self._actions:
            return
        assert item is not None, f"{key} was not open"
        self._actions.add(said["action_id"])
        if not item.human:
            self._decide(item, at, said)
            return
        at = min(max(at, counted(item)), self._at)
        item.revision += 1
        ACTIONS[said["action"]](item, at, said)
        if until := said["body"].get("until") if said["action"] == "wait" else None:
            item.until = self._offset(datetime.fromisoformat(until))
        if item.done is not None:
            self._judge(item, at, said)

    def _decide(self, item: Item, at: int, said: Mapping[str, Any]) -> None:
        """Go on with what an operator decided on an incident."""
        self._moved = self._at
        decide(item, said, at, self._at)
        if item.done is not None:
            self._count_as(at)
            if item.ended == "done":
                item.then(None)
            else:
                self.exceptions.append((item.key, str(item.code), False))

    def _judge(self, item: Item, at: int, said: Mapping[str, Any]) -> None:
        """Go on with what came of a task that a person ended."""
        self._count_as(at)
        if item.votes is not None:
            item.answer = said["body"] if item.ended == "done" else None
            self._count_votes(item.votes)
        elif item.ended == "exception":
            self._route(item, str(item.code), business=True)
        elif item.ended in ("done", "skipped"):
            item.then(said["body"] if item.ended == "done" else None)

    def _count_votes(self, votes: list[Item]) -> None:
        """As soon as a quorum agrees, or one meets an exception, the others are asked no more."""
        step, first = votes[0].step, votes[0]
        assert step.votes is not None
        if first.key in self._decided:
            return
        answers = [step.gives.model_validate(vote.answer) for vote in votes if vote.answer is not None]
        agreed = Counter(str(step.votes.on(answer)) for answer in answers)
        met = next((vote.code for vote in votes if vote.ended == "exception"), None)
        quorum = any(count >= step.votes.quorum for count in agreed.values())
        if not met and not quorum and any(vote.done is None for vote in votes):
            return
        self._decided.add(first.key)
        for vote in votes:
            if vote.done is None:
                at = self._counted()
                hold(vote, at)
                vote.done, vote.ended = max(at, vote.ready), "cancelled"
        if not met and not quorum and any(vote.ended == "expired" for vote in votes):
            self._follow_silence(first)
        elif met or not quorum:
            self._route(first, met or "no_quorum", business=True)
        else:
            first.then(None)

    def _fire(self, *, goes_on: bool) -> None:
        """What is due at a timer: waits that are over, and tasks that expire.

        A case that becomes a new run in the same turn follows its procedure no more in it, and expires there again.
        """
        for item in self.items:
            if not item.human or item.done is not None:
                continue
            if item.state == "waiting" and item.until is not None and item.until <= self._at:
                at = max(item.until, item.since or 0)
                hold(item, at)
                item.state, item.since = "in_progress", at
            due = item.ready + item.step.expires.span // _ONE if item.step.expires else None
            if due is not None and due <= self._at:
                hold(item, due)
                item.done, item.ended = due, "expired"
                self._expired.append(item)
        while goes_on and self._expired:
            item = self._expired.pop(0)
            self._count_as(item.done or 0)
            self._go_on_without(item)

    def _go_on_without(self, item: Item) -> None:
        """Nobody answered a task, which may be one of several votes."""
        if item.votes is not None:
            self._count_votes(item.votes)
        else:
            self._follow_silence(item)

    def _follow_silence(self, item: Item) -> None:
        """Nobody answered: a default answer, another step, or the end of the case."""
        if item.step.by_default is not None:
            item.then(item.step.by_default.model_dump(mode="json"))
        elif item.step.instead is not None:
            self.exceptions.append((item.key, "expired", False))
            self._perform(item.step.instead, item.then)

    def _count_as(self, at: int) -> None:
        before = self._judged[1] if self._judged and self._judged[0] == self._at else at
        self._judged = self._at, max(before, at)
        self._moved = self._at

    def _open(self, key: str) -> Item:
        return next(item for item in self.items if item.key == key)


_TOLD = "workflow_properties_modified"


def _fits(unit: type[WorkUnit], given: Any) -> bool:
    try:
        unit.case_type.model_validate(given)
    except ValueError:
        return False
    return True
