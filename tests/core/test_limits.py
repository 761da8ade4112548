"""What is too large is refused, waits for room, or goes elsewhere; no case hangs on it."""

from __future__ import annotations

import json
import uuid

import pytest

from tests.lab.contracts import Freight
from tests.lab.units import Pair, Plain
from workunits.core.errors import BadInput
from workunits.core.parts import parts
from workunits.core.record import MEMO

HALF_MB = 512 * 1024
OFFICER = "the officer of the customs house who has a long name, " * 3
WIDE = "語"
"""Three bytes each: whoever counts letters lets through three times as much."""


async def carry(bench, **freight):
    """Start a case that carries much, and wait for its close."""
    case = Freight(request=uuid.uuid4().hex, **freight)
    started = await bench.cases.start("freight", case.model_dump_json().encode())
    return await bench.closed(started.case)


@pytest.mark.parametrize(("letter", "count"), [("x", HALF_MB), (WIDE, HALF_MB // 3)])
async def test_a_result_over_512_kb_closes_as_failed(bench, letter, count):
    """The limit is in bytes; the case says so instead of failing its workflow task for ever."""
    view = await carry(bench, result=count, letter=letter)

    assert (view.close, view.record.reason) == ("failed", "too_large")
    assert view.record.why == f"the result has over {HALF_MB} bytes"


@pytest.mark.parametrize(("letter", "count"), [("x", HALF_MB), (WIDE, HALF_MB // 3)])
async def test_a_step_input_over_512_kb_is_a_technical_failure(bench, letter, count):
    """Nothing is sent; a failure rule could route it."""
    view = await carry(bench, loads=1, size=count, letter=letter)

    assert (view.close, view.record.reason, view.record.why) == ("failed", "technical_failure", "carry: too_large")
    assert [(work.end, work.code) for work in view.record.steps] == [("failed", "too_large")]
    assert await bench.events(view.case, "activity_task_scheduled") == 0


@pytest.mark.parametrize(("letter", "count"), [("x", HALF_MB - 100), (WIDE, HALF_MB // 3 - 40)])
async def test_what_is_just_within_the_limits_passes(bench, letter, count):
    """The edge itself is fine, as input and as result."""
    view = await carry(bench, loads=1, size=count, result=count, letter=letter)

    assert view.close == "achieved"


async def test_many_large_inputs_in_parallel_wait_for_room(bench):
    """Over 4 MB in one workflow task the server would end the case; they go in tasks of at most 2 MB."""
    view = await carry(bench, loads=12, size=HALF_MB // 3 - 40, letter=WIDE)
    sizes = [0]
    async for event in bench.handle(view.case).fetch_history_events():
        if event.WhichOneof("attributes") == "workflow_task_completed_event_attributes":
            sizes.append(0)
        sizes[-1] += event.activity_task_scheduled_event_attributes.ByteSize()

    assert view.close == "achieved"
    assert {work.end for work in view.record.steps} == {"done"}
    assert sum(sizes) > 12 * (HALF_MB - 200)
    assert HALF_MB < max(sizes) <= 2 * 1024 * 1024 + 4096
    assert sum(parts(view.record).values()) == view.record.closed


async def fill_record(bench, case, step, times=40):
    """Claim and release a task until the record is over 16 KB; the task as it then is."""
    for _ in range(times):
        await bench.cases.act(f"{case}/{step}", "claim", actor=OFFICER, roles=["clerk"])
        await bench.cases.act(f"{case}/{step}", "release", actor=OFFICER, roles=["clerk"])
    view = await bench.until(case, lambda view: view if view.record.elsewhere else None)
    assert view.record.actions == []
    assert len(json.dumps((await (await bench.handle(case).describe()).memo())[MEMO])) < 16_000
    return view.tasks[0]


@pytest.mark.parametrize(
    ("decision", "close"),
    [({"decision": "grant"}, "achieved"), ({"decision": "refuse", "reason": "no"}, "not_achieved")],
)
async def test_a_record_over_16_kb_is_in_the_closing_event(bench, decision, close):
    """A listing stays small, and whoever looks at the case reads the whole record all the same."""
    started = await bench.start(Plain)
    await bench.task(started.case, "decide")
    await bench.answer(await fill_record(bench, started.case, "decide"), decision)
    view = await bench.closed(started.case)
    memo = (await (await bench.handle(started.case).describe()).memo())[MEMO]["record"]

    assert (view.close, len(view.record.actions), len(view.record.steps)) == (close, 81, 2)
    assert (memo["close"], memo["elsewhere"], "actions" in memo) == (close, True, False)
    assert not view.record.elsewhere
    assert sum(parts(view.record).values()) == view.record.closed


async def test_a_record_that_no_event_could_hold_loses_its_oldest_messages(bench, monkeypatch):
    """Whoever acts does not decide whether the case can close; what is left out is said."""
    monkeypatch.setattr("workunits.core.publishing.EVENT_LIMIT", 20_000)
    started = await bench.start(Plain)
    await bench.task(started.case, "decide")
    await bench.answer(await fill_record(bench, started.case, "decide"), {"decision": "grant"})
    view = await bench.closed(started.case)

    assert (view.close, view.record.left_out) == ("achieved", ["actions"])
    assert 0 < len(view.record.actions) < 81
    assert view.record.actions[-1].action == "complete"
    assert sum(parts(view.record).values()) == view.record.closed


async def test_a_failed_case_has_its_large_record_in_the_failure(bench):
    """A failure carries it, as a result does."""
    freight = Freight(request=uuid.uuid4().hex, ask=True, result=HALF_MB)
    started = await bench.cases.start("freight", freight.model_dump_json().encode())
    await bench.task(started.case, "sign")
    await bench.answer(await fill_record(bench, started.case, "sign"), {"decision": "grant"})
    view = await bench.closed(started.case)

    assert (view.close, view.record.reason, len(view.record.actions)) == ("failed", "too_large", 81)


async def test_a_cancelled_case_keeps_a_large_record_in_its_memo(bench):
    """It has no result that could carry it."""
    started = await bench.start(Plain)
    await bench.task(started.case, "decide")
    await fill_record(bench, started.case, "decide")
    await bench.cases.cancel(started.case, actor="ops", reason="entered twice")
    view = await bench.closed(started.case)

    assert (view.close, len(view.record.actions), view.record.elsewhere) == ("cancelled", 80, False)
    assert view.record.steps[-1].end == "cancelled"


async def test_of_many_ignored_messages_50_are_kept_and_all_are_counted(bench):
    """A flood of bad messages fills no record."""
    started = await bench.start(Pair)
    await bench.task(started.case, "left")
    for number in range(60):
        await bench.handle(started.case).signal("act", number)
    for step in ("left", "right"):
        await bench.answer(await bench.task(started.case, step), {"decision": "grant"})
    view = await bench.closed(started.case)

    assert (len(view.record.ignored), view.record.ignored_count) == (50, 60)


async def test_a_long_answer_in_any_script_is_measured_in_bytes(bench):
    """64 KB of a message are 64 KB, not the length of its escaped form."""
    started = await bench.start(Plain)
    task = await bench.task(started.case, "decide")
    with pytest.raises(BadInput, match="at most 65536") as error:
        await bench.answer(task, {"decision": "refuse", "reason": WIDE * 22_000})
    assert error.value.code == "too_large"
    await bench.answer(task, {"decision": "refuse", "reason": WIDE * 20_000})
    view = await bench.closed(started.case)

    assert view.close == "not_achieved"


async def test_a_text_that_no_json_can_hold_is_refused_by_field(bench):
    """Half a character comes from broken clients; it is no crash of ours."""
    started = await bench.start(Plain)
    task = await bench.task(started.case, "decide")
    for body in ({"decision": "refuse", "reason": "\ud800"}, {"decision": {1, 2}}, {"decision": float("nan")}):
        with pytest.raises(BadInput, match="what JSON can hold") as error:
            await bench.answer(task, body)
        assert (error.value.field, error.value.code) == ("body", "bad_body")
    await bench.answer(task, {"decision": "grant"})
