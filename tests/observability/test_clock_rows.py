"""Clocks in the ledger: a row for each, what fired and what people did to them, and no name that is forgotten."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import select

from observability.ledger.erasing import forget
from observability.ledger.follower import Follower
from observability.ledger.reconcile import Reconciler
from observability.ledger.tables import actions, cases, clock_entries, clocks, tasks
from observability.ledger.vanishing import mark_vanished
from tests.conftest import PACKAGE
from tests.lab.promises import BOSS, Laddered, Manifold, Officed
from tests.patience import PATIENCE
from workers.watching.engine import OpenCase
from workers.watching.rungs import missing
from workunits.registry import Catalog

CATALOG = Catalog([PACKAGE])
HOUR = timedelta(hours=1)
GRANT = {"decision": "grant"}


@pytest.fixture
def follower(bench, ledger):
    """A follower into an empty ledger."""
    return Follower(bench.client, ledger, CATALOG)


@pytest.fixture
def bea() -> str:
    """A name that no other test uses: they share the engine."""
    return f"bea-{uuid.uuid4().hex}"


async def waiting(bench, unit):
    """A case that waits for a person, and its task."""
    case = (await bench.start(unit)).case
    return case, await bench.task(case, "ask")


async def deed(bench, case, what, by, **body):
    """What someone does to the outcome's clock."""
    view = await bench.cases.show(case)
    revision = 1 + len(view.record.entries)
    name = f"{case}/clock:unit"
    await bench.cases.act(name, f"{what}_clock", actor=by, roles=[BOSS], body=body, revision=revision)


def rows(ledger, table, case, *order):
    """The rows of a case in a table."""
    with ledger.read() as connection:
        found = select(table).where(table.c.case_id == case).order_by(*order)
        return list(connection.execute(found))


async def followed(follower, ledger, case, look):
    """The case's row, once it is as it is wanted."""
    async with asyncio.timeout(PATIENCE):
        while True:
            await follower.follow()
            found = rows(ledger, cases, case)
            if found and look(found[0]):
                return found[0]
            await asyncio.sleep(0.1)


async def test_every_rung_and_deed_is_a_row(bench, ledger, follower, bea):
    """In the order of time, with whom the ladder reached, who did what, and why; the clock adds it all up."""
    case, task = await waiting(bench, Laddered)
    await deed(bench, case, "pause", bea, reason="legal_hold", evidence="letter 12")
    paused = await followed(follower, ledger, case, lambda row: row.state == "waiting")
    standing = rows(ledger, clocks, case)[0]
    await deed(bench, case, "resume", bea, reason="legal_hold")
    await deed(bench, case, "adjust", bea, seconds=-6 * 3600, reason="promised sooner", evidence="contract")
    await bench.skip(case, 19 * HOUR)
    await bench.until(case, lambda view: view.record.breached)
    open_ = await followed(follower, ledger, case, lambda row: row.breached_at)
    urgent = rows(ledger, tasks, case)[0]
    view = await bench.cases.show(case)
    await bench.answer(view.tasks[0], GRANT, by=bea, sent_at=await bench.clock(case))
    closed = await followed(follower, ledger, case, lambda row: row.close)
    clock = rows(ledger, clocks, case)[0]
    entries = [(row.entry, row.actor, row.reason) for row in rows(ledger, clock_entries, case, clock_entries.c.seq)]

    assert standing.state == "paused"
    assert (paused.sla, open_.sla, closed.sla) == ("running", "breached", "breached")
    assert entries == [
        ("pause", bea, "legal_hold"),
        ("resume", bea, "legal_hold"),
        ("adjust", bea, "promised sooner"),
        ("goal", None, None),
        ("warn", None, None),
        ("deadline", None, None),
    ]
    by_entry = {row.entry: row for row in rows(ledger, clock_entries, case)}
    assert by_entry["adjust"].amount_us == -6 * 3600 * 1_000_000
    assert by_entry["pause"].evidence == "letter 12"
    assert (by_entry["warn"].reached, by_entry["deadline"].reached) == (["team lead"], [BOSS])
    assert (clock.budget_us, clock.state, clock.result) == (18 * 3600 * 1_000_000, "stopped", "breached")
    assert clock.raw_us == closed.cycle_us
    assert clock.consumed_us + clock.paused_us == clock.raw_us
    assert closed.due_at - closed.started_at == timedelta(microseconds=clock.budget_us + clock.paused_us)
    assert (urgent.urgency, urgent.role, urgent.also) == (50, BOSS, "")
    assert task.id == urgent.task_id


