"""Lists from the ledger: whose tasks, in which order, a page at a time, and that indexes serve them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert

import inbox.listing
from inbox.listing import Listing
from inbox.touch import TouchTimes
from inbox.wanted import NEVER, Scope, TaskRow, Viewer, Wanted, check, cursor_of, fits, read_cursor
from observability.ledger.store import Ledger
from observability.ledger.tables import cases, steps, tasks
from tests.lab.people import PEOPLE
from tests.lab.units import UNITS
from tests.observability.conftest import database, postgres
from tests.observability.conftest import ledger as made
from workunits.core.errors import BadInput
from workunits.registry import Catalog, Package

__all__ = ["database", "made", "postgres"]

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CATALOG = Catalog([Package("tests", (*UNITS, *PEOPLE), (), ())])
ANN = Viewer(("ann",), frozenset({"clerk", "guest"}), frozenset({"plain", "pair", "sequence", "four_eyes", "silent"}))
OTTO = Viewer(("otto",), frozenset(), frozenset(unit.unit_name for unit in CATALOG))


def case_row(case_id: str, **more: Any) -> dict[str, Any]:
    """A case."""
    unit, _, key = case_id.partition(":")
    row: dict[str, Any] = {
        "case_id": case_id,
        "unit": unit,
        "version": "1",
        "business_key": key,
        "run_id": "r",
        "run_started_at": NOW,
        "changed_at": NOW,
        "written_at": NOW,
        "state": "waiting",
        "started_at": NOW,
        "record_hash": "",
    }
    return row | more


def task_row(case_id: str, step: str, role: str, due: datetime | None, **more: Any) -> dict[str, Any]:
    """An open task."""
    unit, _, key = case_id.partition(":")
    row: dict[str, Any] = {
        "task_id": f"{case_id}/{step}",
        "case_id": case_id,
        "unit": unit,
        "business_key": key,
        "step": step,
        "role": role,
        "state": "claimed" if more.get("owner") else "ready",
        "open": True,
        "revision": 1,
        "owner": None,
        "delegator": None,
        "person": None,
        "level": 0,
        "excluded": [],
        "accountable": "head of tests",
        "external": False,
        "because": None,
        "ready_at": NOW - HOUR,
        "expires_at": None,
        "due_at": due,
        "warned_at": None,
        "also": "\nhead of tests\n" if more.get("level") else "",
        "urgency": 0,
    }
    return row | more


def fill(ledger: Ledger, rows: Sequence[dict[str, Any]], *, worked: dict[tuple[str, str], list[timedelta]]) -> None:
    """Write tasks with their cases, and closed steps by which usual work times are known."""
    with ledger.write() as connection:
        for case_id in dict.fromkeys(row["case_id"] for row in rows):
            connection.execute(insert(cases).values(case_row(case_id)))
        for (unit, step), times in worked.items():
            for number, time in enumerate(times):
                closed = f"{unit}:closed-{step}-{number}"
                connection.execute(insert(cases).values(case_row(closed, state="achieved", close="achieved")))
                said = {"case_id": closed, "key": step, "step": step, "kind": "human", "ready_at": NOW, "done_at": NOW}
                span = time // timedelta(microseconds=1)
                connection.execute(insert(steps).values(said | {"ended": "done", "work_us": span}))
        connection.execute(insert(tasks), list(rows))


KINDS = (
    ("plain", "decide", "clerk"),
    ("four_eyes", "prepare", "clerk"),
    ("four_eyes", "check", "clerk"),
    ("pair", "right", "expert"),
    ("silent", "second", "expert"),
    ("council", "vote", "member"),
)


def crowd(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Many tasks of several kinds; many are due at the same moment."""
    dice = random.Random(seed)  # noqa: S311 - the same crowd each time
    found = []
    for number in range(count):
        unit, step, role = dice.choice(KINDS)
        due = NOW + timedelta(minutes=15 * dice.randrange(-40, 200))
        owner = dice.choice([None, None, "ann", "ben"])
        more: dict[str, Any] = {"owner": owner, "warned_at": NOW - HOUR if due < NOW + 2 * HOUR else None}
        found.append(task_row(f"{unit}:k{number:05d}", step, role, due, **more))
    found.append(task_row("council:passed", "vote", "member", NOW + HOUR, person="ann"))
    found.append(task_row("council:raised", "vote", "member", NOW + HOUR, level=1, accountable="clerk"))
    found.append(task_row("plain:undated", "decide", "clerk", None))
    return found


