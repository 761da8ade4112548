"""The codec: what it seals, what it opens, and what becomes of what it cannot open."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_asyncio
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import PollActivityTaskQueueRequest, RespondActivityTaskCompletedRequest
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.common import RawValue
from temporalio.converter import ActivitySerializationContext, WorkflowSerializationContext
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from tests.conftest import ALL, PACKAGE, Bench
from tests.lab import performers, trouble_performers
from tests.lab.units import Inline, Plain, Ruled, Sequence
from workers.opened import payloads_in
from workers.wedged import why_it_fails
from workunits.codec import (
    KEY,
    MARK,
    OVERHEAD,
    UNREADABLE,
    Key,
    KeyRing,
    KeyRingError,
    SealingCodec,
    UnboundError,
    ring_of,
)
from workunits.core.human import MESSAGE
from workunits.core.record import TIMING
from workunits.core.sealed import SEALED
from workunits.core.unit import WorkUnit
from workunits.performs import collect, match
from workunits.plugin import work_units
from workunits.registry import Catalog
from workunits.testing import Lab

HERE = WorkflowSerializationContext("default", "refund:1")
PAYLOAD = Payload(metadata={"encoding": b"json/plain", TIMING: b"[1,0,2,3]"}, data=b'{"name": "Ada"}')
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def key(name: str, since: datetime = LONG_AGO) -> Key:
    """A key whose secret follows from its name."""
    return Key(name, since, name.encode().ljust(32, b"."))


RING = KeyRing([key("old"), key("new", LONG_AGO + timedelta(days=30))])
OLD_RING = KeyRing([key("old")])


def codec(ring: KeyRing = RING, context: Any = HERE) -> SealingCodec:
    """The codec of a case."""
    return SealingCodec(ring).with_context(context)


def test_everything_about_a_payload_survives() -> None:
    """A payload comes back as it was, with the metadata in which a result carries its times."""
    assert codec().open(codec().seal(PAYLOAD)) == PAYLOAD


def test_what_is_sealed_says_nothing() -> None:
    """In clear are only the scheme, the key's id and the mark of the case; nothing is much longer than it was."""
    sealed = codec().seal(PAYLOAD)

    assert set(sealed.metadata) == {"encoding", KEY, MARK}
    assert (sealed.metadata["encoding"], sealed.metadata[KEY]) == (SEALED, b"new")
    assert b"Ada" not in sealed.SerializeToString()
    assert b"refund" not in sealed.SerializeToString()
    assert sealed.ByteSize() < PAYLOAD.ByteSize() + OVERHEAD
    assert codec().seal(PAYLOAD) != sealed


def test_a_step_and_its_case_share_their_payloads() -> None:
    """What a case gives to an activity, the activity opens: both are bound to the workflow's id."""
    step = ActivitySerializationContext("default", "look", "a", "q", "refund:1", "refund", is_local=False)

    assert codec(context=step).open(codec().seal(PAYLOAD)) == PAYLOAD


