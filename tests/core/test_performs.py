"""Performers: what they may give and raise, what they are built from, and how the worker watches over them."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import threading
import types
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.testing import ActivityEnvironment

from tests.lab.contracts import Evidence, Facts, Odd, Request, Unreadable
from tests.lab.messages import raw
from tests.lab.units import Plain, Ruled
from tests.patience import PATIENCE
from workunits.core.record import TIMING
from workunits.core.spec import automated
from workunits.performs import Performer, PerformersError, collect, effect_key, match, performs

LOOK = Ruled.LOOK
FINE = Facts(risk="low")


def run(performer, *, environment=None, what=b'{"request": "r"}', **info):
    """One attempt of a step of the case c."""
    environment = environment or ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, workflow_id="ruled:c", activity_id="look-2", **info)
    return environment.run(Performer(LOOK, performer, "here").as_activity(), raw(what))


def gives(said):
    """A performer that gives, or raises, one thing."""

    async def perform(case: Request) -> Any:
        if isinstance(said, Exception):
            raise said
        return said

    return perform


async def test_a_result_travels_with_attempt_and_times_beside_it():
    """The result itself is what the step gives, and nothing more."""
    said = await run(gives(FINE), attempt=2)

    assert isinstance(said, RawValue)
    assert json.loads(said.payload.data) == {"risk": "low", "score": 0.5}
    attempt, retried, waited, worked = json.loads(said.payload.metadata[TIMING])
    assert (attempt, retried, waited) == (2, 0, 0)
    assert 0 <= worked < 5_000_000


async def test_times_are_differences_so_that_no_worker_needs_the_right_time():
    """Of a third attempt: the earlier ones and their pauses, then the wait for this one."""
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    info = {
        "attempt": 3,
        "scheduled_time": begun,
        "current_attempt_scheduled_time": begun + timedelta(seconds=7),
        "started_time": begun + timedelta(seconds=9),
    }
    said = await run(gives(FINE), **info)

    assert json.loads(said.payload.metadata[TIMING])[:3] == [3, 7_000_000, 2_000_000]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (None, "must give Facts, not NoneType"),
        ({"risk": "low"}, "must give Facts, not dict"),
        (Evidence(found="x"), "must give Facts, not Evidence"),
        (Facts.model_construct(risk=7), "risk: Input should be a valid string"),  # type: ignore[arg-type]
        (Facts(risk="low", score=float("nan")), "it holds NaN"),
        (Facts.model_construct(risk="low", score=10**400), "64 bits"),
        (Facts(risk="a\x00"), "risk: a control character"),
        (Facts(risk="\ud800"), "not fit"),
        (Facts(risk="x" * 530_000), "at most 524288"),
    ],
    ids=["none", "dict", "other_model", "misfit", "nan", "huge", "control", "surrogate", "large"],
)
async def test_f18_a_result_that_does_not_fit_fails_the_step_at_once(said, words):
    """Found in the worker, where it fails the step and not the case's workflow task; trying again cannot help."""
    with pytest.raises(ApplicationError, match=words) as error:
        await run(gives(said))

    assert (error.value.type, error.value.non_retryable) == ("bad_result", True)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
async def test_f18_a_number_that_is_none_is_not_taken_for_nothing(number):
    """An optional field would have read it back as empty."""

    class Vague(BaseModel):
        """May not know."""

        shares: dict[str, list[float | None]]

    async def guess(case: Request) -> Vague:
        return Vague(shares={"all": [None, number]})

    step = automated("guess", Request, Vague)
    with pytest.raises(ApplicationError, match="it holds NaN or an infinity"):
        await ActivityEnvironment().run(Performer(step, guess, "here").as_activity(), raw(b'{"request": "r"}'))


async def test_a_declared_exception_is_business_and_brings_its_evidence():
    """The platform neither retries it nor counts it as a failure."""
    with pytest.raises(ApplicationError) as error:
        await run(gives(Odd("an odd one", evidence=Evidence(found="two heads"))), attempt=2)
    said = error.value

    assert (said.type, said.message, said.non_retryable) == ("odd", "an odd one", True)
    assert said.category is ApplicationErrorCategory.BENIGN
    assert said.details[0]["business"] is True
    assert json.loads(said.details[0]["evidence"]) == {"found": "two heads"}
    assert said.details[0]["timing"][0] == 2


