"""What is forgotten stays forgotten, whoever writes rows; and what is pruned does not come back."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from observability.ledger import letters
from observability.ledger.columns import metadata
from observability.ledger.erasing import export_marks, forget, import_marks
from observability.ledger.follower import Follower
from observability.ledger.forgetting import Forgetting
from observability.ledger.keeping import audit, dead_letters, evidence
from observability.ledger.letters import Letter
from observability.ledger.pruning import prune, pruned, units_of
from observability.ledger.reconcile import Reconciler
from observability.ledger.store import Ledger
from observability.ledger.tables import cases, steps, tasks
from observability.ledger.writing import write
from observability.output import OutputExistsError
from tests.conftest import PACKAGE
from tests.lab.units import Plain, Ruled
from tests.observability.event_log import a_case, put
from tests.observability.following import followed
from tests.observability.invented import case_rows, records
from workunits.core.errors import BadInput
from workunits.core.record import ClockEntry
from workunits.registry import Catalog

CATALOG = Catalog([PACKAGE])


@pytest.fixture
def clerk() -> str:
    """A name that no other test uses: they share the engine."""
    return f"clerk-{uuid.uuid4().hex}"


@pytest.fixture
def customer() -> str:
    """The same for one outside."""
    return f"customer-{uuid.uuid4().hex}@example.com"


async def closed_case(bench, clerk, customer):
    """A case that the customer and a clerk had their part in."""
    started = await bench.start(Ruled, "unreadable")
    await bench.answer(await bench.task(started.case, "mend"), {"request": "r", "mood": "odd"}, by=customer)
    await bench.answer(await bench.task(started.case, "look_by_hand"), {"risk": "seen"}, by=clerk)
    await bench.closed(started.case)
    return started.case


def everything(ledger) -> str:
    """All that the ledger holds, as text."""
    with ledger.read() as connection:
        return "\n".join(str(row) for table in metadata.tables.values() for row in connection.execute(select(table)))


def figures_of(ledger, case):
    """The numbers of a case."""
    with ledger.read() as connection:
        row = connection.execute(select(cases).where(cases.c.case_id == case)).mappings().one()
    return {name: value for name, value in row.items() if isinstance(value, int | float | bool)}


async def test_a_forgotten_person_is_named_nowhere_and_figures_stay(bench, ledger, clerk, customer):
    """Neither the follower nor a repair brings the name back, though the engine still has it."""
    case = await closed_case(bench, clerk, customer)
    follower = Follower(bench.client, ledger, CATALOG)
    await followed(follower, ledger, case)
    before, there = figures_of(ledger, case), everything(ledger)
    about = forget(ledger, "subject", clerk, actor="privacy officer")
    another = await closed_case(bench, clerk, customer)
    await followed(follower, ledger, another)
    await Reconciler(bench.client, ledger, CATALOG).reconcile(settle=0, repair=True)
    found = await Reconciler(bench.client, ledger, CATALOG).reconcile(settle=0)

    assert clerk in there
    assert about == 1
    assert clerk not in everything(ledger)
    assert customer in everything(ledger)
    assert before == figures_of(ledger, case)
    assert figures_of(ledger, another)["handoffs_hh"] == before["handoffs_hh"]
    assert found.differences == []


@pytest.mark.parametrize("arrives", ["before", "after"])
def test_whom_four_eyes_keep_from_a_task_is_a_name_too(ledger, clerk, arrives):
    """An open task lists who may not do it; the list keeps its length, and no name in it comes back."""
    made, again = (a_case("1", close=None, closed_at=None) for _ in range(2))
    for row in (*made.tasks, *again.tasks):
        row.update(open=True, excluded=[clerk, "ann"])
    if arrives == "before":
        put(ledger, made)
        assert clerk in everything(ledger)
    about = forget(ledger, "subject", clerk, actor="privacy officer")
    with ledger.write() as connection:
        write(connection, [again], Forgetting.load(connection), datetime.now(UTC), again=True)
    with ledger.read() as connection:
        listed = connection.execute(select(tasks.c.excluded)).scalars().all()

    assert about == (arrives == "before")
    assert clerk not in everything(ledger)
    assert {(2, "ann")} == {(len(names), names[1]) for names in listed}


@pytest.mark.parametrize("arrives", ["before", "after"])
def test_what_a_forgotten_person_said_of_a_clock_goes_too(ledger, clerk, arrives):
    """As what they said of an incident: whether the rows were there already or come later, and others' words stay."""
    made, again = (a_case("1", entries=[_paused(clerk, "hers"), _paused("ann", "another's")]) for _ in range(2))
    if arrives == "before":
        put(ledger, made)
        assert "hers" in everything(ledger)
    forget(ledger, "subject", clerk, actor="privacy officer")
    if arrives == "after":
        put(ledger, again)

    assert "hers" not in everything(ledger)
    assert "a letter of another's" in everything(ledger)