def changed() -> Iterator[Any]:
    """What may come instead of a payload of this case, each with what is handed on for it."""
    sealed = codec().seal(PAYLOAD)

    def with_metadata(**more: bytes) -> Payload:
        return Payload(metadata={**sealed.metadata, **more}, data=sealed.data)

    elsewhere = codec(context=WorkflowSerializationContext("default", "refund:2")).seal(PAYLOAD)
    other_mark = Payload(metadata={**elsewhere.metadata, MARK: sealed.metadata[MARK]}, data=elsewhere.data)
    yield pytest.param(elsewhere, UNREADABLE, id="of another case")
    yield pytest.param(other_mark, UNREADABLE, id="of another case, with this one's mark")
    foreign = codec(context=WorkflowSerializationContext("other", "refund:1")).seal(PAYLOAD)
    yield pytest.param(foreign, UNREADABLE, id="of another namespace")
    yield pytest.param(with_metadata(key=b"old"), UNREADABLE, id="another key's name")
    yield pytest.param(with_metadata(key=b"\xff\xfe"), SEALED, id="a key's name that is no text")
    yield pytest.param(with_metadata(key=b"lost"), SEALED, id="a key that is not here")
    forged = Payload(metadata={"encoding": SEALED, KEY: b"lost", TIMING: b"[1,0,0,0]"}, data=b'{"risk": "none"}')
    yield pytest.param(forged, SEALED, id="plain JSON under a lost key's name")
    flipped = bytes([sealed.data[0], sealed.data[1], *sealed.data[2:-1], sealed.data[-1] ^ 1])
    yield pytest.param(Payload(metadata=sealed.metadata, data=flipped), UNREADABLE, id="one bit changed")
    for length in (0, 5, 12, 27):
        cut = Payload(metadata=sealed.metadata, data=sealed.data[:length])
        yield pytest.param(cut, UNREADABLE, id=f"cut to {length} bytes")
    yield pytest.param(Payload(metadata={"encoding": SEALED}), SEALED, id="nothing but the encoding")
    yield pytest.param(PAYLOAD, UNREADABLE, id="in clear")
    yield pytest.param(Payload(), UNREADABLE, id="empty")
    yield pytest.param(Payload(metadata={"encoding": b"binary/encrypted"}, data=b"x"), UNREADABLE, id="another codec's")


@pytest.mark.parametrize(("given", "becomes"), list(changed()))
async def test_opening_is_total(given: Payload, becomes: bytes) -> None:
    """Whatever comes is opened or becomes an empty payload that no reader takes; nothing is raised."""
    [opened] = await codec().decode([given])

    assert (opened.metadata["encoding"], opened.data) == (becomes, b"")
    assert TIMING not in opened.metadata


def test_plain_payloads_are_read_only_when_asked_for() -> None:
    """On the way to the codec, a ring may read what nobody sealed; nobody can pretend to be the codec."""
    lenient = codec(KeyRing([key("old")], read_plaintext=True))

    assert lenient.open(PAYLOAD) == PAYLOAD
    assert lenient.open(Payload(metadata={"encoding": UNREADABLE}, data=b"{}")).data == b""
    assert lenient.open(codec(OLD_RING).seal(PAYLOAD)) == PAYLOAD


def test_keys_overlap() -> None:
    """Each key opens at any time; the newest that is in effect seals, and one that is yet to come does not."""
    soon = KeyRing([*RING.keys, key("soon", datetime.now(UTC) + timedelta(hours=1))])

    assert codec(soon).seal(PAYLOAD).metadata[KEY] == b"new"
    assert codec(soon).open(codec(OLD_RING).seal(PAYLOAD)) == PAYLOAD
    assert codec(soon).open(codec(KeyRing([key("soon")])).seal(PAYLOAD)) == PAYLOAD


def test_what_belongs_to_no_case_is_not_sealed() -> None:
    """A payload without a case is refused by its sender, not written where any case could take it."""
    with pytest.raises(UnboundError, match="with_context"):
        SealingCodec(RING).seal(PAYLOAD)
    assert SealingCodec(RING).open(codec().seal(PAYLOAD)).metadata["encoding"] == UNREADABLE


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ([], "no key is in effect yet"),
        ([key("soon", datetime.now(UTC) + timedelta(hours=1))], "no key is in effect yet"),
        ([key("a"), key("b"), key("a", LONG_AGO + timedelta(1))], "the key id a is there twice"),
        ([Key("short", LONG_AGO, b"too short")], "the key short has 9 bytes instead of 32"),
    ],
)
def test_a_ring_says_what_is_wrong_with_it(keys: list[Key], why: str) -> None:
    """A bad ring is refused in words that name the key and never show it."""
    with pytest.raises(KeyRingError, match=why) as caught:
        KeyRing(keys)

    assert "too short" not in str(caught.value)
    assert "secret" not in repr(keys)


# -- with a real engine


async def sealed_client(lab: Lab, ring: KeyRing | None) -> Client:
    """Another client of the lab's server."""
    plugin = work_units("tests.lab.contracts", keys=ring)
    return await Client.connect(lab.client.service_client.config.target_host, plugins=[plugin])