@pytest.mark.parametrize(
    ("step", "raised", "code"),
    [
        (Plain.LOOK, Unreadable(), "undeclared_exception"),
        (LOOK, Odd(evidence=Evidence(found="x" * 66_000)), "too_large"),
        (LOOK, Odd(evidence=Evidence(found="語" * 22_000)), "too_large"),
    ],
    ids=["undeclared", "large_evidence", "wide_evidence"],
)
async def test_an_exception_that_no_rule_could_route_is_a_technical_failure(step, raised, code):
    """Not declared, or with more evidence than travels: the author has to know, so it is not passed over."""
    with pytest.raises(ApplicationError) as error:
        await ActivityEnvironment().run(Performer(step, gives(raised), "here").as_activity(), raw(b'{"request": "r"}'))
    said = error.value

    assert (said.type, said.non_retryable, said.details[0]["business"]) == (code, True, False)
    assert len(said.message) < 300


@pytest.mark.parametrize(
    ("raised", "code", "final", "pause"),
    [
        (ConnectionError("x" * 5000), "ConnectionError", False, None),
        (ApplicationError("no", type="not_found", non_retryable=True), "not_found", True, None),
        (
            ApplicationError("wait", next_retry_delay=timedelta(minutes=3)),
            "ApplicationError",
            False,
            timedelta(minutes=3),
        ),
    ],
)
async def test_whatever_else_it_raises_is_technical_and_tried_again_as_it_says(raised, code, final, pause):
    """Its own type, whether another attempt can help, and when; a long text is cut."""
    with pytest.raises(ApplicationError) as error:
        await run(gives(raised))
    said = error.value

    assert (said.type, said.non_retryable, said.next_retry_delay) == (code, final, pause)
    assert len(said.message) <= 1000


async def test_an_input_that_is_not_the_steps_is_a_technical_failure():
    """A worker of an older version meets a case of a newer one: another attempt may find the right worker."""
    with pytest.raises(ApplicationError) as error:
        await run(gives(FINE), what=b'{"request": 7}')
    assert (error.value.type, error.value.non_retryable) == ("ValidationError", False)


async def test_a_blocking_function_runs_in_a_thread_and_others_go_on():
    """Twenty of them wait for each other, which on the loop or in turn they never could."""
    together = threading.Barrier(20, timeout=20)

    def block(case: Request) -> Facts:
        together.wait()
        assert threading.current_thread() is not threading.main_thread()
        return Facts(risk=effect_key())

    said = await asyncio.gather(*(run(block) for _ in range(20)))

    assert {json.loads(each.payload.data)["risk"] for each in said} == {"ruled:c/look-2"}


async def test_the_effect_key_is_the_same_over_all_attempts():
    """Case and step, and not the attempt: an effect under it happens once."""
    keys = set()

    async def perform(case: Request) -> Facts:
        keys.add(effect_key())
        return FINE

    for attempt in (1, 2, 3):
        await run(perform, attempt=attempt)
    assert keys == {"ruled:c/look-2"}


@pytest.mark.parametrize("blocking", [False, True])
async def test_a_long_step_is_heard_from_and_can_be_cancelled(blocking):
    """The server learns of a killed worker by its silence; a cancel does not wait for a performer that blocks."""
    environment, heard, let_go = ActivityEnvironment(), asyncio.Event(), threading.Event()
    beats: list[object] = []

    def on_heartbeat(*details: object) -> None:
        beats.append(details)
        heard.set()

    environment.on_heartbeat = on_heartbeat

    async def endless(case: Request) -> Facts:
        await asyncio.Event().wait()
        return FINE

    def endless_in_a_thread(case: Request) -> Facts:
        let_go.wait(20)
        return FINE

    performer = endless_in_a_thread if blocking else endless
    step = asyncio.create_task(run(performer, environment=environment, heartbeat_timeout=timedelta(milliseconds=60)))
    try:
        async with asyncio.timeout(PATIENCE):
            while len(beats) < 3:
                heard.clear()
                await heard.wait()
            environment.cancel()
            with pytest.raises(asyncio.CancelledError):
                await step
    finally:
        let_go.set()


