"""Random people act on real cases, several at once; after every step the engine is where a small model says."""

from __future__ import annotations

import asyncio
import copy
import itertools
import uuid
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from temporalio.service import RPCError
from temporalio.worker import Worker

from tests.conftest import Bench
from tests.lab.people import Hall
from tests.lab.task_table import INITIATOR, NOT_THEIRS, ROLES, TABLE, Chore, Deed, Model, roles_of
from workunits.cases import CaseView
from workunits.core import effects, human, lifecycle
from workunits.core.errors import BadInput, Refused
from workunits.core.human import Desk
from workunits.core.parts import parts
from workunits.delivery import UndeliveredError
from workunits.registry import Catalog, Package
from workunits.testing import Lab

T = TypeVar("T")
PATIENCE = 20.0
IMPATIENCE = 3.0
"""Where a bug is planted, what is waited for does not come."""
AT_ONCE = 2.0
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
THROWN = st.binary(min_size=64, max_size=64)
BY_SIGNAL = (False, False, True)
Said = tuple[str, int] | str | None


class Mismatch(AssertionError):
    """The engine did what the table does not say."""


class Noticed(BaseException):
    """A planted bug is found; no Exception, so that Hypothesis ends at once."""


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
        return dice.of(by_action[dice.of(actions)]) if by_action else self.anything(dice)

    def tempting(self, dice: Dice) -> Deed:
        """Something to which there is a single objection."""
        by_reason: dict[str, list[Deed]] = {}
        for deed in self._thinkable(dice):
            why = {"not_theirs" if code in NOT_THEIRS else code for code in self.model.objections(deed)}
            if len(why) == 1:
                by_reason.setdefault(why.pop(), []).append(deed)
        # The rarest of all, because somebody has to have performed something before.
        reasons = [*sorted(by_reason), *(["excluded"] * 4 if "excluded" in by_reason else ())]
        return dice.of(by_reason[dice.of(reasons)]) if by_reason else self.anything(dice)

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
        self.model = await self.meet(possible, None if any(signal for _, signal in sent) else AT_ONCE)

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


class People(RuleBasedStateMachine):
    """What several people do; no rule depends on how things stand, so that a race cannot confuse Hypothesis."""

    bench: ClassVar[Bench]
    loop: ClassVar[asyncio.AbstractEventLoop]
    planted: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self._play: Play | None = None
        self._late = 0

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Have the test's loop do it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(4 * PATIENCE)

    def act(self, play: Play, *sent: tuple[Deed | None, bool]) -> None:
        """Send actions at once."""
        self._play = None  # if it fails, there is nothing to end
        try:
            self.wait(play.do(*((deed, signal) for deed, signal in sent if deed)))
        except Mismatch as mismatch:
            raise Noticed if self.planted else mismatch from None
        self._play = play

    @property
    def play(self) -> Play:
        """The case; another one, once two more came too late for the last."""
        if self._play and self._play.model.close:
            self._late += 1
        if self._play is None or self._late > 2:
            self._late = 0
            self._play = self.wait(Play.begin(self.bench))
        return self._play

    @rule(thrown=THROWN)
    def one_does_what_is_allowed(self, thrown: bytes) -> None:
        """Most of what people do."""
        play, dice = self.play, Dice(thrown)
        self.act(play, (play.sensible(dice), dice.of(BY_SIGNAL)))

    @rule(thrown=THROWN)
    def one_does_what_is_nearly_allowed(self, thrown: bytes) -> None:
        """Everything about it is right but one thing."""
        play, dice = self.play, Dice(thrown)
        self.act(play, (play.tempting(dice), dice.of(BY_SIGNAL)))

    @rule(thrown=THROWN)
    def one_does_anything(self, thrown: bytes) -> None:
        """Also what is not theirs, stale, or nonsense."""
        play, dice = self.play, Dice(thrown)
        self.act(play, (play.anything(dice), dice.of(BY_SIGNAL)))

    @rule(thrown=THROWN)
    def one_repeats_oneself(self, thrown: bytes) -> None:
        """The same id again, perhaps with other content."""
        play, dice = self.play, Dice(thrown)
        self.act(play, (play.again(dice), dice.of(BY_SIGNAL)))

    @rule(thrown=THROWN)
    def several_act_at_once(self, thrown: bytes) -> None:
        """On one task or on two, by updates and signals; one of them perhaps twice."""
        play, dice = self.play, Dice(thrown)
        first = play.named(play.sensible(dice))
        others = (play.sensible(dice, first.key), play.sensible(dice), play.anything(dice), first)
        second, third = dice.of(others), dice.of((None, *others))
        self.act(play, *((deed, dice.of(BY_SIGNAL)) for deed in (first, second, third)))

    def teardown(self) -> None:
        """Close the last case."""
        if self._play:
            self.wait(self._play.end())


