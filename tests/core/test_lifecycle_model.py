"""Random people act on real cases, several at once; after every step the engine is where a small model says."""

from __future__ import annotations

import asyncio
import copy
import itertools
import uuid
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from temporalio.service import RPCError
from temporalio.worker import Worker

from tests.conftest import Bench
from tests.lab.people import Hall
from tests.lab.task_table import INITIATOR, ROLES, TABLE, Deed, Model, roles_of
from workunits.cases import CaseView
from workunits.core import effects
from workunits.core.errors import BadInput, Refused
from workunits.core.human import Desk
from workunits.core.parts import parts
from workunits.delivery import UndeliveredError
from workunits.registry import Catalog, Package
from workunits.testing import Lab

T = TypeVar("T")
PATIENCE = 10.0
MESSAGES_PER_RUN = 7
WHO = (*((name, None) for name in ROLES), ("bob", "ann"), ("dan", "cyd"), ("ann", "ivo"), ("top", "bob"))
NAMES = ("ann", "bob", "cyd", "hal")
WHY = ("reason", "so it is")
BODIES: dict[str, tuple[dict[str, Any], ...]] = {
    "assign": tuple({"to": name} for name in NAMES),
    "delegate": tuple({"to": name} for name in NAMES),
    "release": ({"reason": "later"}, {}),
    "forward": (
        {"to": "cyd", "reason": "better"},
        {"to": "dan", "reason": "better"},
        {"role": "member", "reason": "better"},
        {"role": "clerk", "reason": "better"},
        {"reason": "better"},
        {"to": "cyd", "role": "clerk", "reason": "better"},
    ),
    "wait": ({"reason": "customer"}, {"reason": "weather"}),
    "suspend": ({"reason": "audit"},),
    "escalate": ({"how": "notify_up", "reason": "late"}, {"how": "reassign_up", "reason": "late"}),
    "fail": ({"code": "odd"}, {"code": "even"}),
    "skip": ({"reason": "needless"},),
    "cancel": ({"reason": "needless"},),
}
ANSWERS: dict[str, tuple[dict[str, Any], ...]] = {
    "prepare": ({"request": "made"},),
    "check": ({"decision": "grant"}, {"decision": "grant", "reason": "again"}, {"decision": "refuse", "reason": "no"}),
    "vote": ({"decision": "grant"}, {"decision": "refuse", "reason": "no"}, {}),
}
ENDS = ("fail", "cancel", "skip")
Said = tuple[str, int] | str | None


class Mismatch(AssertionError):
    """The engine did what the table does not say."""


class Dice:
    """Choices of a fixed shape: what there is to choose from may depend on who won a race."""

    def __init__(self, thrown: bytes) -> None:
        self._left = [int.from_bytes(thrown[at : at + 2]) for at in range(0, len(thrown), 2)]

    def of(self, options: Sequence[T]) -> T:
        """One of them."""
        return options[self._left.pop() % len(options)]


