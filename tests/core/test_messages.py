"""What a message to a case can be, by the numbers of the table of bad inputs."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.common import RawValue

from tests.lab.messages import cause, envelope, raw
from tests.lab.units import Inline, Pair, Plain
from workunits.core.errors import BadInput, Refused
from workunits.core.record import MEMO


def bad_messages(task):
    """Every way to send something that is no valid action: (id, name, arguments, code)."""

    def whole(text: str) -> list[RawValue]:
        return [raw(json.dumps(envelope(task)).replace('"decision": "grant"', text).encode())]

    deep = '"x": ' + "[" * 40 + "]" * 40
    return [
        ("input_1_no_argument", "act", [], "bad_body"),
        ("input_2_two_arguments", "act", [envelope(task), 1], "bad_body"),
        ("input_3_null", "act", [raw(b"", b"binary/null")], "bad_body"),
        ("input_3_null_json", "act", [raw(b"null")], "invalid_field"),
        ("input_3_scalar", "act", [raw(b"7")], "invalid_field"),
        ("input_3_list", "act", [raw(b"[]")], "invalid_field"),
        ("input_4_not_json", "act", [raw(b"{nope")], "bad_body"),
        ("input_4_empty", "act", [raw(b"")], "bad_body"),
        ("input_4_not_utf8", "act", [raw(b'{"action":"\xff"}')], "bad_body"),
        ("input_4_byte_order_mark", "act", [raw(b"\xef\xbb\xbf{}")], "bad_body"),
        ("input_4_no_encoding", "act", [raw(b"x", None)], "bad_body"),
        ("input_4_encrypted", "act", [raw(b"x", b"binary/encrypted")], "bad_body"),
        ("input_4_duplicate_key", "act", whole('"decision": "grant", "decision": "refuse"'), "bad_body"),
        ("input_5_missing", "act", [raw(b"{}")], "invalid_field"),
        ("input_5_missing_in_the_answer", "act", [envelope(task, body={})], "invalid_field"),
        ("input_6_unknown", "act", [envelope(task, admin=True)], "invalid_field"),
        ("input_6_unknown_in_the_answer", "act", whole('"decision": "grant", "admin": true'), "invalid_field"),
        ("input_7_wrong_type", "act", [envelope(task, revision="1")], "invalid_field"),
        ("input_7_naive_time", "act", [envelope(task, sent_at="2026-01-01T00:00:00")], "invalid_field"),
        ("input_8_nan", "act", whole('"decision": NaN'), "bad_body"),
        ("input_8_infinity", "act", whole('"decision": -Infinity'), "bad_body"),
        ("input_8_1e400", "act", whole('"decision": 1e400'), "invalid_field"),
        ("input_9_over_64_bits", "act", whole('"decision": 9223372036854775808'), "invalid_field"),
        ("input_9_5000_digits", "act", whole('"decision": ' + "9" * 5000), "invalid_field"),
        ("input_10_lone_surrogate", "act", whole('"decision": "\\ud800"'), "invalid_field"),
        ("input_10_nul", "act", whole('"decision": "a\\u0000"'), "invalid_field"),
        ("input_10_control", "act", whole('"decision": "\\u001b"'), "invalid_field"),
        ("input_11_deep", "act", whole(deep), "bad_body"),
        ("input_11_very_deep", "act", [raw(b"[" * 20_000 + b"]" * 20_000)], "bad_body"),
        ("input_12_over_64_kb", "act", whole('"reason": "' + "x" * 66_000 + '"'), "too_large"),
        ("input_14_unknown_task", "act", [envelope(task, task_id="plain:none/decide")], "unknown_task"),
        ("input_15_unknown_action", "act", [envelope(task, action="approve")], "unknown_action"),
        ("input_15_unknown_message", "complete", [envelope(task)], "unknown_message"),
        ("input_16_task_without_its_case", "act", [envelope(task, task_id="decide")], "unknown_task"),
        ("input_17_stale_revision", "act", [envelope(task, revision=9)], "stale_revision"),
        ("input_18_not_candidate", "act", [envelope(task, roles=["guest"])], "not_candidate"),
        ("input_25_decision_not_in_the_list", "act", [envelope(task, body={"decision": "maybe"})], "invalid_field"),
        ("input_26_reason_missing", "act", [envelope(task, body={"decision": "refuse"})], "invalid_field"),
        ("body_where_none_belongs", "act", [envelope(task, action="claim")], "invalid_field"),
    ]


async def _length(handle) -> int:
    return len([event async for event in handle.fetch_history_events()])


async def test_every_bad_update_is_refused_with_a_code_and_costs_no_history(bench):
    """Refused means: a code, a sentence without the value, no event, and a case that goes on."""
    started = await bench.start(Plain)
    task = await bench.task(started.case, "decide")
    handle = bench.handle(started.case)
    before = await _length(handle)
    for name, message, args, code in bad_messages(task):
        with pytest.raises(WorkflowUpdateFailedError) as error:
            await handle.execute_update(message, args=args, id=uuid.uuid4().hex)
        said = cause(error.value)

        assert code == said.type, (name, said)
        assert "xxxx" not in said.message, name
    assert before == await _length(handle)
    await bench.answer(task, {"decision": "grant"})
    assert (await bench.closed(started.case)).close == "achieved"


async def test_every_bad_signal_is_noted_and_ignored(bench):
    """The same messages by Signal: each one a note with its reason, nothing wedged, and the case goes on."""
    started = await bench.start(Plain)
    task = await bench.task(started.case, "decide")
    handle = bench.handle(started.case)
    bad = bad_messages(task)
    for _, message, args, _ in bad:
        await handle.signal(message, args=args)
    await handle.signal("act", envelope(task))
    view = await bench.closed(started.case)

    assert view.close == "achieved"
    assert [code for *_, code in bad] == [ignored.code for ignored in view.record.ignored]
    assert len(bad) == view.record.ignored_count


async def test_what_became_of_a_bad_signal_is_seen_at_once(bench):
    """Its sender has no answer: whoever looks at the open case reads why nothing came of it."""
    started = await bench.start(Plain)
    task = await bench.task(started.case, "decide")
    await bench.handle(started.case).signal("act", envelope(task, action="approve"))
    ignored = await bench.until(started.case, lambda view: view.record.ignored or None)
    await bench.answer(task, {"decision": "grant"})
    view = await bench.closed(started.case)

    assert [one.code for one in ignored] == ["unknown_action"]
    assert view.record.ignored == ignored


async def test_input_13_a_body_of_10_mb_is_refused_before_it_travels(bench):
    """A validator would be too late: over 2 MB the update itself wedges the case."""
    started = await bench.start(Plain)
    task = await bench.task(started.case, "decide")
    with pytest.raises(BadInput, match="at most 65536") as error:
        await bench.answer(task, {"decision": "refuse", "reason": "x" * 10_000_000})

    assert error.value.code == "too_large"
    await bench.answer(task, {"decision": "grant"})


async def test_input_16_a_task_of_another_case_is_unknown(bench):
    """An action finds its task only in the case that it was sent to."""
    first, second = [await bench.start(Plain) for _ in range(2)]
    other = await bench.task(second.case, "decide")
    await bench.task(first.case, "decide")
    with pytest.raises(WorkflowUpdateFailedError) as error:
        await bench.handle(first.case).execute_update("act", envelope(other))

    assert cause(error.value).type == "unknown_task"


async def test_input_20_not_the_owner(bench):
    """Whoever comes second learns who has claimed the task."""
    started = await bench.start(Plain)
    task = await bench.task(started.case, "decide")
    await bench.cases.act(task.id, "claim", actor="ann", roles=["clerk"])
    with pytest.raises(Refused, match="ann has claimed") as error:
        await bench.answer(task, {"decision": "grant"}, by="bob")

    assert error.value.code == "not_owner"


async def test_input_21_after_the_close(bench):
    """Too late says how and when it closed, and by whom; the accepted action sent again has its answer."""
    started = await bench.start(Plain)
    task = await bench.task(started.case, "decide")
    first = await bench.answer(task, {"decision": "grant"}, action_id="the-one")
    await bench.closed(started.case)
    with pytest.raises(Refused, match=r"closed as achieved at .* by ann") as error:
        await bench.answer(task, {"decision": "refuse", "reason": "no"}, by="bob")

    assert error.value.code == "closed"
    assert first == await bench.answer(task, {"decision": "grant"}, action_id="the-one")


async def test_input_22_after_the_expiry(bench):
    """Too late says that it expired, and when."""
    started = await bench.start(Plain)
    task = await bench.task(started.case, "decide")
    await bench.skip(started.case, timedelta(hours=36, seconds=1))
    with pytest.raises(Refused, match="closed as expired at") as error:
        await bench.answer(task, {"decision": "grant"})

    assert error.value.code == "closed"


async def test_inputs_23_and_24_the_same_action_id(bench):
    """The same content has the first answer, whoever asks how often; other content is refused."""
    started = await bench.start(Plain)
    task = await bench.task(started.case, "decide")
    handle = bench.handle(started.case)
    claim = envelope(task, action="claim", body={})
    first = await handle.execute_update("act", claim)

    assert first == await handle.execute_update("act", claim)
    assert first == await handle.execute_update("act", {**claim, "sent_at": datetime.now(UTC).isoformat()})
    with pytest.raises(WorkflowUpdateFailedError) as error:
        await handle.execute_update("act", {**claim, "actor": "bob"})
    assert cause(error.value).type == "action_id_reused"
    await bench.cases.act(task.id, "release", actor="ann", roles=["clerk"], action_id="x")
    with pytest.raises(Refused, match="other content"):
        await bench.cases.act(task.id, "claim", actor="ann", roles=["clerk"], action_id="x")


async def test_input_27_a_message_before_its_task(bench):
    """A signal in the first task of a case comes before the task is open: ignored with the reason."""
    key = uuid.uuid4().hex
    handle = await bench.client.start_workflow(
        "plain",
        {"request": key},
        id=f"plain:{key}",
        task_queue=bench.queue,
        start_signal="act",
        start_signal_args=[{"nope": 1}],
    )
    task = await bench.task(handle.id, "decide")
    early = envelope(task, task_id=f"{handle.id}/decide-2")
    await handle.signal("act", early)
    await bench.answer(task, {"decision": "grant"})
    view = await bench.closed(handle.id)

    assert [ignored.code for ignored in view.record.ignored] == ["invalid_field", "unknown_task"]
    assert view.close == "achieved"


async def test_a_second_answer_changes_nothing(bench):
    """Of two answers to one task the first counts; the other hears that it is too late."""
    started = await bench.start(Pair)
    left = await bench.task(started.case, "left")
    await bench.answer(left, {"decision": "grant"}, by="ann")
    with pytest.raises(Refused, match="the task is completed"):
        await bench.answer(left, {"decision": "refuse", "reason": "no"}, by="bob")
    await bench.answer(await bench.task(started.case, "right"), {"decision": "grant"}, by="cyd")
    view = await bench.closed(started.case)

    assert (view.close, view.record.decided_by) == ("achieved", ["ann", "cyd"])


async def test_an_answer_by_signal_closes_the_case(bench):
    """Who cannot wait sends the same body as a Signal."""
    started = await bench.start(Inline)
    task = await bench.task(started.case, "decide")
    await bench.handle(started.case).signal("act", envelope(task))

    assert (await bench.closed(started.case)).close == "achieved"


async def test_attributes_and_memo_are_written_once_when_a_task_opens_and_once_at_the_close(bench):
    """An approval publishes twice: everybody else learns of it without a task of the workflow more."""
    started = await bench.start(Plain)
    handle = bench.handle(started.case)
    task = await bench.task(started.case, "decide")
    attributes = (await handle.describe()).typed_search_attributes
    await bench.answer(task, {"decision": "grant"})
    view = await bench.closed(started.case)
    kinds = [event.WhichOneof("attributes") async for event in handle.fetch_history_events()]
    after = (await handle.describe()).typed_search_attributes

    values = {pair.key.name: pair.value for pair in attributes}
    assert (values["WorkUnitState"], values["WorkUnitOpenTasks"]) == ("waiting", 1)
    assert view.due == values["WorkUnitDueAt"]
    assert {pair.key.name: pair.value for pair in after}["WorkUnitState"] == "achieved"
    assert kinds.count("upsert_workflow_search_attributes_event_attributes") == 2
    assert kinds.count("workflow_properties_modified_event_attributes") == 2
    assert kinds.count("timer_started_event_attributes") + kinds.count("timer_canceled_event_attributes") == 2


async def test_the_case_input_is_not_in_the_memo(bench):
    """The memo is listed and followed by others: it has the record and the tasks, not what the case is about."""
    started = await bench.start(Plain, "a-secret-mood")
    await bench.task(started.case, "decide")
    memo = await (await bench.handle(started.case).describe()).memo()

    assert "record" in memo[MEMO]
    assert "a-secret-mood" not in json.dumps(memo)


async def test_a_bug_in_an_answers_own_check_wedges_no_case(bench):
    """By Update it is refused, by Signal noted: the author's code runs on what anybody may send."""
    started = await bench.cases.start("keyless", b'{"subject": "s"}', key=uuid.uuid4().hex)
    task = await bench.task(started.case, "ask")
    handle = bench.handle(started.case)
    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update("act", envelope(task, body={"text": "boom"}))
    await handle.signal("act", envelope(task, body={"text": "boom"}))
    await bench.answer(task, {"text": "fine", "answer": {"kind": "yes"}})
    view = await bench.closed(started.case)

    assert [(ignored.code, ignored.why) for ignored in view.record.ignored] == [
        ("check_failed", "the check of the message failed with KeyError")
    ]
    assert view.close == "achieved"
