"""What the watchdog takes from the ledger, in both databases: overdue cases, tasks for nobody, incidents."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, inspect, select

from inbox.directory import Directory
from inbox.roster import Person, Roster
from observability.ledger.follower import Follower
from observability.ledger.moment import Moment
from observability.ledger.store import Ledger
from observability.ledger.tables import cases
from tests.conftest import PACKAGE
from tests.lab.units import Plain
from tests.observability.following import followed
from workers.watching.finding import Finding
from workers.watching.suspects import LedgerSide
from workunits.core.spec import Elapsed
from workunits.registry import Catalog

CATALOG = Catalog([PACKAGE])
CLERKS = Directory(Roster(people={"ann": Person("ann", "Ann", groups=("clerks",))}, groups={"clerks": ("clerk",)}))
INCIDENTS = Table(
    "incidents",
    MetaData(),
    *(Column(name, String(200)) for name in ("case_id", "key", "step", "code", "state")),
    *(Column(name, Integer) for name in ("tries", "attempts")),
    Column("opened_at", Moment),
)
NOBODY = Directory(Roster(people={"ann": Person("ann", "Ann")}))


@pytest.fixture
def side(database: str, ledger: Ledger):
    """The watchdog's way into the ledger."""
    opened = LedgerSide(database, CATALOG)
    yield opened
    opened.close()


async def test_it_suspects_what_is_overdue_and_what_nobody_can_do(bench, ledger, side):
    """Warning and deadline by their times, a task by its people; a case that has closed is suspected of nothing."""
    follower = Follower(bench.client, ledger, CATALOG)
    started = await bench.start(Plain)
    task = await bench.task(started.case, "decide")
    await followed(follower, ledger, waiting=[started.case])
    with ledger.read() as connection:
        begun = connection.execute(select(cases.c.started_at).where(cases.c.case_id == started.case)).scalar_one()
    promised = Plain.outcome.within
    assert isinstance(promised, Elapsed)
    within = promised.span
    warn = begun + within * Plain.outcome.warn

    def suspects(now: datetime, directory: Directory | None = None, grace: float = 0) -> bool:
        look = side.look(now, timedelta(seconds=grace), namespace=None, directory=directory)
        return started.case in look.cases

    moment = timedelta(milliseconds=1)
    said = [
        suspects(warn - moment),
        suspects(warn + moment),
        suspects(warn + moment, grace=1),
        suspects(begun + within * 2),
    ]
    people = [suspects(begun, CLERKS), suspects(begun, NOBODY)]
    await bench.answer(task, {"decision": "grant"})
    await bench.closed(started.case)
    await followed(follower, ledger, started.case)

    assert said == [False, True, False, True]
    assert people == [False, True]
    assert not suspects(begun + within * 2, NOBODY)


async def test_it_reads_open_incidents_where_there_is_a_table_of_them(bench, ledger, side):
    """Without one there is nothing to say; with one, of each that waits for an operator while its case is open."""
    now = datetime(2026, 3, 2, 12, tzinfo=UTC)
    follower = Follower(bench.client, ledger, CATALOG)
    started = await bench.start(Plain)
    task = await bench.task(started.case, "decide")
    await followed(follower, ledger, waiting=[started.case])

    def told() -> list[Finding]:
        return list(side.look(now, timedelta(0), namespace=None, directory=None).findings)

    before = told()
    with ledger.write() as connection:
        if not inspect(connection).has_table("incidents"):
            INCIDENTS.create(connection)
        row = {"case_id": started.case, "key": "look", "step": "look", "code": "ShopDown", "tries": 2, "attempts": 6}
        row |= {"opened_at": now, "state": "open"}
        rows = [row, *(row | {"key": state, "state": state} for state in ("retrying", "resolved", "failed", "closed"))]
        connection.execute(INCIDENTS.insert(), rows)
    found = told()
    await bench.answer(task, {"decision": "grant"})
    await bench.closed(started.case)
    await followed(follower, ledger, started.case)

    assert before == []
    assert [(one.case, one.unit, one.kind, one.about, one.since) for one in found] == [
        (started.case, "plain", "incident", "look", now)
    ]
    assert found[0].cause == "its step look failed for good, 2 time(s), and waits for an operator: ShopDown"
    assert told() == []