def _paused(by: str, whose: str) -> ClockEntry:
    told = f"a letter of {whose}"
    return ClockEntry(at=1, clock="unit", entry="pause", by=by, reason="customer", evidence=told)


async def test_a_forgotten_case_keeps_its_figures(bench, ledger, clerk, customer):
    """The customer's name goes, the clerk's stays: it is not the case's."""
    case = await closed_case(bench, clerk, customer)
    await followed(Follower(bench.client, ledger, CATALOG), ledger, case)
    before = figures_of(ledger, case)
    forget(ledger, "case", case, actor="privacy officer")
    with ledger.read() as connection:
        row = connection.execute(select(cases).where(cases.c.case_id == case)).one()
        performers = connection.execute(select(steps.c.performer).where(steps.c.case_id == case)).scalars().all()

    assert customer not in everything(ledger)
    assert clerk in performers
    assert row.forgotten_at is not None
    assert row.record is None
    assert before == figures_of(ledger, case)


async def test_a_case_that_is_forgotten_before_it_arrives(bench, ledger, clerk, customer):
    """The mark comes first; the row that the follower then writes honours it."""
    case = await closed_case(bench, clerk, customer)
    forget(ledger, "case", case, actor="privacy officer")
    await followed(Follower(bench.client, ledger, CATALOG), ledger, case)

    assert customer not in everything(ledger)
    assert "achieved" in everything(ledger)


async def test_a_restored_copy_forgets_again(bench, ledger, clerk, customer, tmp_path: Path):
    """Marks are kept beside backups; a ledger that was restored from before takes them over."""
    case = await closed_case(bench, clerk, customer)
    await followed(Follower(bench.client, ledger, CATALOG), ledger, case)
    forget(ledger, "subject", clerk, actor="privacy officer")
    forget(ledger, "case", case, actor="privacy officer")
    kept = tmp_path / "marks.json"
    marks = export_marks(ledger, kept)
    with pytest.raises(OutputExistsError, match="exists already"):
        export_marks(ledger, kept)
    assert export_marks(ledger, kept, replace=True) == marks
    assert kept.stat().st_mode & 0o777 == 0o600
    older = Ledger(f"sqlite:///{tmp_path / 'older.sqlite'}")
    older.migrate()
    await followed(Follower(bench.client, older, CATALOG), older, case)
    restored = everything(older)
    import_marks(older, kept, actor="privacy officer")
    await Follower(bench.client, older, CATALOG).follow()

    assert marks == 2
    assert clerk not in kept.read_text(encoding="utf-8")
    assert clerk in restored
    assert clerk not in everything(older)
    assert customer not in everything(older)
    older.close()


def test_a_file_without_marks_is_refused(ledger, tmp_path: Path):
    """Nothing is changed by it."""
    file = tmp_path / "marks.json"
    file.write_text("{}", encoding="utf-8")
    with pytest.raises(BadInput, match="holds no marks"):
        import_marks(ledger, file, actor="privacy officer")