async def test_a_short_step_sends_no_heartbeat():
    """It is over before anybody could miss it."""
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *_: pytest.fail("a heartbeat")
    await run(gives(FINE), environment=environment, heartbeat_timeout=None)


# -- collecting and matching


def module(name, **members):
    """A module of performers."""
    made = types.ModuleType(name)
    for key, member in members.items():
        member.__module__ = name
        setattr(made, key, member)
    return made


class Store:
    """A resource that performers ask for by type."""

    def __init__(self, risk: str) -> None:
        self.risk = risk


class Kept:
    """A class of performers that asks for something."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @performs(Ruled.LOOK)
    async def look(self, case: Request) -> Facts:
        """Say what the store has."""
        return Facts(risk=self._store.risk)

    @performs(Ruled.ADVISE)
    def advise(self, case: Request) -> Facts:
        """Say it from a thread."""
        return Facts(risk=self._store.risk)


@performs(Ruled.LOOK)
async def look(case: Request) -> Facts:
    """Look."""
    return FINE


async def test_a_class_is_built_once_from_what_the_worker_has():
    """All its performers share the object."""
    found = collect([module("acme", Kept=Kept)], {Store: Store("kept")})

    assert [performer.where for performer in found] == ["acme.Kept.look", "acme.Kept.advise"]
    assert len({id(getattr(performer.fn, "__self__", None)) for performer in found}) == 1
    said = await run(found[0].fn)
    assert json.loads(said.payload.data)["risk"] == "kept"


def test_a_class_that_asks_for_what_is_not_there_is_named_with_what_there_is():
    """Said when the worker starts, not when a case needs it."""
    with pytest.raises(PerformersError, match=r"acme\.Kept asks for store: .*Store.*; the worker has Evidence, int"):
        collect([module("acme", Kept=Kept)], {int: 1, Evidence: Evidence(found="x")})


def test_a_parameter_whose_type_cannot_be_read_is_named():
    """A type imported for the checker alone does not exist when the worker starts."""

    class Unread:
        def __init__(self, store: Nowhere) -> None:  # type: ignore[name-defined]  # noqa: F821 - that is the point
            self._store = store

        @performs(Ruled.LOOK)
        async def look(self, case: Request) -> Facts:
            return FINE

    with pytest.raises(PerformersError, match=r"acme\.Unread .*'Nowhere'"):
        collect([module("acme", Unread=Unread)], {Store: Store("kept")})


def test_a_class_whose_constructor_fails_is_named():
    """The worker says which, and not that something unexpected has happened."""

    class Broken:
        def __init__(self) -> None:
            raise KeyError("HOME_OF_RATES")

        @performs(Ruled.LOOK)
        async def look(self, case: Request) -> Facts:
            return FINE

    with pytest.raises(PerformersError, match=r"acme\.Broken cannot be made: KeyError: 'HOME_OF_RATES'; mend its cons"):
        collect([module("acme", Broken=Broken)], {})


def test_what_a_module_only_imports_is_not_its_own():
    """Else two modules that share a function would give its step two performers."""
    other = types.ModuleType("elsewhere")
    other.look, other.Kept, other.number = look, Kept, 7  # type: ignore[attr-defined]
    here = module("here", look=performs(Ruled.LOOK)(lambda case: FINE))

    assert collect([other], {}) == []
    assert [performer.where for performer in collect([other, here], {})] == ["here.look"]


def test_input_33_every_step_without_a_performer_or_with_two_is_named_at_once():
    """The worker refuses to start, and one reading is enough to mend it; people's steps need none."""
    first, second = (Performer(Ruled.LOOK, look, where) for where in ("acme.look", "acme.look_again"))
    with pytest.raises(PerformersError) as error:
        match(Ruled.steps, [first, second])

    assert str(error.value).splitlines() == [
        "Steps and performers do not match:",
        "  - ruled.look has 2 performers: acme.look, acme.look_again; keep one",
        "  - ruled.advise (ai) has no performer: write @performs on a function for it",
    ]
    assert match([Ruled.LOOK, Ruled.MEND], [first]) == [first]