WORKED = {("plain", "decide"): [HOUR, 3 * HOUR, 2 * HOUR], ("four_eyes", "check"): [5 * HOUR]}
VIEWS = [
    *(Wanted(scope=scope) for scope in ("mine", "groups", "unclaimed", "all")),
    Wanted(scope="groups", unit="four_eyes"),
    Wanted(scope="groups", role="clerk", state="claimed"),
    Wanted(scope="all", late="overdue"),
    Wanted(scope="all", late="at_risk"),
    Wanted(scope="all", search="k0000"),
    Wanted(scope="mine", search="k0001"),
    Wanted(scope="all", search="k"),
]


def expected(rows: Sequence[dict[str, Any]], wanted: Wanted, viewer: Viewer) -> list[str]:
    """What a list holds, said the slow way: every task, filtered, sorted."""
    touch = {("plain", "decide"): 2 * HOUR, ("four_eyes", "check"): 5 * HOUR}
    made_of = []
    for row in rows:
        names = set(TaskRow.__dataclass_fields__) - {"key", "touch", "pending", "excluded"}
        usual = touch.get((row["unit"], row["step"]), timedelta(0))
        made_of.append(TaskRow(key=row["business_key"], touch=usual, **{name: row[name] for name in names}))
    chosen = sorted((row for row in made_of if fits(row, wanted, viewer, NOW)), key=lambda row: row.place)
    return [row.task_id for row in chosen]


def walked(listing: Listing, wanted: Wanted, viewer: Viewer, limit: int) -> list[str]:
    """All pages of a list."""
    found: list[str] = []
    cursor = ""
    for _ in itertools.count():
        page = listing.page(
            Wanted(**{name: getattr(wanted, name) for name in Wanted.__dataclass_fields__} | _at(cursor, limit)),
            viewer,
            NOW,
        )
        found += [row.task_id for row in page.tasks]
        if page.next is None:
            return found
        assert len(page.tasks) == limit
        cursor = page.next
    return found


def _at(cursor: str, limit: int) -> dict[str, Any]:
    return {"cursor": cursor, "limit": limit}


@pytest.fixture
def full(made: Ledger) -> tuple[Ledger, list[dict[str, Any]]]:
    """A ledger with many open tasks."""
    rows = crowd(150)
    fill(made, rows, worked=WORKED)
    return made, rows


def test_each_list_is_what_sorting_everything_gives(full, monkeypatch):
    """For every scope and filter, for a clerk and for whoever sees all, on pages of any size, from both plans."""
    ledger, rows = full
    for few in (5, 500):
        monkeypatch.setattr(inbox.listing, "FEW", few)
        listing = Listing(ledger, CATALOG)
        for wanted in VIEWS:
            for viewer in (ANN, OTTO):
                want = expected(rows, wanted, viewer)
                for limit in (200, 13):
                    assert walked(listing, wanted, viewer, limit) == want, (wanted, viewer.names, limit, few)


def test_a_token_for_some_units_sees_no_other(full):
    """Whatever its roles."""
    ledger, _ = full
    viewer = Viewer(("bot",), frozenset({"clerk"}), frozenset({"plain"}), within=frozenset({"plain"}))
    for scope in ("groups", "unclaimed", "all"):
        page = Listing(ledger, CATALOG).page(Wanted(scope=scope, limit=200), viewer, NOW)
        assert {row.unit for row in page.tasks} == {"plain"}


def test_a_step_that_takes_long_comes_before_one_that_is_due_as_soon(made: Ledger):
    """Slack is due minus now minus the median of what was measured."""
    rows = [
        task_row("plain:short", "decide", "clerk", NOW + 10 * HOUR),
        task_row("four_eyes:long", "check", "clerk", NOW + 12 * HOUR),
        task_row("four_eyes:unknown", "prepare", "clerk", NOW + 9 * HOUR),
    ]
    fill(made, rows, worked=WORKED)
    page = Listing(made, CATALOG).page(Wanted(scope="groups"), ANN, NOW)

    assert [(row.key, row.slack(NOW)) for row in page.tasks] == [
        ("long", 7 * HOUR),
        ("short", 8 * HOUR),
        ("unknown", 9 * HOUR),
    ]


