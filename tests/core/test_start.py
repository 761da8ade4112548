"""How a case starts: what its one argument can be, what its record begins with, and that a key has one case."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import WorkflowFailureError

from tests.lab.contracts import Request, Topic
from tests.lab.messages import cause, envelope, raw
from workunits.client import DuplicateCaseError, UnknownCaseError
from workunits.core.errors import BadInput
from workunits.core.lifecycle import Task
from workunits.core.record import MEMO, START_MEMO

GOOD = b'{"request": "r"}'


def bad_starts():
    """Every way to start a case with something else than its input: (id, arguments, what the reason names)."""
    return [
        ("input_1_no_argument", [], "expected one argument, got 0"),
        ("input_2_two_arguments", [{"request": "r"}, 1], "expected one argument, got 2"),
        ("input_2_two_odd_arguments", [raw(b"{nope"), raw(b"x", None)], "expected one argument, got 2"),
        ("input_3_null", [None], "expected the encoding json/plain"),
        ("input_3_null_json", [raw(b"null")], "object"),
        ("input_3_scalar", [7], "object"),
        ("input_3_list", [[]], "object"),
        ("input_4_not_json", [raw(b"{nope")], "not JSON"),
        ("input_4_unknown_encoding", [raw(GOOD, b"binary/xxxxencrypted")], "expected the encoding json/plain"),
        ("input_4_no_encoding", [raw(GOOD, None)], "expected the encoding json/plain"),
        ("input_5_missing", [{}], "request: Field required"),
        ("input_6_unknown", [{"request": "r", "admin": "xxxx"}], "admin: Extra inputs are not permitted"),
        ("input_7_wrong_type", [{"request": "r", "amount": "xxxx"}], "amount: Input should be a valid integer"),
        ("input_7_two_at_once", [{"amount": "xxxx", "on": "xxxx"}], "on: Input should be a valid date"),
        ("input_8_nan", [raw(b'{"request": "r", "amount": NaN}')], "NaN is not JSON"),
        ("input_9_over_64_bits", [raw(b'{"request": "r", "amount": %d}' % 2**64)], "an integer over 64 bits"),
        ("input_10_control", [raw(b'{"request": "xxxx\\u0000"}')], "request: a control character"),
        ("input_11_too_deep", [raw(b"[" * 33 + b"]" * 33)], "deeper than 32 levels"),
        ("input_11_much_too_deep", [raw(b"[" * 50_000 + b"]" * 50_000)], "not JSON"),
        ("input_12_too_large", [{"request": "r", "mood": "x" * 530_000}], "at most 524288 are taken"),
    ]


@pytest.mark.parametrize(("name", "args", "why"), bad_starts(), ids=[name for name, *_ in bad_starts()])
async def test_a_bad_start_closes_as_failed_and_names_the_field(bench, name, args, why):
    """Whatever comes in its place, the case closes at once, says what was expected, and repeats no value."""
    handle = await bench.client.start_workflow("plain", args=args, id=f"plain:{uuid.uuid4()}", task_queue=bench.queue)
    with pytest.raises(WorkflowFailureError) as error:
        await handle.result()
    view = await bench.cases.show(handle.id)
    said = cause(error.value)

    assert (view.close, view.record.reason) == ("failed", "bad_input")
    assert why in view.record.why
    assert "xxxx" not in f"{view.record.why} {said.message} {said.details}"
    assert (said.type, said.message, said.details[0]["close"]) == ("bad_input", view.record.why, "failed")
    assert (await handle.describe()).status.name == "FAILED"
    assert view.record.steps == []


async def test_a_start_from_elsewhere_needs_no_memo_of_ours(bench):
    """Any Temporal client may start a case: its key is the input's own, its clock begins when it started."""
    handle = await bench.client.start_workflow(
        "plain", {"request": "r-1", "amount": 3}, id=f"foreign {uuid.uuid4()}", task_queue=bench.queue
    )
    task = await bench.task(handle.id, "decide")
    view = await bench.cases.show(handle.id)
    await bench.answer(task, {"decision": "grant"})

    assert (view.key, view.record.facts, view.record.accepted_at) == ("r-1", {"amount": 3}, None)
    assert view.started == (await handle.describe()).start_time
    assert (await bench.closed(handle.id)).close == "achieved"


