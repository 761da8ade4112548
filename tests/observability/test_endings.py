"""However a case ends, it is one truthful row; and reconcile finds that nothing is missing."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import select, text, update
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest, ResetWorkflowExecutionRequest
from temporalio.client import WorkflowExecutionStatus

import workunits.core.course
from observability.ledger import follower as following
from observability.ledger.follower import Follower
from observability.ledger.keeping import audit, corrections
from observability.ledger.reconcile import Reconciler
from observability.ledger.store import SchemaError
from observability.ledger.tables import cases, clocks, exceptions, steps, tasks
from tests.conftest import PACKAGE
from tests.lab.units import Plain
from tests.patience import PATIENCE
from workers.reconciled import render
from workunits.core.parts import PARTS
from workunits.registry import Catalog

CATALOG = Catalog([PACKAGE])


@pytest.fixture
def follower(bench, ledger):
    """A follower into an empty ledger."""
    return Follower(bench.client, ledger, CATALOG)


def row_of(ledger, case):
    """The one row of a case."""
    with ledger.read() as connection:
        return connection.execute(select(cases).where(cases.c.case_id == case)).one()


def rows_of(ledger, table, case):
    """The rows of what a case consists of."""
    with ledger.read() as connection:
        return connection.execute(select(table).where(table.c.case_id == case)).all()


def adds_up(row):
    """Every microsecond of a closed case is in exactly one part."""
    return sum(row._mapping[f"{part}_us"] for part in PARTS) == row.cycle_us


async def followed(follower, ledger, case, *, is_open=False):
    """The row of a case, once the ledger has it open or closed: the engine lists a change a moment later."""
    async with asyncio.timeout(PATIENCE):
        while True:
            await follower.follow()
            with ledger.read() as connection:
                row = connection.execute(select(cases).where(cases.c.case_id == case)).one_or_none()
            if row is not None and (row.close is None) == is_open:
                return row
            await asyncio.sleep(0.1)


async def waiting(bench):
    """A case that waits for its person."""
    started = await bench.start(Plain)
    return started.case, await bench.task(started.case, "decide")


async def delete(bench, case):
    """Have the engine forget a case; it does so in the background."""
    request = DeleteWorkflowExecutionRequest(
        namespace=bench.client.namespace, workflow_execution=WorkflowExecution(workflow_id=case)
    )
    await bench.client.workflow_service.delete_workflow_execution(request)


async def test_f12_a_terminated_case_is_a_technical_failure_with_its_reason(bench, ledger, follower):
    """The engine ends it without a word to the unit: the row says failed, by whom and why, flagged as outside."""
    case, _ = await waiting(bench)
    await followed(follower, ledger, case, is_open=True)
    await bench.handle(case).terminate(reason="wrong customer")
    row = await followed(follower, ledger, case)

    assert (row.close, row.reason, row.closed_outside) == ("failed", "terminated", True)
    assert "wrong customer" in row.why
    assert [task.open for task in rows_of(ledger, tasks, case)] == [False]
    assert [(clock.state, clock.result) for clock in rows_of(ledger, clocks, case)] == [("void", "void")]
    assert adds_up(row)


async def test_f12_terminated_before_its_first_record(bench, ledger, follower):
    """A case that nobody worked on is a row, too."""
    key = uuid.uuid4().hex
    handle = await bench.client.start_workflow("plain", {"request": key}, id=f"plain:{key}", task_queue="nobody")
    before = await followed(follower, ledger, handle.id, is_open=True)
    await handle.terminate(reason="never mind")
    row = await followed(follower, ledger, handle.id)

    assert (before.state, before.close) == ("running", None)
    assert (row.close, row.reason, row.version, row.closed_outside) == ("failed", "terminated", "unknown", True)
    assert adds_up(row)


async def test_f12_a_run_timeout(bench, ledger, follower):
    """A case that the engine timed out is failed, and its passed deadline is a fact."""
    key = uuid.uuid4().hex
    handle = await bench.client.start_workflow(
        "plain", {"request": key}, id=f"plain:{key}", task_queue=bench.queue, run_timeout=timedelta(hours=30)
    )
    await bench.task(handle.id, "decide")
    await bench.skip(handle.id, timedelta(hours=31))
    await bench.until(handle.id, lambda view: not view.is_open)
    row = await followed(follower, ledger, handle.id)

    assert (row.close, row.reason, row.sla, row.closed_outside) == ("failed", "timed_out", "breached", True)
    assert row.breached_at == row.due_at
    assert adds_up(row)


async def test_f12_cancelled_through_our_doors_and_past_them(bench, ledger, follower):
    """A cancel is the unit's own close, whoever asks for it."""
    ours, _ = await waiting(bench)
    theirs, _ = await waiting(bench)
    await bench.cases.cancel(ours, actor="ops", reason="twice")
    await bench.handle(theirs).cancel()
    for case in (ours, theirs):
        await bench.closed(case)
        await followed(follower, ledger, case)

    assert [(row.close, row.closed_outside) for row in (row_of(ledger, ours), row_of(ledger, theirs))] == [
        ("cancelled", False)
    ] * 2
    assert row_of(ledger, ours).cancelled_by == "ops: twice"


