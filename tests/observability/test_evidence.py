"""Evidence that comes after the close: what counts, what it changes, and what it never overwrites."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select

from observability.ledger import evidence as telling
from observability.ledger import totals
from observability.ledger.evidence import NoSuchCaseError, NotClosedError, Told, effective_close, note, note_all
from observability.ledger.follower import Follower
from observability.ledger.keeping import audit, corrections, evidence
from observability.ledger.store import LedgerUnavailableError
from observability.ledger.tables import cases
from tests.conftest import PACKAGE
from tests.lab.contracts import Result
from tests.lab.units import Plain
from tests.observability.following import followed
from workunits.core.errors import BadInput
from workunits.core.spec import Quality, elapsed
from workunits.registry import Catalog

CATALOG = Catalog([PACKAGE])
LATE: tuple[Quality[Result], ...] = (
    Quality("complaint", within=elapsed(days=30)),
    Quality("chargeback", within=elapsed(days=90), stands=lambda found: found == 0),
)


@pytest.fixture
async def case(bench, ledger, monkeypatch):
    """A case that was achieved a moment ago, of a unit that takes evidence."""
    object.__setattr__(Plain.outcome, "quality", LATE)
    monkeypatch.setattr(Plain, "outcome", Plain.outcome)
    started = await bench.start(Plain)
    await bench.answer(await bench.task(started.case, "decide"), {"decision": "grant"})
    await bench.closed(started.case)
    await followed(Follower(bench.client, ledger, CATALOG), ledger, started.case)
    yield started.case
    object.__setattr__(Plain.outcome, "quality", ())


def rows(ledger, table):
    """All rows of a table."""
    with ledger.read() as connection:
        return connection.execute(select(table)).all()


def counts_as(ledger, case, as_of=None):
    """How a case counts by its evidence."""
    with ledger.read() as connection:
        return effective_close(connection, case, as_of)


async def test_an_outcome_that_does_not_stand_is_corrected_and_never_overwritten(ledger, case):
    """The close stays what it was; the correction is dated, and a report of before knows nothing of it."""
    before = datetime.now(UTC)
    noted = note(ledger, CATALOG, Told(case, "chargeback", 1, "bank letter 7"), actor="ops")
    with ledger.read() as connection:
        close = connection.execute(select(cases.c.close).where(cases.c.case_id == case)).scalar()

    with ledger.read() as connection:
        counted = {(metric, labels[-1]): amount for (metric, labels, _), amount, _ in totals.read(connection)}
    assert counted["workunit_corrections_total", "evidence"] == 1
    assert (noted.counts, noted.corrected, noted.close) == (True, True, "not_achieved")
    assert close == "achieved"
    assert counts_as(ledger, case) == "not_achieved"
    assert counts_as(ledger, case, before) is None
    assert [(c.from_close, c.to_close) for c in rows(ledger, corrections)] == [("achieved", "not_achieved")]


async def test_later_evidence_takes_it_back(ledger, case):
    """What was found last decides; both corrections stay."""
    earlier = datetime.now(UTC)
    note(ledger, CATALOG, Told(case, "chargeback", 1, "bank letter 7", earlier), actor="ops")
    noted = note(ledger, CATALOG, Told(case, "chargeback", 0, "bank letter 8"), actor="ops")

    assert "achieved" == noted.close == counts_as(ledger, case)
    assert len(rows(ledger, corrections)) == 2


async def test_told_twice_it_is_kept_once(ledger, case):
    """The same evidence again changes nothing."""
    told = Told(case, "chargeback", 1, "bank letter 7", datetime.now(UTC))
    first, second = [note(ledger, CATALOG, told, actor="ops") for _ in range(2)]

    assert (first.new, second.new) == (True, False)
    assert tuple(len(rows(ledger, table)) for table in (evidence, corrections, audit)) == (1, 1, 1)


async def test_a_measure_without_a_predicate_changes_no_outcome(ledger, case):
    """A complaint is counted; the outcome stands."""
    assert note(ledger, CATALOG, Told(case, "complaint", 3, "letter 1"), actor="ops").close == "achieved"


async def test_what_happened_outside_the_window_does_not_count(ledger, case):
    """Evidence from before the close is kept, and changes nothing."""
    long_ago = datetime.now(UTC) - timedelta(days=400)
    noted = note(ledger, CATALOG, Told(case, "chargeback", 1, "bank letter 7", long_ago), actor="ops")

    assert (noted.counts, noted.close) == (False, "achieved")


@pytest.mark.parametrize(
    ("told", "field"),
    [
        (Told("", "mood", 1, "x"), "measure"),
        (Told("", "chargeback", 1, " "), "source"),
        (Told("", "chargeback", 1, "x", datetime.now(UTC) + timedelta(days=1)), "occurred_at"),
    ],
)
async def test_what_does_not_fit_names_the_field(ledger, case, told, field):
    """A measure that the unit does not declare, no source, the future."""
    with pytest.raises(BadInput) as error:
        note(ledger, CATALOG, Told(case, told.measure, told.value, told.source, told.occurred_at), actor="ops")

    assert field == error.value.field


async def test_evidence_is_about_a_closed_case(bench, ledger, case):
    """An unknown case and an open one are refused."""
    started = await bench.start(Plain)
    await bench.task(started.case, "decide")
    await followed(Follower(bench.client, ledger, CATALOG), ledger, waiting=[started.case])
    with pytest.raises(NoSuchCaseError, match="has no case"):
        note(ledger, CATALOG, Told("plain:none", "chargeback", 1, "x"), actor="ops")
    with pytest.raises(NotClosedError, match="has not closed yet"):
        note(ledger, CATALOG, Told(started.case, "chargeback", 1, "x"), actor="ops")


async def test_in_bulk_what_does_not_fit_hinders_nothing_else(ledger, case, monkeypatch):
    """Each piece has its own answer, also in the same transaction and across many of them."""
    monkeypatch.setattr(telling, "_AT_A_TIME", 2)
    told = [
        Told(case, "complaint", 1, "letter 1"),
        Told(case, "mood", 1, "letter 2"),
        Told("plain:none", "complaint", 1, "letter 3"),
        Told(case, "complaint", 2, "letter 4"),
        Told(case, "complaint", 3, "letter 5"),
    ]
    found = dict(note_all(ledger, CATALOG, enumerate(told), actor="ops"))

    assert [type(found[n]).__name__ for n in range(5)] == ["Noted", "BadInput", "NoSuchCaseError", "Noted", "Noted"]
    assert {"letter 1", "letter 4", "letter 5"} == {row.source for row in rows(ledger, evidence)}


async def test_the_same_moment_in_another_zone_is_the_same_evidence(ledger, case):
    """A file that was exported elsewhere tells nothing twice."""
    at = datetime.now(UTC)
    there = at.astimezone(timezone(timedelta(hours=5)))
    told = [
        note(ledger, CATALOG, Told(case, "complaint", 1, "letter 1", when), actor="ops").new for when in (at, there)
    ]

    assert told == [True, False]


async def test_the_audit_is_only_ever_added_to(ledger, case):
    """Nobody changes or deletes an entry: the database refuses it."""
    note(ledger, CATALOG, Told(case, "complaint", 1, "letter 1"), actor="ops")
    for statement in (audit.update().values(actor="nobody"), audit.delete()):
        with pytest.raises(LedgerUnavailableError, match="only ever added"), ledger.write() as connection:
            connection.execute(statement)

    assert [row.actor for row in rows(ledger, audit)] == ["ops"]