@pytest.mark.parametrize(
    "note",
    [
        {"delay": 1e300},
        {"delay": -5},
        {"delay": float("nan")},
        {"delay": "soon"},
        {"key": "k" * 100_000},
        {"accepted_at": "2026-01-01T00:00:00"},
        "a note",
        raw(b"\xff", b"binary/encrypted"),
    ],
    ids=["endless_delay", "negative_delay", "nan_delay", "text", "long_key", "naive_time", "no_object", "unreadable"],
)
async def test_a_start_note_that_is_not_ours_counts_as_nothing(bench, note):
    """The memo is open to whoever starts a case; what does not fit there neither wedges nor bloats the case."""
    handle = await bench.client.start_workflow(
        "keyless",
        {"subject": "s"},
        id=f"keyless:{uuid.uuid4()}",
        task_queue=bench.queue,
        memo={START_MEMO: note, MEMO: {"record": "nonsense"}},
    )
    task = await bench.task(handle.id, "ask")
    view = await bench.cases.show(handle.id)
    with pytest.raises(DuplicateCaseError):
        await bench.cases.start("keyless", b'{"subject": "s"}', key=handle.id.partition(":")[2])
    await bench.answer(task, {"text": "fine"})

    assert (view.key, view.record.accepted_at) == ("", None)
    assert view.started == (await handle.describe()).start_time
    assert (await bench.closed(handle.id)).close == "achieved"


async def test_a_memo_that_is_not_ours_breaks_no_listing(late):
    """Before a case has published, its memo is its starter's, whatever that holds."""
    for memo in ({MEMO: {"x": 1}}, {MEMO: "x"}, {MEMO: {"record": {}, "tasks": 1}}, {MEMO: raw(b"\xff", b"x")}):
        handle = await late.client.start_workflow(
            "plain", 1, id=f"plain:{uuid.uuid4()}", task_queue=late.queue, memo=memo
        )
        view = await late.cases.show(handle.id)
        await handle.terminate()

        assert (view.state, view.record, view.tasks) == ("running", None, ())


async def test_the_record_begins_with_facts_segment_and_acceptance(bench):
    """What the learning loop groups by is there from the start, and the case's input is not."""
    accepted = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    data = Topic(subject="parking", urgent=True, on=accepted.date(), share=0.5)
    key = f"K.{uuid.uuid4().hex}"
    started = await bench.cases.start("keyless", data.model_dump_json().encode(), key=key, accepted_at=accepted)
    await bench.task(started.case, "ask")
    record = (await bench.cases.show(started.case)).record

    assert started.case == f"keyless:{key}"
    assert (record.key, record.accepted_at, record.segment) == (key, accepted, "about parking")
    assert record.facts == {"subject": "parking", "urgent": True, "on": "2026-03-01", "share": 0.5}


async def test_a_delayed_case_has_its_whole_budget(late):
    """The clock starts when the delay is over, not when Temporal accepted the start."""
    key, hour = uuid.uuid4().hex, timedelta(hours=1)
    started = await late.cases.start("plain", json.dumps({"request": key}).encode(), delay=10 * hour)
    accepted = (await late.handle(started.case).describe()).start_time
    async with late.worker():
        await late.skip(started.case, 10 * hour + timedelta(seconds=1))
        task = await late.task(started.case, "decide")
        at = accepted + 33 * hour
        await late.lab._env.fast_forward(late.handle(started.case), at - await late.clock(started.case))
        await late.answer(task, {"decision": "grant"}, sent_at=at)
        view = await late.closed(started.case)

    assert view.record.started == accepted + 10 * hour
    assert (view.close, view.record.sla) == ("achieved", "met")
    assert view.record.closed == 23 * hour // timedelta(microseconds=1)
    assert view.record.steps[0].ready < 5_000_000


