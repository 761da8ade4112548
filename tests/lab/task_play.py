"""What random people do on one real case of `Hall`, and the model beside it."""

from __future__ import annotations

import asyncio
import copy
import itertools
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar

from temporalio.service import RPCError

from tests.conftest import Bench
from tests.lab.people import Hall
from tests.lab.task_table import INITIATOR, NOT_THEIRS, ROLES, TABLE, Chore, Deed, Model, roles_of
from tests.patience import PATIENCE
from workunits.cases import CaseView
from workunits.core.errors import BadInput, Refused
from workunits.core.parts import parts
from workunits.delivery import UndeliveredError

T = TypeVar("T")
AT_ONCE = 20.0
"""Seconds in which what an answer says is seen, too."""
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

    patience: ClassVar[float] = PATIENCE
    favourite: ClassVar[str] = ""
    """An action that people are fond of, where a test is about what follows from it."""

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
        by_action: dict[str, list[Deed]] = {}
        for deed in self._thinkable(dice, key):
            if (ends or deed.action not in ENDS) and not self.model.objections(deed):
                by_action.setdefault(deed.action, []).append(deed)
        # A case in which little is completed never gets far.
        actions = [*by_action, *(["complete"] * 4 if "complete" in by_action else ())]
        actions += [self.favourite] * 12 if self.favourite in by_action else []
        return dice.of(by_action[dice.of(actions)]) if by_action else self.anything(dice)

    def tempting(self, dice: Dice) -> Deed:
        """Something to which there is a single objection."""
        by_reason: dict[str, dict[str, list[Deed]]] = {}
        barred = [key for key, task in self.model.open_tasks().items() if task.excluded or task.delegator]
        for deed in self._thinkable(dice, dice.of(barred or [""])):
            why = {"not_theirs" if code in NOT_THEIRS else code for code in self.model.objections(deed)}
            if len(why) == 1:
                by_reason.setdefault(why.pop(), {}).setdefault(deed.action, []).append(deed)
        # The rarest of all, because somebody has to have performed, or delegated, something before.
        rare = [reason for reason in ("excluded", "sign_off") if reason in by_reason]
        reasons = [*sorted(by_reason), *(rare * 4)]
        if not reasons:
            return self.anything(dice)
        by_action = by_reason[dice.of(reasons)]
        return dice.of(by_action[dice.of(list(by_action))])

    def _thinkable(self, dice: Dice, key: str = "") -> Iterator[Deed]:
        """All that anyone could do with one task."""
        tasks = list(self.model.open_tasks()) or list(self.model.tasks)
        task = key if key in tasks else dice.of(tasks)
        for action, (actor, acting_for) in itertools.product(TABLE, WHO):
            for body in self._bodies(task, action):
                yield self._deed(task, action, actor, acting_for, body)

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

    @staticmethod
    def named(deed: Deed) -> Deed:
        """With an action id."""
        return deed if deed.id else replace(deed, id=uuid.uuid4().hex)

    # -- doing

    async def do(self, *sent: tuple[Deed, bool]) -> None:
        """Send actions at once, each as an update or as a signal; there has to be an order that explains the answers.

        Args:
            sent: Each action, and whether it is a signal.
        """
        sent = tuple((self.named(deed), signal) for deed, signal in sent)
        if not sent:
            return
        answers = await asyncio.gather(*(self._signal(deed) if signal else self._ask(deed) for deed, signal in sent))
        possible = list(self._orders(sent, answers))
        if not possible:
            raise Mismatch(f"{self.case}: no order explains {list(zip(sent, answers, strict=True))}: {self.model}")
        # An answer comes with all that follows from it; a signal is taken some time after it was sent.
        self.model = await self.meet(
            possible, None if any(signal for _, signal in sent) else min(AT_ONCE, self.patience)
        )

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

    async def _ask(self, deed: Deed) -> Said:
        try:
            said = await self.bench.cases.send(self._envelope(deed), patience=self.patience)
        except (Refused, BadInput) as refused:
            return refused.code
        except UndeliveredError as error:
            raise Mismatch(f"{self.case}: nobody answers {deed}") from error
        return said["state"], said["revision"]

    async def _signal(self, deed: Deed) -> None:
        with suppress(RPCError):  # the case has closed
            await self.bench.handle(self.case).signal("act", self._envelope(deed))

    def _envelope(self, deed: Deed) -> dict[str, Any]:
        return {
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

    # -- comparing

    async def meet(self, possible: Sequence[Model], patience: float | None = None) -> Model:
        """The model at which the engine arrives."""
        view = None
        with suppress(TimeoutError):
            async with asyncio.timeout(patience or self.patience):
                while True:
                    view = await self.bench.cases.show(self.case)
                    for model in possible:
                        if not differences(view, model):
                            return model
                    await asyncio.sleep(0.01)
        raise Mismatch(f"{self.case}: {' or '.join(str(differences(view, model)) for model in possible)}")

    async def end(self) -> None:
        """Close the case: its record then tells what became of every message, and its time adds up."""
        if not self.model.close:
            await self.bench.cases.cancel(self.case, actor="ops", reason="enough")
            self.model.close = "cancelled"
        await self.meet([self.model])


def shown(view: CaseView) -> dict[str, Any]:
    """What the engine shows of a case."""
    record = view.record
    if record is None:
        return {}
    names = Chore("", "", "").facts()
    tasks = {task.id.rpartition("/")[2]: {name: getattr(task, name) for name in names} for task in view.tasks}
    said: dict[str, Any] = {"close": record.close, "accepted": [acted.id for acted in record.actions], **tasks}
    if view.is_open:
        return said
    return said | {"ignored": record.ignored_count, "adds up": sum(parts(record).values()) == record.closed}


def differences(view: CaseView | None, model: Model) -> dict[str, Any]:
    """What the engine shows otherwise than the model: name -> what it shows, what the model says."""
    there = shown(view) if view else {}
    tasks = {key: task.facts() for key, task in model.open_tasks().items()}
    said: dict[str, Any] = {"close": model.close, "accepted": [*model.accepted], **tasks}
    if model.close:
        said |= {"ignored": model.ignored, "adds up": True}
    return {name: (there.get(name), said.get(name)) for name in {**there, **said} if there.get(name) != said.get(name)}
