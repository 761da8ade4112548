"""Exports of cases that really ran: a reader of the event log alone comes to the ledger's figures, exactly."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest_asyncio
from sqlalchemy import select

from observability.export.events import NEEDED, events_of
from observability.export.lines import KEYS, lines_of
from observability.export.reading import Wanted, read
from observability.export.xes import PARTS, log_of
from observability.ledger.follower import Follower
from observability.ledger.tables import cases, steps, tasks
from tests.conftest import PACKAGE, Bench
from tests.lab.units import Pair, Plain, Ruled
from tests.observability.event_log import attributes, check_structure, figures, traces
from tests.observability.following import until
from workunits.registry import Catalog

CATALOG = Catalog([PACKAGE])
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
GRANT = {"decision": "grant"}
REFUSE = {"decision": "refuse", "reason": "no"}
FIGURES = (
    "cycle_us",
    "human_effort_us",
    "machine_effort_us",
    *(f"handoffs_{kind}" for kind in ("hh", "hm", "mh", "mm")),
)


async def act(bench: Bench, task, actions):
    """Let people act: (minutes since the task was ready, action, who, body)."""
    await bench.skip(task.id.rpartition("/")[0], max(minutes for minutes, *_ in actions) * MINUTE + MINUTE)
    for minutes, action, who, *body in actions:
        at = task.ready + minutes * MINUTE
        roles = [task.role]
        await bench.cases.act(task.id, action, actor=who, roles=roles, sent_at=at, body=body[0] if body else None)


async def with_breaks(bench: Bench):
    """Claimed, worked on twice, decided."""
    case = (await bench.start(Plain)).case
    task = await bench.task(case, "decide")
    await act(
        bench,
        task,
        [
            (5, "claim", "ann"),
            (7, "start", "ann"),
            (17, "stop", "ann"),
            (30, "start", "ann"),
            (42, "complete", "ann", GRANT),
        ],
    )
    return case


async def given_back(bench: Bench):
    """Worked on by one, given back, decided at once by another."""
    case = (await bench.start(Plain)).case
    task = await bench.task(case, "decide")
    await act(
        bench,
        task,
        [
            (1, "start", "bob"),
            (4, "release", "bob", {"reason": "not mine"}),
            (9, "claim", "ann"),
            (11, "complete", "ann", REFUSE),
        ],
    )
    return case


async def parallel(bench: Bench):
    """Two people at the same time, and the second ends it by a sender's time in the past."""
    case = (await bench.start(Pair)).case
    left, right = await bench.task(case, "left"), await bench.task(case, "right")
    await act(bench, left, [(2, "start", "ann"), (20, "complete", "ann", GRANT)])
    await act(bench, right, [(3, "start", "eve"), (12, "complete", "eve", GRANT)])
    return case


async def redone(bench: Bench):
    """A customer mends the request, and the machine looks again."""
    case = (await bench.start(Ruled, "look unreadable")).case
    task = await bench.task(case, "mend")
    await act(bench, task, [(60, "complete", "customer", {"request": case.partition(":")[2], "mood": ""})])
    return case


async def by_hand(bench: Bench):
    """A business exception, and a person takes over."""
    case = (await bench.start(Ruled, "look odd")).case
    await act(
        bench, await bench.task(case, "look_by_hand"), [(3, "start", "eve"), (8, "complete", "eve", {"risk": "low"})]
    )
    return case


async def cancelled(bench: Bench):
    """Cancelled while somebody works on it."""
    case = (await bench.start(Plain)).case
    await act(bench, await bench.task(case, "decide"), [(2, "start", "ann")])
    await bench.handle(case).cancel()
    return case


async def expired(bench: Bench):
    """Nobody answers."""
    case = (await bench.start(Plain)).case
    await bench.task(case, "decide")
    await bench.skip(case, 37 * HOUR)
    return case


async def failed(bench: Bench):
    """A machine step fails for good."""
    return (await bench.start(Plain, "refused")).case


async def flaky(bench: Bench):
    """A machine step succeeds at the third attempt."""
    case = (await bench.start(Plain, "flaky")).case
    await act(bench, await bench.task(case, "decide"), [(1, "complete", "ann", GRANT)])
    return case


async def terminated(bench: Bench):
    """Ended past our doors, with a task open."""
    case = (await bench.start(Plain)).case
    await bench.task(case, "decide")
    await bench.handle(case).terminate(reason="by mistake")
    return case


async def in_progress(bench: Bench):
    """Somebody is working on it."""
    case = (await bench.start(Plain)).case
    await act(bench, await bench.task(case, "decide"), [(2, "start", "ann")])
    return case


CLOSED = (with_breaks, given_back, parallel, redone, by_hand, cancelled, expired, failed, flaky, terminated)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ran(bench):
    """One case of each kind, by the name of its kind."""
    kinds = (*CLOSED, in_progress)
    ids = await asyncio.gather(*(kind(bench) for kind in kinds))
    await asyncio.gather(*(bench.closed(case) for case in ids[:-1]))
    return dict(zip((kind.__name__ for kind in kinds), ids, strict=True))


@pytest_asyncio.fixture
async def followed(bench, ledger, ran):
    """A ledger that has them, with all that happened in them."""
    begun = ran[in_progress.__name__]

    def look():
        with ledger.read() as connection:
            closed = connection.execute(select(cases.c.case_id).where(cases.c.close.is_not(None))).scalars().all()
            at_work = connection.execute(select(tasks.c.state).where(tasks.c.case_id == begun)).scalar()
        return {*ran.values()} - {*closed} == {begun} and at_work == "in_progress"

    await until(Follower(bench.client, ledger, CATALOG), look)
    return ledger