def drive(examples: int, steps: int) -> None:
    """Let them act; in a thread, because Hypothesis waits for each step."""
    run_state_machine_as_test(
        People,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=True,
            database=None,
            deadline=None,
            phases=(Phase.generate,),
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def hall(lab: Lab) -> AsyncIterator[None]:
    """A worker for the unit, and the way to its cases."""
    queue = f"hall-{uuid.uuid4().hex[:8]}"
    People.bench = Bench(lab, Catalog([Package("hall", (Hall,), ("tests.lab.contracts",), ())]), queue)
    People.loop = asyncio.get_running_loop()
    async with Worker(lab.client, task_queue=queue, workflows=[Hall]):
        yield


@pytest.fixture(autouse=True)
def short_runs(monkeypatch):
    """Cases go on as new runs all the time."""
    monkeypatch.setattr("workunits.core.course.MESSAGES_PER_RUN", MESSAGES_PER_RUN)


async def test_the_engine_does_what_the_table_says():
    """Whatever several people do at once: the same answers, the same tasks, the same record, and every second in it."""
    await asyncio.to_thread(drive, examples=9, steps=30)


@pytest.fixture
def planted(monkeypatch):
    """Something is made wrong: the first difference is enough."""
    monkeypatch.setattr(Play, "patience", IMPATIENCE)
    monkeypatch.setattr(People, "planted", True)


async def found_out() -> None:
    """They notice what is wrong with the code as it is now."""
    with pytest.raises(Noticed):
        await asyncio.to_thread(drive, examples=9, steps=30)


async def test_a_planted_bug_is_caught_release_keeps_the_owner(monkeypatch, planted):
    """A task that is ready is nobody's."""
    own = effects._own

    def keep(task, work, action, said, at):
        owner = task.owner
        own(task, work, action, said, at)
        if action.action == "release":
            task.owner = owner

    monkeypatch.setattr(effects, "_own", keep)
    await found_out()


async def test_a_planted_bug_is_caught_exclusion_is_not_checked_at_complete(monkeypatch, planted):
    """Whoever voted, or prepared, completes what was to be another's: only claims are looked at."""
    excluded = lifecycle._excluded
    monkeypatch.setattr(
        lifecycle, "_excluded", lambda task, action: action.action == "claim" and excluded(task, action)
    )
    await found_out()


async def test_a_planted_bug_is_caught_a_repeated_action_is_applied_twice(monkeypatch, planted):
    """As if nobody remembered the ids, and a repetition came with the newest revision."""
    judge, seen = lifecycle.judge, set()

    class Forgetful(dict[str, Any]):
        def get(self, key, default=None):
            return default

        def __setitem__(self, key, value):
            seen.add(key)

    def lenient(task, action, *args, **more):
        revision = task.revision if action.action_id in seen else action.revision
        return judge(task, action.model_copy(update={"revision": revision}), *args, **more)

    start = Desk.__init__

    def forget(self, *args, **more):
        start(self, *args, **more)
        self._acted = Forgetful()

    monkeypatch.setattr(Desk, "__init__", forget)
    monkeypatch.setattr(human, "judge", lenient)
    await found_out()


async def test_a_cancel_that_comes_with_the_last_message_of_a_run_is_not_lost(lab, monkeypatch):
    """The engine delivers messages before it says that the case is to be cancelled; the next run would never know."""
    monkeypatch.setattr("workunits.core.course.MESSAGES_PER_RUN", 1)
    late = Bench(lab, People.bench.cases.catalog, queue=f"late-{uuid.uuid4().hex[:8]}")
    started = await late.start(Hall)
    async with Worker(lab.client, task_queue=late.queue, workflows=[Hall]):
        await late.task(started.case, "prepare")
    await late.handle(started.case).signal("act", {"nope": 1})
    await late.handle(started.case).cancel()
    async with Worker(lab.client, task_queue=late.queue, workflows=[Hall]):
        view = await late.closed(started.case)

    assert view.record
    assert (view.close, view.record.ignored_count) == ("cancelled", 1)
