"""Random people act on real cases, several at once; after every step the engine is where a small model says."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Coroutine
from typing import Any, ClassVar, TypeVar

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from temporalio.worker import Worker

from tests.conftest import Bench
from tests.lab.people import Hall
from tests.lab.task_play import Dice, Mismatch, Play
from tests.lab.task_table import Deed
from tests.patience import PATIENCE
from workunits.core import effects, human, lifecycle
from workunits.core.human import Desk
from workunits.registry import Catalog, Package
from workunits.testing import Lab

T = TypeVar("T")
IMPATIENCE = 3.0
"""Where a bug is planted, what is waited for does not come."""
MESSAGES_PER_RUN = 7
THROWN = st.binary(min_size=64, max_size=64)
BY_SIGNAL = (False, False, True)


class Noticed(BaseException):
    """A planted bug is found; no Exception, so that Hypothesis ends at once."""


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
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE)

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
        others = (play.sensible(dice, first.key), play.tempting(dice), play.anything(dice), first)
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
    await asyncio.to_thread(drive, examples=8, steps=30)


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


async def test_a_planted_bug_is_caught_what_was_delegated_is_passed_on(monkeypatch, planted):
    """Whoever has it for another lets go of it, and nobody signs it off."""
    monkeypatch.setattr(human, "judge_passing_on", lambda *_, **__: None)
    monkeypatch.setattr(Play, "favourite", "delegate")
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