def transitions(ledger, case):
    """What the exports say happened in a case, without its machine steps."""
    file = next(file for file in read(ledger, Wanted(), NEEDED) if file.case["case_id"] == case)
    return [
        (event.activity, event.transition, event.resource)
        for event in events_of(file)
        if event.executor in (None, "human")
    ]


async def test_the_event_log_has_the_ledgers_figures(followed, ran):
    """Cycle time, effort, handoffs, and each step's queue and touch follow from the events, to the microsecond."""
    log = check_structure(b"".join(log_of(read(followed, Wanted(), PARTS))))
    with followed.read() as connection:
        there = {row["case_id"]: row for row in connection.execute(select(cases)).mappings()}
        of_steps = connection.execute(select(steps)).all()
    found = {case: figures(trace) for case, trace in traces(log)}

    assert set(found) == set(there)
    assert set(ran.values()) <= set(there)
    # Random plays of other files are there, too: some people lie about when they acted, and no log can undo that.
    for case in ran.values():
        row = there[case]
        if row["close"] is not None:
            assert {name: found[case][name] for name in FIGURES} == {name: row[name] for name in FIGURES}, case
    for step in of_steps:
        if step.case_id in ran.values() and there[step.case_id]["close"] is not None:
            assert found[step.case_id]["steps"][step.key] == (step.queue_us, step.work_us), (step.case_id, step.key)


async def test_how_things_are_called(followed, ran):
    """Each end has its name in the standard's lifecycle model, and a case that is open has no end."""
    assert transitions(followed, ran["with_breaks"]) == [
        ("CASE", "start", None),
        ("decide", "schedule", None),
        *(("decide", name, "ann") for name in ("assign", "start", "suspend", "resume", "complete")),
        ("CASE", "complete", None),
    ]
    assert transitions(followed, ran["given_back"])[2:8] == [
        *(("decide", name, "bob") for name in ("assign", "start", "suspend", "unknown")),
        *(("decide", name, "ann") for name in ("assign", "complete")),
    ]
    assert transitions(followed, ran["cancelled"])[-2:] == [("decide", "pi_abort", None), ("CASE", "pi_abort", None)]
    assert transitions(followed, ran["expired"])[-2:] == [("decide", "pi_abort", None), ("CASE", "complete", None)]
    assert transitions(followed, ran["terminated"])[-2:] == [("decide", "withdraw", None), ("CASE", "pi_abort", None)]
    assert transitions(followed, ran["in_progress"])[-1] == ("decide", "start", "ann")


async def test_what_machines_did(followed, ran):
    """A machine is named by its step, its retries are counted, and an exception aborts the step or the case."""
    log = dict(traces(check_structure(b"".join(log_of(read(followed, Wanted(), PARTS))))))

    def ends(kind):
        events = [attributes(event) for event in log[ran[kind]].iter("event")]
        return {e["concept:instance"]: e for e in events if "attempts" in e}

    of_look = [event for event in map(attributes, log[ran["flaky"]].iter("event")) if event["concept:name"] == "look"]
    assert [event["lifecycle:transition"] for event in of_look] == ["schedule", "start", "complete"]
    assert ends("flaky")["look"]["attempts"] == 3
    assert ends("flaky")["look"]["retry_us"] > 0
    assert ends("flaky")["look"]["org:resource"] == "plain.look"
    assert ends("failed")["look"]["lifecycle:transition"] == "pi_abort"
    assert ends("by_hand")["look"]["lifecycle:transition"] == "ate_abort"
    assert ends("by_hand")["look"]["code"] == "odd"
    assert ends("redone")["look-2"]["redo_of"] == "look"


async def test_what_is_known_of_a_case(followed, ran):
    """The trace says how the case closed, why, whether in time, and by what it is segmented."""
    log = dict(traces(check_structure(b"".join(log_of(read(followed, Wanted(), PARTS))))))
    told = attributes(log[ran["with_breaks"]])

    assert (told["close"], told["sla"], told["facts.amount"], told["executors"]) == (
        "achieved",
        "met",
        1,
        "automated human",
    )
    assert attributes(log[ran["expired"]])["reason"] == "no_answer"
    assert attributes(log[ran["terminated"]])["closed_outside"] is True
    assert "close" not in attributes(log[ran["in_progress"]])


async def test_jsonl_tells_all(followed, ran):
    """A line for each case, always with the same keys, and the rows of the case below them."""
    told = {said["case_id"]: said for said in map(json.loads, lines_of(read(followed, Wanted())))}
    case = told[ran["by_hand"]]

    assert all(tuple(said) == KEYS for said in told.values())
    assert [(row["code"], row["routed_to"]) for row in case["exceptions"]] == [("odd", "look_by_hand")]
    assert [row["action"] for row in case["actions"]] == ["start", "complete"]
    assert {row["step"] for row in case["tasks"]} == {"look_by_hand"}
    assert [row["target"] for row in case["clocks"]] == ["unit"]
    assert case["cycle_us"] == sum(value for name, value in case.items() if name in PARTS_US)


PARTS_US = {
    *("rework_us", "touch_human_us", "touch_machine_us", "retry_us"),
    *("external_wait_us", "off_hours_us", "queue_us", "idle_us"),
}
