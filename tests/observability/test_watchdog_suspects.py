"""What the watchdog takes from the ledger, in both databases: overdue cases, tasks for nobody, incidents."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Column, MetaData, String, Table, select

from inbox.directory import Directory
from inbox.roster import Person, Roster
from observability.ledger.follower import Follower
from observability.ledger.moment import Moment
from observability.ledger.store import Ledger
from observability.ledger.tables import cases
from tests.conftest import PACKAGE
from tests.lab.units import Plain
from workers.watching.suspects import LedgerSide
from workunits.registry import Catalog

CATALOG = Catalog([PACKAGE])
CLERKS = Directory(Roster(people={"ann": Person("ann", "Ann", groups=("clerks",))}, groups={"clerks": ("clerk",)}))
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
    await follower.follow()
    with ledger.read() as connection:
        begun = connection.execute(select(cases.c.started_at).where(cases.c.case_id == started.case)).scalar_one()
    within = Plain.outcome.within.span
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
    await follower.follow()

    assert said == [False, True, False, True]
    assert people == [False, True]
    assert not suspects(begun + within * 2, NOBODY)


def test_it_reads_open_incidents_where_there_is_a_table_of_them(ledger, side):
    """Without one there is nothing to say; with one, of each incident that nobody has resolved."""
    now = datetime(2026, 3, 2, 12, tzinfo=UTC)
    incidents = Table(
        "incidents",
        MetaData(),
        *(Column(name, String(200)) for name in ("case_id", "unit", "key", "cause")),
        *(Column(name, Moment) for name in ("opened_at", "resolved_at")),
    )

    def told() -> list[dict[str, object]]:
        found = side.look(now, timedelta(0), namespace=None, directory=None).findings
        return [finding.as_data() for finding in found]

    before = told()
    with ledger.write() as connection:
        incidents.create(connection)
        row = {"case_id": "plain:1", "unit": "plain", "key": "look", "cause": "the shop is down", "opened_at": now}
        connection.execute(incidents.insert(), [row | {"resolved_at": None}, row | {"key": "x", "resolved_at": now}])
    [found] = told()

    assert before == []
    assert (found["case"], found["unit"], found["kind"], found["about"]) == ("plain:1", "plain", "incident", "look")
    assert found["since"] == now
    assert found["cause"] == "its step look has failed for good and waits for an operator: the shop is down"