async def test_a_case_that_was_deleted_while_open_has_vanished(bench, ledger, follower):
    """No listing tells of it; the wide pass finds it, and the row says so."""
    case, _ = await waiting(bench)
    await followed(follower, ledger, case, is_open=True)
    await delete(bench, case)
    follower._swept = None
    async with asyncio.timeout(PATIENCE):  # the engine deletes in the background
        while not row_of(ledger, case).vanished:
            follower._swept = None
            await follower.follow()
            await asyncio.sleep(0.1)
    row = row_of(ledger, case)

    assert (row.close, row.reason, row.closed_outside) == ("failed", "vanished", True)
    assert [task.open for task in rows_of(ledger, tasks, case)] == [False]
    assert adds_up(row)


async def test_a_case_that_went_on_as_a_new_run_is_one_row(bench, ledger, follower, monkeypatch):
    """The runs of a case are one case, and what came before the new run stays on its row."""
    monkeypatch.setattr(workunits.core.course, "MESSAGES_PER_RUN", 2)
    case, task = await waiting(bench)
    await bench.cases.act(task.id, "claim", actor="ann", roles=["clerk"])
    await bench.cases.act(task.id, "release", actor="ann", roles=["clerk"])
    task = await bench.until(case, lambda view: next((t for t in view.tasks if t.revision == 3), None))
    await bench.until(case, lambda view: view.record.runs == 2)  # else the answer may close the first run
    await bench.answer(task, {"decision": "grant"})
    await bench.closed(case)
    row = await followed(follower, ledger, case)

    assert (row.close, row.runs) == ("achieved", 2)
    assert {"look", "decide"} == {step.key for step in rows_of(ledger, steps, case)}
    assert adds_up(row)


@pytest.mark.parametrize("closed_first", [True, False], ids=["closed", "open"])
async def test_a_reset_case_is_one_row_and_a_dated_correction(bench, ledger, follower, closed_first):
    """A reset reopens the row; how it had closed first stays known, and the correction says what happened."""
    case, task = await waiting(bench)
    if closed_first:
        await bench.answer(task, {"decision": "refuse", "reason": "no"})
        await bench.closed(case)
    await followed(follower, ledger, case, is_open=not closed_first)
    handle = bench.handle(case)
    events = [event async for event in handle.fetch_history_events()]
    first = next(e.event_id for e in events if e.WhichOneof("attributes") == "workflow_task_completed_event_attributes")
    request = ResetWorkflowExecutionRequest(
        namespace=bench.client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=case, run_id=(await handle.describe()).run_id),
        reason="try again",
        workflow_task_finish_event_id=first,
        request_id=uuid.uuid4().hex,
    )
    await bench.client.workflow_service.reset_workflow_execution(request)
    reopened = await followed(follower, ledger, case, is_open=True)
    again = await bench.task(case, "decide")
    await bench.answer(again, {"decision": "grant"})
    await bench.until(case, lambda v: v.close == "achieved")
    row = await followed(follower, ledger, case)
    found = [(c.kind, c.from_close, c.to_close) for c in rows_of(ledger, corrections, case)]

    assert reopened.close is None
    assert row.close == "achieved"
    assert ("not_achieved" if closed_first else "achieved") == row.first_close
    assert ([("reset", "not_achieved", None)] if closed_first else []) == found
    assert adds_up(row)


