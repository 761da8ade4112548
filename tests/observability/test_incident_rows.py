"""Incidents in the ledger: a row for each, by whatever way its case goes, and no name that is forgotten."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from sqlalchemy import select

from observability.export.hiding import Hiding
from observability.export.reading import Wanted, read
from observability.ledger.columns import metadata
from observability.ledger.erasing import forget
from observability.ledger.follower import Follower
from observability.ledger.reconcile import Reconciler
from observability.ledger.tables import cases, exceptions, incidents, steps
from observability.ledger.vanishing import mark_vanished
from tests.conftest import PACKAGE
from tests.lab.troubles import Held, Trip
from tests.patience import PATIENCE
from workunits.registry import Catalog

CATALOG = Catalog([PACKAGE])


@pytest.fixture
def follower(bench, ledger):
    """A follower into an empty ledger."""
    return Follower(bench.client, ledger, CATALOG)


@pytest.fixture
def olga() -> str:
    """A name that no other test uses: they share the engine."""
    return f"olga-{uuid.uuid4().hex}"


async def held(bench):
    """A case that is held by an incident."""
    case = (await bench.start(Held, "broken")).case
    await bench.until(case, lambda view: view.state == "incident")
    return case


async def decide(bench, case, action, by, **body):
    """Decide the incident."""
    await bench.cases.act(f"{case}/book", action, actor=by, roles=["operations"], body=body)


async def followed(follower, ledger, case, state):
    """The incident's row, once it and its case's are in this state."""
    async with asyncio.timeout(PATIENCE):
        while True:
            await follower.follow()
            with ledger.read() as connection:
                found = select(incidents).where(incidents.c.case_id == case, incidents.c.state == state)
                row = connection.execute(found).one_or_none()
            if row is not None:
                return row
            await asyncio.sleep(0.1)


def one(ledger, table, case):
    """The row of a case in a table."""
    with ledger.read() as connection:
        return connection.execute(select(table).where(table.c.case_id == case)).one()


def everything(ledger) -> str:
    """All that the ledger holds, as text."""
    with ledger.read() as connection:
        return "\n".join(str(row) for table in metadata.tables.values() for row in connection.execute(select(table)))


async def test_an_open_incident_and_a_settled_one(bench, ledger, follower, olga):
    """While it is open the case's state is `incident`; then who settled it, when and why."""
    case = await held(bench)
    row = await followed(follower, ledger, case, "open")

    assert one(ledger, cases, case).state == "incident"
    assert one(ledger, exceptions, case).routed_to == "incident"
    assert (row.key, row.step, row.code, row.tries, row.attempts) == ("book", "book", "bank_down", 1, 1)
    assert (row.closed_at, row.who, row.why) == (None, None, None)
    await decide(bench, case, "fail", olga, reason="the bank is gone")
    row = await followed(follower, ledger, case, "failed")

    assert (row.who, row.why) == (olga, "the bank is gone")
    assert row.closed_at == one(ledger, cases, case).closed_at >= row.opened_at
    assert (await Reconciler(bench.client, ledger, CATALOG).reconcile(settle=0)).differences == []


async def test_an_incident_of_a_case_that_the_engine_ended(bench, ledger, follower):
    """Nobody decided: it is closed with its case."""
    case = await held(bench)
    await followed(follower, ledger, case, "open")
    await bench.handle(case).terminate(reason="enough")
    row = await followed(follower, ledger, case, "closed")

    assert (row.who, row.closed_at) == (None, one(ledger, cases, case).closed_at)


async def test_an_incident_of_a_case_that_vanished(bench, ledger, follower):
    """As when the engine ended it."""
    case = await held(bench)
    row = await followed(follower, ledger, case, "open")
    with ledger.write() as connection:
        mark_vanished(connection, [case], row.opened_at)

    assert (one(ledger, incidents, case).state, one(ledger, incidents, case).closed_at) == ("closed", row.opened_at)
    await bench.handle(case).terminate(reason="tidy up")


async def test_a_forgotten_operator_is_named_nowhere(bench, ledger, follower, olga):
    """Neither in rows that are there, nor in those that are written later; the reason goes with the name."""
    case, later = await held(bench), await held(bench)
    words = f"her own words, {uuid.uuid4().hex}"
    await decide(bench, case, "fail", olga, reason=words)
    await followed(follower, ledger, case, "failed")
    before = everything(ledger)
    forget(ledger, "subject", olga, actor="privacy officer")
    await decide(bench, later, "fail", olga, reason=words)
    await followed(follower, ledger, later, "failed")
    await Reconciler(bench.client, ledger, CATALOG).reconcile(settle=0, repair=True)
    after = everything(ledger)

    assert olga in before
    assert words in before
    assert olga not in after
    assert words not in after
    assert one(ledger, incidents, case).who == one(ledger, incidents, later).who


async def test_a_forgotten_case_keeps_no_reason(bench, ledger, follower, olga):
    """What an operator wrote may name the customer."""
    case, words = await held(bench), f"the customer moved away, {uuid.uuid4().hex}"
    await decide(bench, case, "fail", olga, reason=words)
    await followed(follower, ledger, case, "failed")
    forget(ledger, "case", case, actor="privacy officer")
    await Reconciler(bench.client, ledger, CATALOG).reconcile(settle=0, repair=True)

    assert one(ledger, incidents, case).why is None
    assert words not in everything(ledger)


async def test_an_export_without_personal_data(bench, ledger, follower, olga):
    """The operator has an alias, the reason is left out."""
    case = await held(bench)
    await decide(bench, case, "fail", olga, reason="the customer moved away")
    await followed(follower, ledger, case, "failed")
    found = next(file for file in read(ledger, Wanted(unit="held")) if file.case["case_id"] == case)
    (shown,), (hidden,) = found.parts["incidents"], Hiding([Held]).apply(found).parts["incidents"]

    assert (shown["who"], shown["why"]) == (olga, "the customer moved away")
    assert (hidden["who"], hidden["why"]) == ("person-1", None)


async def test_which_step_undid_which(bench, ledger, follower):
    """The mark is on the step's row, and the route on the exception's."""
    case = (await bench.start(Trip, "no car")).case
    await bench.closed(case)
    async with asyncio.timeout(PATIENCE):
        while True:
            await follower.follow()
            with ledger.read() as connection:
                marked = select(steps.c.key, steps.c.undoes).where(steps.c.case_id == case, steps.c.undoes.is_not(None))
                found = {row.key: row.undoes for row in connection.execute(marked)}
            if found and one(ledger, cases, case).close:
                break
            await asyncio.sleep(0.1)

    assert found == {f"{key}-undo": key for key in ("book_guide", "book_room", "book_flight")}
    assert one(ledger, exceptions, case).routed_to == "compensate"


async def test_a_result_by_hand_of_a_model_is_no_proposal():
    """The rows are pure: what an operator gave is not counted as the model's."""
    from datetime import UTC, datetime

    from observability.ledger.proposal_rows import proposal_row
    from workunits.core.record import Record, Work

    record = Record(unit="u", version="1", case="u:1", started=datetime(2026, 1, 1, tzinfo=UTC), due=1)
    said = [
        proposal_row(record, Work(key="a", step="a", kind="ai", ready=0, done=1, end="done", by=by))["outcome"]
        for by in (None, "olga")
    ]

    assert said == ["proposed", "by_hand"]