async def test_a_delay_or_a_time_that_makes_no_sense_is_refused(bench):
    """The client says which field, before anything starts."""
    with pytest.raises(BadInput, match="delay"):
        await bench.cases.start("plain", GOOD, delay=timedelta(seconds=-1))
    with pytest.raises(BadInput, match="accepted_at"):
        await bench.cases.start("plain", GOOD, accepted_at=datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point
    with pytest.raises(UnknownCaseError):
        await bench.cases.show("plain:r")


@pytest.mark.parametrize(
    "key",
    ["", " ", "a b", "a/b", "../x", "-a", "a\n", "a\x00", "é", "x" * 121, None],
)
async def test_input_41_a_key_that_is_no_id_is_refused(bench, key):
    """Too long, a slash, a control character, or none: refused with the rule, and nothing starts."""
    with pytest.raises(BadInput, match="key") as error:
        await bench.cases.start("keyless", b'{"subject": "s"}', key=key)

    assert error.value.field == "key"
    assert "xxxx" not in str(error.value)


@pytest.mark.parametrize("own", ["", "a/b", "x" * 121])
async def test_input_41_a_key_in_the_case_is_judged_alike(bench, own):
    """The field that is the key is named; a key beside it cannot stand in for it."""
    for given in (None, "fine"):
        with pytest.raises(BadInput) as error:
            await bench.cases.start("plain", Request(request=own).model_dump_json().encode(), key=given)
        assert error.value.field in ("request", "key")
    longest = "x" * 88 + uuid.uuid4().hex
    assert (await bench.cases.start("plain", json.dumps({"request": longest}).encode())).case == f"plain:{longest}"


async def test_input_47_of_twenty_starts_of_a_key_one_starts_and_the_others_find_it(bench):
    """The same input again finds the case, whatever it is doing; another input is refused and names it."""
    key = uuid.uuid4().hex
    data = json.dumps({"request": key}).encode()
    started = await asyncio.gather(*(bench.cases.start("plain", data) for _ in range(20)))

    assert [case.existing for case in started].count(False) == 1
    assert {(case.case, case.run) for case in started} == {(f"plain:{key}", started[0].run)}
    other = json.dumps({"request": key, "amount": 2}).encode()
    with pytest.raises(DuplicateCaseError, match=f"case plain:{key} exists .*another input") as error:
        await bench.cases.start("plain", other)
    assert error.value.case == f"plain:{key}"
    await bench.answer(await bench.task(f"plain:{key}", "decide"), {"decision": "grant"})
    await bench.closed(f"plain:{key}")
    assert (await bench.cases.start("plain", data)).existing
    with pytest.raises(DuplicateCaseError, match="it is achieved"):
        await bench.cases.start("plain", other)


async def test_a_case_cancelled_before_its_first_task_has_a_record(late):
    """No worker was up: the cancel still closes the case by its own hand."""
    key = uuid.uuid4().hex
    started = await late.cases.start("plain", json.dumps({"request": key}).encode())
    await late.cases.cancel(started.case, actor="ops", reason="entered twice")
    async with late.worker():
        view = await late.closed(started.case)

    assert (view.close, view.record.cancelled_by, view.record.key) == ("cancelled", "ops: entered twice", key)


async def test_an_action_before_the_first_task_is_refused_and_the_case_goes_on(late):
    """Messages are judged before the case's first step: there is no task yet."""
    key = uuid.uuid4().hex
    started = await late.cases.start("plain", json.dumps({"request": key}).encode())
    early = envelope(Task(id=f"{started.case}/decide", step="decide", role="clerk", ready=datetime.now(UTC)))
    await late.handle(started.case).signal("act", early)
    async with late.worker():
        await late.answer(await late.task(started.case, "decide"), {"decision": "grant"})
        view = await late.closed(started.case)

    assert [ignored.code for ignored in view.record.ignored] == ["unknown_task"]
    assert view.close == "achieved"


@pytest.mark.parametrize(
    ("subject", "close", "reason", "why"),
    [
        ("odd", "not_achieved", "odd", "Something about the request is odd."),
        ("error", "failed", "technical_failure", "given_up: the author gives up"),
    ],
)
async def test_what_a_unit_raises_itself_closes_the_case_with_a_record(bench, subject, close, reason, why):
    """Temporal would end the case without one: its record would stay open for ever."""
    started = await bench.cases.start(
        "keyless", Topic(subject=subject).model_dump_json().encode(), key=uuid.uuid4().hex
    )
    view = await bench.closed(started.case)

    assert (view.close, view.record.reason, view.record.why) == (close, reason, why)
    assert view.record.closed is not None