async def bench_with(lab: Lab, ring: KeyRing | None, queue: str) -> Bench:
    """The way to cases on a queue, for those who have a ring."""
    there = SimpleNamespace(client=await sealed_client(lab, ring), _env=lab._env)
    return Bench(cast("Lab", there), Catalog([PACKAGE]), queue=queue)


def worker(bench: Bench, *, cases: bool = True, steps: bool = True) -> Worker:
    """A worker that keeps no case in memory, so that every activation replays what is sealed."""
    machine = [step for unit in ALL for step in unit.steps]
    activities = [
        performer.as_activity() for performer in match(machine, collect([performers, trouble_performers], {}))
    ]
    return Worker(
        bench.client,
        task_queue=bench.queue,
        workflows=list(ALL) if cases else [],
        activities=activities if steps else [],
        max_cached_workflows=0 if cases else 1,
    )


@pytest.fixture
def queue() -> str:
    """A queue of its own."""
    return f"sealed-{uuid.uuid4().hex[:8]}"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sealed(lab: Lab) -> AsyncIterator[Bench]:
    """A worker with the codec, and the way to its cases."""
    bench = await bench_with(lab, RING, f"sealed-{uuid.uuid4().hex[:8]}")
    async with worker(bench):
        yield bench


async def history(bench: Bench, case: str) -> list[Any]:
    """The events of a case, as the engine keeps them."""
    return [event async for event in bench.handle(case).fetch_history_events()]


async def in_clear(bench: Bench, case: str) -> list[Payload]:
    """The payloads of a history, and of what a listing shows, that nobody sealed."""
    description = await bench.handle(case).describe()
    messages = [*await history(bench, case), description.raw_info.memo]
    # Temporal's core writes its part of a marker itself: the name and number of an inline step, a patch's name.
    of_a_marker = (b"activity_id", b'"deprecated"')
    return [
        payload
        for message in messages
        for payload in payloads_in(message)
        if payload.metadata["encoding"] != SEALED and not any(part in payload.data for part in of_a_marker)
    ]


async def test_a_case_leaves_nothing_in_clear_and_keeps_its_times(sealed: Bench) -> None:
    """A sealed case goes as any other, each payload of its history is sealed, and its steps have their times."""
    case = (await sealed.start(Plain)).case
    await sealed.answer(await sealed.task(case, "decide"), {"decision": "grant"})
    view = await sealed.closed(case)

    assert view.close == "achieved"
    assert view.record is not None
    look = view.record.steps[0]
    assert (look.end, look.attempts, len(look.work)) == ("done", 1, 1)
    assert await in_clear(sealed, case) == []
    assert (await sealed.handle(case).result())["result"]["granted"] is True


@pytest.mark.parametrize("mood", ["odd", "unreadable", "look broken"])
async def test_exceptions_are_routed_by_what_is_sealed(sealed: Bench, mood: str) -> None:
    """Evidence, error texts and routes are as without the codec; the errors' words are not in the history."""
    case = (await sealed.start(Ruled, mood)).case
    if mood == "odd":
        task = await sealed.task(case, "look_by_hand")
        asked = await sealed.cases.question(task.id)
        assert asked["evidence"] == {"found": "a second head"}
        await sealed.answer(task, {"risk": "seen"})
        assert (await sealed.closed(case)).close == "achieved"
    elif mood == "unreadable":
        await sealed.task(case, "mend")
        await sealed.cases.cancel(case, actor="ann", reason="enough")
        assert (await sealed.closed(case)).close == "cancelled"
    else:
        assert (await sealed.closed(case)).close == "failed"
    kept = b"".join(event.SerializeToString() for event in await history(sealed, case))
    assert await in_clear(sealed, case) == []
    assert b"Encoded failure" in kept
    for words in (b"second head", b"an odd request", b"cannot be read", b"network is down", b"performers.py"):
        assert words not in kept


async def test_inline_steps_are_sealed(sealed: Bench) -> None:
    """An inline step's result is sealed in its marker, with its times."""
    case = (await sealed.start(Inline)).case
    await sealed.answer(await sealed.task(case, "decide"), {"decision": "grant"})
    view = await sealed.closed(case)

    assert view.record is not None
    assert view.record.steps[0].work
    assert await in_clear(sealed, case) == []