async def test_reconcile_finds_what_was_changed_by_hand_and_repairs_it(bench, ledger, follower):
    """A ledger that says something else is told from one that is right, and mended."""
    case, task = await waiting(bench)
    await bench.answer(task, {"decision": "grant"})
    await bench.closed(case)
    lost, _ = await waiting(bench)
    await followed(follower, ledger, case)
    await followed(follower, ledger, lost, is_open=True)
    reconciler = Reconciler(bench.client, ledger, CATALOG)
    clean = await reconciler.reconcile(settle=0)
    with ledger.write() as connection:
        connection.execute(update(cases).where(cases.c.case_id == case).values(close="failed", cycle_us=1))
        for table in (steps, tasks, clocks, exceptions):
            connection.execute(table.delete().where(table.c.case_id == lost))
        connection.execute(cases.delete().where(cases.c.case_id == lost))
    found = await reconciler.reconcile(settle=0, repair=True, actor="ops")
    with ledger.read() as connection:
        told = connection.execute(select(audit.c.actor, audit.c.detail).where(audit.c.what == "repair")).all()
    after = await reconciler.reconcile(settle=0)

    assert clean.differences == []
    assert clean.engine == clean.ledger
    assert {(case, "differs", ("close", "cycle_us")), (lost, "missing", ())} == {
        (d.case, d.what, d.columns) for d in found.differences
    }
    assert found.repaired == 2
    assert [tuple(row) for row in told] == [("ops", {"differences": 2, "cases": 2})]
    assert after.differences == []


async def test_a_repair_ends_what_the_engine_has_no_more(bench, ledger, follower):
    """As the follower's wide pass does."""
    case, _ = await waiting(bench)
    await followed(follower, ledger, case, is_open=True)
    await delete(bench, case)
    reconciler = Reconciler(bench.client, ledger, CATALOG)
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await reconciler.reconcile(settle=0, repair=True)
            if found.differences:
                break
            await asyncio.sleep(0.1)

    assert (case, "not in the engine") in {(d.case, d.what) for d in found.differences}
    assert found.repaired == len(found.differences)
    assert f"{found.repaired} case(s) mended" in render(found)
    assert (row_of(ledger, case).close, row_of(ledger, case).vanished) == ("failed", True)
    assert (await reconciler.reconcile(settle=0)).differences == []


async def test_a_follower_stops_when_the_ledger_is_migrated_beyond_it(bench, ledger, monkeypatch):
    """It would write rows that a newer program does not expect."""
    monkeypatch.setattr(following, "SWEEP_EVERY", timedelta(0))
    follower = Follower(bench.client, ledger, CATALOG, every=0.1)
    await follower.follow()
    with ledger.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaError, match="newer than this program"):
        async with asyncio.timeout(PATIENCE):
            await follower.run(asyncio.Event())


async def test_two_followers_at_once_do_no_harm(bench, ledger):
    """Both write the same rows; nothing is doubled and none fails."""
    closed = []
    for _ in range(5):
        case, task = await waiting(bench)
        await bench.answer(task, {"decision": "grant"})
        await bench.closed(case)
        closed.append(case)
    followers = [Follower(bench.client, ledger, CATALOG) for _ in range(3)]
    await asyncio.gather(*(f.follow() for f in followers))
    for case in closed:
        await asyncio.gather(*(followed(f, ledger, case) for f in followers))

    assert (await Reconciler(bench.client, ledger, CATALOG).reconcile(settle=0)).differences == []


def test_statuses_are_known():
    """A status that the engine learns of later must be looked at before it is followed."""
    assert {"RUNNING", "COMPLETED", "FAILED", "CANCELED", "TERMINATED", "CONTINUED_AS_NEW", "TIMED_OUT", "PAUSED"} >= {
        status.name for status in WorkflowExecutionStatus
    }