class Play:
    """One real case, and the model beside it."""

    def __init__(self, bench: Bench, case: str) -> None:
        self.bench = bench
        self.case = case
        self.model = Model()

    @classmethod
    async def begin(cls, bench: Bench) -> Play:
        """Start a case."""
        data = Hall.case_type(request=uuid.uuid4().hex).model_dump_json().encode()
        started = await bench.cases.start("hall", data, by=INITIATOR)
        play = cls(bench, started.case)
        await play.meet([play.model])
        return play

    # -- choosing

    def sensible(self, dice: Dice, key: str = "") -> Deed:
        """Something that the table allows now, on one task or on any."""
        ends = dice.of((True, False, False, False))
        tasks = [key] if key in self.model.open_tasks() else list(self.model.open_tasks())
        by_action: dict[str, list[Deed]] = {}
        for task, action, (actor, acting_for) in itertools.product(tasks, TABLE, WHO):
            for body in self._bodies(task, action):
                deed = self._deed(task, action, actor, acting_for, body)
                if (ends or action not in ENDS) and not self.model.objections(deed):
                    by_action.setdefault(action, []).append(deed)
        return dice.of(by_action[dice.of(list(by_action))])

    def anything(self, dice: Dice) -> Deed:
        """Whatever comes to anyone's mind."""
        key, action, (actor, acting_for) = dice.of(list(self.model.tasks)), dice.of(list(TABLE)), dice.of(WHO)
        deed = self._deed(key, action, actor, acting_for, dice.of(self._bodies(key, action)))
        return replace(deed, revision=max(1, deed.revision - dice.of((0, 0, 0, 1))))

    def again(self, dice: Dice) -> Deed | None:
        """What was accepted before, or another action under its id."""
        if not self.model.accepted:
            return None
        deed, _ = dice.of(list(self.model.accepted.values()))
        return dice.of((deed, deed, deed, replace(deed, actor="dan", acting_for=None)))

    def _bodies(self, key: str, action: str) -> tuple[dict[str, Any], ...]:
        return ANSWERS[self.model.tasks[key].step] if action == "complete" else BODIES.get(action, ({},))

    def _deed(self, key: str, action: str, actor: str, acting_for: str | None, body: dict[str, Any]) -> Deed:
        revision = self.model.tasks[key].revision
        return Deed("", key, action, actor, revision, tuple(body.items()), acting_for)

    # -- doing

    async def do(self, *sent: tuple[Deed, bool]) -> None:
        """Send actions at once, each as an update or as a signal; there has to be an order that explains the answers.

        Args:
            sent: Each action, and whether it is a signal.
        """
        sent = tuple((deed if deed.id else replace(deed, id=uuid.uuid4().hex), signal) for deed, signal in sent)
        answers = await asyncio.gather(*(self._send(*one) for one in sent))
        possible = [model for model in self._orders(sent, answers)]
        if not possible:
            raise Mismatch(f"{self.case}: no order explains {list(zip(sent, answers, strict=True))}: {self.model}")
        self.model = await self.meet(possible)

    def _orders(self, sent: Sequence[tuple[Deed, bool]], answers: Sequence[Said]) -> Any:
        """The model after each order that explains the answers; the case may go on between any two actions."""
        count = len(sent)
        for order in itertools.permutations(range(count)):
            for pauses in itertools.product((True, False), repeat=count - 1):
                model = copy.deepcopy(self.model)
                for number, pause in zip(order, (*pauses, True), strict=True):
                    deed, signal = sent[number]
                    said, answer = model.take(deed, signal=signal), answers[number]
                    if not (signal or answer == said or (isinstance(said, set) and answer in said)):
                        break
                    if pause:
                        model.go_on()
                else:
                    yield model

    async def _send(self, deed: Deed, signal: bool) -> Said:
        envelope = {
            "action": deed.action,
            "action_id": deed.id,
            "task_id": f"{self.case}/{deed.key}",
            "revision": deed.revision,
            "actor": deed.actor,
            "roles": list(roles_of(deed)),
            "acting_for": deed.acting_for,
            "origin": uuid.uuid4().hex,  # else Temporal itself would answer a repetition
            "sent_at": datetime.now(UTC).isoformat(),
            "body": deed.said,
        }
        if signal:
            with suppress(RPCError):  # the case has closed
                await self.bench.handle(self.case).signal("act", envelope)
            return None
        try:
            said = await self.bench.cases.send(envelope, patience=PATIENCE)
        except (Refused, BadInput) as refused:
            return refused.code
        except UndeliveredError as error:
            raise Mismatch(f"{self.case}: nobody answers {deed}") from error
        return said["state"], said["revision"]

    # -- comparing

    async def meet(self, possible: Sequence[Model]) -> Model:
        """The model at which the engine arrives."""
        view = None
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while True:
                    view = await self.bench.cases.show(self.case)
                    for model in possible:
                        if agrees(view, model):
                            return model
                    await asyncio.sleep(0.01)
        expected = [(model.close, facts(model), list(model.accepted)) for model in possible]
        raise Mismatch(f"{self.case}: expected one of {expected}, but there is {view}")

    async def end(self) -> None:
        """Close the case: its record then tells what became of every message, and its time adds up."""
        if not self.model.close:
            await self.bench.cases.cancel(self.case, actor="ops", reason="enough")
            self.model.close = "cancelled"
        await self.meet([self.model])


def facts(model: Model) -> dict[str, dict[str, Any]]:
    """The open tasks of a model."""
    return {key: task.facts() for key, task in model.open_tasks().items()}


def agrees(view: CaseView, model: Model) -> bool:
    """Whether the engine shows what the model says."""
    record = view.record
    if record is None or view.is_open != (model.close is None):
        return False
    hidden = ("key", "accountable", "hands")
    names = [name for name in vars(next(iter(model.tasks.values()))) if name not in hidden]
    there = {task.id.rpartition("/")[2]: {name: getattr(task, name) for name in names} for task in view.tasks}
    if there != facts(model) or not (record.elsewhere or [acted.id for acted in record.actions] == [*model.accepted]):
        return False
    if view.is_open:
        return True
    adds_up = record.elsewhere or sum(parts(record).values()) == record.closed
    return (record.close, record.ignored_count, adds_up) == (model.close, model.ignored, True)


class People(RuleBasedStateMachine):
    """What several people do; no rule depends on how things stand, so that a race cannot confuse Hypothesis."""

    bench: ClassVar[Bench]
    loop: ClassVar[asyncio.AbstractEventLoop]
    runs: ClassVar[list[Play]]

    def __init__(self) -> None:
        super().__init__()
        self._play: Play | None = None

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Have the test's loop run it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(4 * PATIENCE)

    def play(self) -> Play:
        """The case; after it closed, and was acted on once more, another one."""
        if self._play is None or (self._play.model.close and self._play.model.tasks.pop("late", None)):
            self._play = self.wait(Play.begin(self.bench))
        return self._play