async def test_a_sealed_case_goes_on_as_a_new_run(sealed: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """State and memo travel through continue-as-new, sealed."""
    monkeypatch.setattr("workunits.core.course.MESSAGES_PER_RUN", 2)
    case = (await sealed.start(Sequence)).case
    task = await sealed.task(case, "first")
    for action in ("claim", "release", "claim", "release"):
        await sealed.cases.act(task.id, action, actor="ann", roles=[task.role])
    await sealed.until(case, lambda view: view.record and view.record.runs > 1)  # a quick case might close before it
    await sealed.answer(await sealed.task(case, "first"), {"decision": "grant"})
    await sealed.answer(await sealed.task(case, "last"), {"decision": "grant"})
    view = await sealed.closed(case)

    assert view.record is not None
    assert (view.close, view.record.runs > 1) == ("achieved", True)
    assert await in_clear(sealed, case) == []


def envelope(task: Any, **more: Any) -> dict[str, Any]:
    """An action, as a client sends it."""
    return {
        "action": "complete",
        "action_id": uuid.uuid4().hex,
        "task_id": task.id,
        "revision": task.revision,
        "actor": "mallory",
        "roles": [task.role],
        "sent_at": datetime.now(UTC).isoformat(),
        "body": {"decision": "grant"},
    } | more


def raw(value: Any, ring: KeyRing | None, case: str) -> RawValue:
    """A value as an outsider sends it: in clear, or sealed for a case."""
    payload = Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(value).encode())
    return RawValue(codec(ring, WorkflowSerializationContext("default", case)).seal(payload) if ring else payload)


@pytest.mark.parametrize("how", ["of another case", "in clear", "under a key that is not here"])
async def test_a_message_that_is_not_sealed_for_the_case_is_refused(lab: Lab, sealed: Bench, how: str) -> None:
    """Case B does not take what is sealed for case A: an update is refused, a signal ignored with the reason."""
    case = (await sealed.start(Plain)).case
    task = await sealed.task(case, "decide")
    foreign = KeyRing([key("foreign")])
    sent = {
        "of another case": raw(envelope(task), RING, "plain:another"),
        "in clear": raw(envelope(task), None, case),
        "under a key that is not here": raw(envelope(task), foreign, case),
    }[how]
    outsider = lab.client.get_workflow_handle(case)
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await outsider.execute_update(MESSAGE, sent)
    assert isinstance(caught.value.cause, ApplicationError)
    assert caught.value.cause.type == "bad_body"
    await outsider.signal(MESSAGE, sent)
    # The engine takes them in this order, so by then the signal has been judged.
    await sealed.answer(task, {"decision": "grant"}, by="ann")
    view = await sealed.closed(case)

    assert view.record is not None
    assert (view.close, view.record.decided_by) == ("achieved", ["ann"])
    assert [ignored.code for ignored in view.record.ignored] == ["bad_body"]


async def test_the_same_message_is_taken_when_it_is_sealed_for_the_case(lab: Lab, sealed: Bench) -> None:
    """What the refusals above differ from: an outsider with the key, who seals for the right case, is heard."""
    case = (await sealed.start(Plain)).case
    task = await sealed.task(case, "decide")
    await lab.client.get_workflow_handle(case).signal(MESSAGE, raw(envelope(task), RING, case))

    assert (await sealed.closed(case)).close == "achieved"


@pytest.mark.parametrize("how", ["of another case", "in clear"])
async def test_a_start_that_is_not_sealed_for_the_case_is_bad_input(lab: Lab, sealed: Bench, how: str) -> None:
    """A start argument that was copied, or that nobody sealed, closes the case as bad input."""
    case, request = f"plain:{uuid.uuid4().hex[:8]}", {"request": "r"}
    given = raw(request, RING, "plain:another") if how == "of another case" else raw(request, None, case)
    await lab.client.start_workflow("plain", given, id=case, task_queue=sealed.queue)
    view = await sealed.closed(case)

    assert view.record is not None
    assert (view.close, view.record.reason) == ("failed", "bad_input")