async def test_what_was_pruned_does_not_come_back(bench, ledger):
    """Cases go with all that they consist of; the engine still lists them, and the follower leaves them out."""
    started = await bench.start(Plain)
    await bench.answer(await bench.task(started.case, "decide"), {"decision": "grant"})
    await bench.closed(started.case)
    running = await bench.start(Plain)
    await bench.task(running.case, "decide")
    await followed(Follower(bench.client, ledger, CATALOG), ledger, started.case, waiting=[running.case])
    now = datetime.now(UTC)
    counted = prune(ledger, ["plain"], now, actor="ops", dry_run=True)
    done = prune(ledger, ["plain"], now, actor="ops", dry_run=False)
    await Follower(bench.client, ledger, CATALOG).follow()
    with ledger.read() as connection:
        left = set(connection.execute(select(cases.c.case_id).where(cases.c.unit == "plain")).scalars())
        told = connection.execute(select(audit.c.what, audit.c.actor)).all()

    assert counted == done
    assert started.case not in left
    assert running.case in left
    assert ("prune", "ops") in [tuple(row) for row in told]
    assert (await Reconciler(bench.client, ledger, CATALOG).reconcile(settle=0)).differences == []


async def test_evidence_that_a_forgotten_person_told_is_renamed_in_a_restored_copy(bench, ledger, clerk, tmp_path):
    """Also a person who appears nowhere else; and who asked for a cancel."""
    started = await bench.start(Plain)
    await bench.task(started.case, "decide")
    await bench.cases.cancel(started.case, actor=clerk, reason="not needed")
    await bench.closed(started.case)
    teller = f"teller-{clerk}"
    await followed(Follower(bench.client, ledger, CATALOG), ledger, started.case)
    told = {"case_id": started.case, "measure": "m", "value": 1.0, "source": "s", "counts": True}
    dated = {"evidence_id": "e", "occurred_at": datetime.now(UTC), "recorded_at": datetime.now(UTC)}
    with ledger.write() as connection:
        connection.execute(insert(evidence).values(**told, **dated, recorded_by=teller))
    other = Ledger(f"sqlite:///{tmp_path / 'other.sqlite'}")
    other.migrate()
    for name in (clerk, teller):
        forget(other, "subject", name, actor="privacy officer")
    export_marks(other, tmp_path / "marks.json")
    other.close()
    import_marks(ledger, tmp_path / "marks.json", actor="privacy officer")

    assert clerk not in everything(ledger)


async def test_pruning_knows_vanished_cases_and_units_of_no_catalog(bench, ledger):
    """A case that vanished is as old as its end; a unit that no catalog has can be pruned; the mark never goes back."""
    with ledger.write() as connection:
        for name, ended in (("old", 500), ("gone", 1)):
            record = next(records(1, unit="retired"))
            record.case = f"retired:{name}"
            rows = case_rows(record)
            closed = datetime.now(UTC) - timedelta(days=ended)
            rows.case.update(
                changed_at=datetime.now(UTC) - timedelta(days=500), closed_at=closed, vanished=name == "gone"
            )
            write(connection, [rows], Forgetting.load(connection), datetime.now(UTC))
    early, late = (datetime.now(UTC) - timedelta(days=days) for days in (400, 100))
    counted = [prune(ledger, units_of(ledger), before, actor="ops", dry_run=False) for before in (late, early)]
    with ledger.read() as connection:
        left = connection.execute(select(cases.c.case_id).where(cases.c.unit == "retired")).scalars().all()
        mark = pruned(connection)["retired"]

    assert counted == [{"retired": 1}, {}]
    assert left == ["retired:gone"]
    assert mark == late


def test_pruning_the_future_is_refused(ledger):
    """What is not there yet is not old."""
    with pytest.raises(BadInput, match="past"):
        prune(ledger, ["plain"], datetime.now(UTC) + timedelta(days=1), actor="ops", dry_run=False)


async def test_a_letter_of_a_forgotten_case_keeps_no_copy(bench, ledger):
    """Neither when it is refused first, nor when it is tried again."""
    started = await bench.start(Plain)
    await bench.task(started.case, "decide")
    execution = await bench.handle(started.case).describe()
    with ledger.write() as connection:
        letters.keep(connection, [Letter(execution, "unread")], datetime.now(UTC))
        before = connection.execute(select(dead_letters.c.payload)).scalar()
    forget(ledger, "case", started.case, actor="privacy officer")
    with ledger.write() as connection:
        letters.keep(
            connection, [Letter(execution, "unread")], datetime.now(UTC), forgetting=Forgetting.load(connection)
        )
        after = connection.execute(select(dead_letters.c.payload)).scalar()

    assert before
    assert after == ""