def test_overdue_and_at_risk_are_told_apart(made: Ledger):
    """Overdue: the due time has passed; at risk: warned, or too little time left for the usual work."""
    rows = [
        task_row("plain:late", "decide", "clerk", NOW),
        task_row("plain:tight", "decide", "clerk", NOW + HOUR),
        task_row("four_eyes:warned", "prepare", "clerk", NOW + 6 * HOUR, warned_at=NOW),
        task_row("plain:calm", "decide", "clerk", NOW + 6 * HOUR),
    ]
    fill(made, rows, worked=WORKED)
    page = Listing(made, CATALOG).page(Wanted(scope="groups"), ANN, NOW)
    marks = {row.key: (row.is_overdue(NOW), row.is_at_risk(NOW)) for row in page.tasks}

    assert marks == {
        "late": (True, False),
        "tight": (False, True),
        "warned": (False, True),
        "calm": (False, False),
    }


def test_what_nobody_measured_is_not_zero(made: Ledger):
    """A performance of which nobody said when it began does not count as one that took no time."""
    fill(made, [task_row("plain:1", "decide", "clerk", NOW)], worked={("plain", "decide"): [HOUR]})
    with made.write() as connection:
        for number in range(5):
            case_id = f"plain:silent-{number}"
            connection.execute(insert(cases).values(case_row(case_id)))
            said = {"case_id": case_id, "key": "decide", "step": "decide", "kind": "human", "ready_at": NOW}
            connection.execute(insert(steps).values(said | {"done_at": NOW, "ended": "done", "assigned_only": True}))
    touch = TouchTimes(CATALOG)
    with made.read() as connection:
        assert touch.read(connection) == {("plain", "decide"): HOUR}


@pytest.mark.parametrize("scope", ["mine", "groups", "unclaimed", "all"])
def test_an_index_has_each_scan_in_its_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scope: Scope):
    """Nothing is read as a whole and nothing is sorted, also when someone has many tasks."""
    monkeypatch.setattr(inbox.listing, "FEW", 5)
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    ledger.migrate()
    fill(ledger, crowd(100), worked=WORKED)
    said: list[tuple[str, Any]] = []
    with ledger.read() as connection:

        def listen(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
            said.append((statement, parameters))

        event.listen(connection.engine, "before_cursor_execute", listen)
    Listing(ledger, CATALOG).page(Wanted(scope=scope), ANN, NOW)
    with ledger.read() as connection:
        event.remove(connection.engine, "before_cursor_execute", listen)
        plans = [
            str(line.detail)
            for statement, parameters in said
            if "FROM tasks" in statement
            for line in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]
    ledger.close()

    assert [plan for plan in plans if plan.startswith("SCAN tasks") or "TEMP B-TREE" in plan] == []
    who = "role" if scope in ("groups", "all") else "owner"
    assert any(f"(open=? AND {who}=? AND unit=? AND step=? AND due_at>?)" in plan for plan in plans), plans


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (Wanted(scope="theirs"), "scope"),  # type: ignore[arg-type]
        (Wanted(state="completed"), "state"),
        (Wanted(late="never"), "late"),  # type: ignore[arg-type]
        (Wanted(limit=0), "limit"),
        (Wanted(limit=201), "limit"),
        (Wanted(search="a\0"), "search"),
        (Wanted(unit="x" * 201), "unit"),
        *((Wanted(cursor=cursor), "cursor") for cursor in ("x", "W10", "!!", "WyIyMDI2LTExLTI1IiwgIngiXQ", "bnVsbA")),
    ],
)
def test_what_does_not_fit_is_refused_by_field(wanted, field):
    """Without its value."""
    with pytest.raises(BadInput) as error:
        check(wanted)

    assert error.value.field == field


def test_a_cursor_says_where_it_stands():
    """Also for a task that is due at no time."""
    rows = (row for row in [task_row("plain:1", "decide", "clerk", NOW), task_row("plain:2", "decide", "clerk", None)])
    for row in rows:
        names = set(TaskRow.__dataclass_fields__) - {"key", "touch", "pending", "excluded"}
        place = TaskRow(key="k", **{name: row[name] for name in names}).place
        assert read_cursor(cursor_of(place)) == place
    assert NEVER.tzinfo is not None