async def test_a_result_that_nobody_sealed_fails_its_step(lab: Lab, queue: str) -> None:
    """Whoever answers for a performer without the key has failed: his result is not taken, whatever times it claims."""
    bench = await bench_with(lab, RING, queue)
    async with worker(bench, steps=False):
        case = (await bench.start(Plain)).case
        polled = await lab.client.workflow_service.poll_activity_task_queue(
            PollActivityTaskQueueRequest(namespace="default", task_queue=TaskQueue(name=queue), identity="mallory")
        )
        forged = Payload(metadata={"encoding": b"json/plain", TIMING: b"[1,0,0,0]"}, data=b'{"risk": "none"}')
        answer = RespondActivityTaskCompletedRequest(namespace="default", task_token=polled.task_token)
        answer.result.payloads.append(forged)
        await lab.client.workflow_service.respond_activity_task_completed(answer)
        view = await bench.closed(case)

    assert view.record is not None
    assert (view.close, view.record.steps[0].code) == ("failed", "bad_result")


async def start_impatient(bench: Bench, unit: type[WorkUnit], mood: str = "") -> str:
    """Start a case whose workflow task is tried again soon after it failed: the server's own patience is 10 s.

    Not at once: a task that takes longer than that on a busy machine would time out instead of failing.
    """
    request, soon = uuid.uuid4().hex[:12], timedelta(seconds=5)
    case, given = f"{unit.unit_name}:{request}", {"request": request, "mood": mood}
    await bench.client.start_workflow(unit.unit_name, given, id=case, task_queue=bench.queue, task_timeout=soon)
    return case


async def until_stuck(bench: Bench, case: str) -> None:
    """Wait until a workflow task of a case has failed."""
    handle = bench.handle(case)
    async for event in handle.fetch_history_events(wait_new_event=True):
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
            return


@pytest.mark.parametrize("ring", [None, OLD_RING], ids=["codec off", "key not in the ring"])
async def test_a_case_waits_for_its_key(lab: Lab, queue: str, ring: KeyRing | None) -> None:
    """A worker that cannot open a case's input closes nothing, and says why; the case goes on once one has the key."""
    bench = await bench_with(lab, RING, queue)
    case = await start_impatient(bench, Plain)
    async with worker(await bench_with(lab, ring, queue)):
        await until_stuck(bench, case)
    assert "a key that this process does not have" in await why_it_fails(bench.client, case)
    async with worker(bench):
        await bench.answer(await bench.task(case, "decide"), {"decision": "grant"})

        assert (await bench.closed(case)).close == "achieved"


@pytest.mark.parametrize("mood", ["", "odd"], ids=["a result", "an exception"])
async def test_a_result_waits_for_its_key(lab: Lab, queue: str, mood: str) -> None:
    """A step's result that the cases' worker cannot open yet is no failure of the step."""
    old, new = await bench_with(lab, OLD_RING, queue), await bench_with(lab, RING, queue)
    async with worker(new, cases=False):
        case = await start_impatient(old, Sequence, mood)
        async with worker(old, steps=False):
            task = await old.task(case, "first")
            await old.answer(task, {"decision": "grant"})
            await until_stuck(old, case)
        async with worker(new, steps=False):
            step = "look_by_hand" if mood else "last"
            await new.task(case, step)


async def test_the_client_tells_its_keys(lab: Lab) -> None:
    """A program that reads past the SDK finds the ring on its client, and none where the codec is off."""
    assert ring_of(await sealed_client(lab, RING)) is RING
    assert ring_of(lab.client) is None


async def test_a_summary_with_the_longest_key_is_taken(sealed: Bench) -> None:
    """The engine limits a case's summary to 400 bytes, and a sealed one with the longest key fits."""
    request = uuid.uuid4().hex.ljust(120, "x")
    case = (await sealed.cases.start("plain", json.dumps({"request": request}).encode())).case

    assert case == f"plain:{request}"