async def test_promises_on_steps_and_between_events_are_rows_with_their_promise(bench, ledger, follower):
    """One for each clock; a task's own due time comes before its case's on the list."""
    case, task = await waiting(bench, Manifold)
    await followed(follower, ledger, case, lambda row: row.state == "waiting")
    listed = rows(ledger, tasks, case)[0]
    running = {row.target: (row.promise, row.state, row.result) for row in rows(ledger, clocks, case)}
    await bench.answer(task, GRANT)
    second = await bench.task(case, "check")
    await bench.answer(second, GRANT)
    await followed(follower, ledger, case, lambda row: row.close)
    ended = {row.target: (row.state, row.result) for row in rows(ledger, clocks, case)}

    assert listed.due_at - listed.ready_at == 2 * HOUR
    assert running == {
        "unit": ("unit", "running", None),
        "ask.start_by": ("ask.start_by", "running", None),
        "ask.finish_by": ("ask.finish_by", "running", None),
        "first_answer": ("first_answer", "running", None),
    }
    assert ended == dict.fromkeys(
        ["unit", "ask.start_by", "ask.finish_by", "check.finish_by", "first_answer", "second_answer"],
        ("stopped", "met"),
    )


async def test_working_time_says_by_which_calendar(bench, ledger, follower):
    """Off-hours are a part of the case's time; what counted and they make up the whole."""
    case, task = await waiting(bench, Officed)
    await bench.skip(case, timedelta(days=8))
    await bench.answer(task, GRANT, sent_at=await bench.clock(case))
    closed = await followed(follower, ledger, case, lambda row: row.close)
    clock = next(row for row in rows(ledger, clocks, case) if row.target == "unit")

    assert (clock.calendar, clock.result, closed.close) == ("tests@1", "breached", "achieved_late")
    assert closed.off_hours_us + clock.consumed_us == closed.cycle_us
    assert closed.off_hours_us > 0


async def test_what_is_forgotten_names_nobody(bench, ledger, follower, bea):
    """Neither by the person nor by the case; reconcile finds nothing to complain of, and a vanished case is void."""
    case, _ = await waiting(bench, Laddered)
    await deed(bench, case, "pause", bea, reason="legal_hold", evidence=f"told by {bea}")
    await followed(follower, ledger, case, lambda row: row.state == "waiting")
    found = await Reconciler(bench.client, ledger, CATALOG).reconcile(settle=0)
    forget(ledger, "subject", bea, actor="op")
    by_person = rows(ledger, clock_entries, case)[0]
    forget(ledger, "case", case, actor="op")
    by_case = rows(ledger, clock_entries, case)[0]
    with ledger.write() as connection:
        mark_vanished(connection, [case], closed_now(ledger, case))
    gone = rows(ledger, clocks, case)[0]

    assert [one for one in found.differences if case in str(one)] == []
    assert by_person.actor.startswith("forgotten-")
    assert (by_case.reason, by_case.evidence) == (None, None)
    assert (gone.state, gone.result) == ("void", "void")


def closed_now(ledger, case):
    """A moment after the case's start."""
    return rows(ledger, cases, case)[0].started_at + timedelta(minutes=1)


async def test_an_open_case_that_outgrows_its_memo_is_still_seen(bench, ledger, follower, bea):
    """It leaves out what nobody needs to go on with it: clocks, rungs and deeds stay, and rows from before do, too."""
    case, task = await waiting(bench, Laddered)
    await deed(bench, case, "adjust", bea, seconds=-6 * 3600, reason="sooner", evidence="contract")
    await bench.cases.act(task.id, "claim", actor=bea, roles=["clerk"], action_id="the first")
    await bench.cases.act(task.id, "release", actor=bea, roles=["clerk"], body={"reason": "no time"})
    await bench.skip(case, 19 * HOUR)
    await bench.until(case, lambda view: view.record.breached)
    await followed(follower, ledger, case, lambda row: row.breached_at)
    boss = {"actor": bea, "roles": [BOSS]}
    for _ in range(45):
        await bench.cases.act(task.id, "claim", **boss)
        await bench.cases.act(task.id, "release", **boss, body={"reason": "so much to say of it, " * 8})
    view = await bench.until(case, lambda view: view if view.record.elsewhere else None)
    await bench.cases.act(
        f"{case}/clock:unit", "pause_clock", **boss, body={"reason": "legal_hold", "evidence": "letter"}
    )  # no revision told
    await followed(follower, ledger, case, lambda row: row.record["elsewhere"] and len(row.record["entries"]) > 1)
    unit = next(unit for unit in PACKAGE.units if unit.unit_name == view.unit)
    there = OpenCase(case, view.unit, view.run, "", view.started, paused=False, record=view.record, tasks=view.tasks)

    assert view.record.left_out == ["actions"]
    assert [(work.key, work.done) for work in view.record.steps] == [("ask", None)]
    assert missing(there, unit, await bench.clock(case), HOUR / 60) == []
    assert rows(ledger, clocks, case)[0].state == "paused"
    assert {row.entry for row in rows(ledger, clock_entries, case)} >= {"adjust", "pause", "warn", "deadline"}
    assert "the first" in {row.action_id for row in rows(ledger, actions, case)}
    await bench.answer((await bench.cases.show(case)).tasks[0], GRANT, by=bea, sent_at=await bench.clock(case))
    await followed(follower, ledger, case, lambda row: row.close)
    assert len(rows(ledger, actions, case)) > 90
