"""Which reminders are told of a task: those of its case's clock and of its own, each once, and no other step's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, update

from inbox.channels import Channels
from inbox.directory import Directory
from inbox.notice import Notice
from inbox.notice_tables import notices
from inbox.notice_text import compose
from inbox.noticeboard import Noticeboard
from inbox.notices import Notifier
from inbox.rungs import notices_of, read_tasks
from inbox.store import Store
from observability.ledger.store import Ledger
from observability.ledger.tables import clock_entries, clocks, tasks
from tests.inbox.conftest import PEOPLE
from tests.inbox.test_listing import CATALOG, HOUR, NOW, fill, task_row
from tests.inbox.town import PACE, store
from tests.observability.conftest import database, postgres
from workunits.client import Cases

__all__ = ["database", "postgres", "store"]

CASE = "four_eyes:1"


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    """A ledger with a case whose first step is done late, and whose second has just opened."""
    opened = Ledger(database)
    opened.migrate()
    fill(opened, [task_row(CASE, "check", "expert", NOW + HOUR)], worked={})
    with opened.write() as connection:
        for target, task, state in (
            ("unit", None, "running"),
            ("prepare.finish_by", "prepare", "stopped"),
            ("other.finish_by", "other", "running"),
            ("check.finish_by", "check", "running"),
            ("check.start_by", "check", "stopped"),
        ):
            row = {"case_id": CASE, "target": target, "promise": target, "budget_us": 1, "state": state, "task": task}
            connection.execute(insert(clocks).values(row))
    yield opened
    opened.close()


class Fired:
    """Lets clocks fire, one after another."""

    def __init__(self, ledger: Ledger) -> None:
        """Begin with none."""
        self._ledger = ledger
        self.seq = 0

    def __call__(self, target: str, entry: str = "passed", number: int = 0, generation: int = 1) -> None:
        """Let one fire."""
        self.seq += 1
        at = NOW + timedelta(seconds=self.seq)
        row: dict[str, Any] = {
            "case_id": CASE,
            "seq": self.seq,
            "target": target,
            "entry": entry,
            "due_at": at,
            "at": at,
        }
        with self._ledger.write() as connection:
            connection.execute(insert(clock_entries).values(row | {"number": number, "generation": generation}))


@pytest.fixture
def fired(ledger: Ledger) -> Fired:
    """How clocks fire in the ledger."""
    return Fired(ledger)


@pytest.fixture
def places(people: Path, tmp_path: Path) -> tuple[Directory, Channels]:
    """Who is who, and how they are reached."""
    path = tmp_path / "channels.toml"
    path.write_text(PACE, encoding="utf-8")
    path.chmod(0o600)
    assert people.read_text(encoding="utf-8") == PEOPLE
    return Directory.watch(people, every=0), Channels.watch(path, every=0)


def due(ledger: Ledger, places: tuple[Directory, Channels]) -> list[Notice]:
    """The notices that the open task is due, without its assignment."""
    with ledger.read() as connection:
        (seen,), _ = read_tasks(connection, None)
    found = notices_of(seen, *places, CATALOG, NOW)
    return [one for one in found if one.rung != "assignment"]


def test_another_steps_reminders_are_not_told_and_ones_own_are(
    ledger: Ledger, fired: Fired, places: tuple[Directory, Channels]
):
    """Of other steps' clocks nothing, done or not; of the case's and the task's own, each by a name of its own."""
    for number in (1, 2, 3):
        fired("prepare.finish_by", number=number)
        fired("other.finish_by", number=number)
    fired("check.start_by", number=1)
    assert due(ledger, places) == []

    fired("unit", number=1)
    fired("check.finish_by", number=1)
    told = due(ledger, places)
    ids = [f"notice:{CASE}/check:passed-1-{clock}-1" for clock in ("unit", "finish_by")]
    assert [one.id for one in told] == ids
    assert told[0].recipients[:2] == ("person:cleo", "person:dora")


def test_what_was_taken_back_is_not_told_and_what_fires_anew_is(
    ledger: Ledger, fired: Fired, places: tuple[Directory, Channels]
):
    """After an adjustment of the clock its reminders begin anew; another clock's stay."""
    fired("unit", number=1)
    fired("check.finish_by", number=1)
    fired("check.finish_by", number=2)
    fired("check.finish_by", "withdrawn")
    assert [one.rung for one in due(ledger, places)] == ["passed-1-unit-1"]
    fired("check.finish_by", number=1, generation=2)
    assert [one.rung for one in due(ledger, places)] == ["passed-1-unit-1", "passed-1-finish_by-2"]


def test_of_a_clock_that_does_not_run_any_more_nobody_is_reminded(
    ledger: Ledger, fired: Fired, places: tuple[Directory, Channels]
):
    """Such as one that was declared void."""
    fired("unit", number=1)
    with ledger.write() as connection:
        connection.execute(update(clocks).where(clocks.c.target == "unit").values(state="void"))
    assert due(ledger, places) == []


def test_what_an_older_version_told_is_not_told_again(
    ledger: Ledger, fired: Fired, places: tuple[Directory, Channels], store: Store
):
    """It named them by their number alone; what fires later is told, also of a clock whose number was used up."""
    board = Noticeboard(store)
    notifier = Notifier(cast("Cases", Engineless()), ledger, board, *places)
    fired("unit", number=1)
    old = Notice(f"{CASE}/check", "passed-1", "candidates", ("person:cleo",), "four_eyes", "1", "check", "expert")
    board.add([old], 10, NOW + timedelta(minutes=1))
    fired.seq = 120
    fired("check.finish_by", number=1)
    with ledger.read() as connection:
        seen, _ = read_tasks(connection, None)
    notifier._put_up(seen, NOW + HOUR)
    notifier._put_up(seen, NOW + HOUR)

    with store.read() as connection:
        rungs = connection.execute(notices.select().order_by(notices.c.made_at, notices.c.rung)).all()
    assert [row.rung for row in rungs] == ["passed-1", "assignment", "passed-1-finish_by-1"]


def known(tmp_path: Path, *more: str) -> Directory:
    """The people, with further entries."""
    path = tmp_path / "more.toml"
    path.write_text("\n".join([PEOPLE, *more]), encoding="utf-8")
    return Directory.watch(path)


def away(*names: str) -> list[str]:
    """Absences with nobody who stands in."""
    there = "[[absence]]\nperson = {name}\nfrom = 2020-01-01\nuntil = 2090-01-01\n"
    return [there.replace("{name}", f'"{name}"') for name in names]


def test_whoever_owns_the_unit_and_may_take_the_task_is_reminded_once(
    ledger: Ledger, fired: Fired, places: tuple[Directory, Channels], store: Store, tmp_path: Path
):
    """Twice the same recipient would keep the whole pass from being put up, and everybody from being told."""
    owned = PEOPLE.replace('experts = ["expert"]', 'experts = ["expert", "test owner"]')
    path = tmp_path / "owned.toml"
    path.write_text(owned, encoding="utf-8")
    board = Noticeboard(store)
    notifier = Notifier(cast("Cases", Engineless()), ledger, board, Directory.watch(path), places[1])
    fired("unit", number=1)
    with ledger.read() as connection:
        seen, _ = read_tasks(connection, None)

    assert notifier._put_up(seen, NOW + HOUR) == 2
    assert [one.recipients for one in board.new()] == [("person:cleo", "person:dora")] * 2


def test_where_all_of_a_role_are_away_they_are_told_nevertheless(
    ledger: Ledger, places: tuple[Directory, Channels], tmp_path: Path
):
    """A notice is told once only: nobody would hear of the task, not even on their return."""
    with ledger.read() as connection:
        (seen,), _ = read_tasks(connection, None)

    def told(*names: str) -> tuple[str, ...]:
        return next(notices_of(seen, known(tmp_path, *away(*names)), places[1], CATALOG, NOW)).recipients

    assert told("cleo") == ("person:dora",)
    assert told("cleo", "dora") == ("person:cleo", "person:dora")
    seen.row.excluded.append("cleo")
    assert told("dora") == ("person:dora",)


def test_whom_four_eyes_keep_from_a_task_is_not_told_that_it_went_up(
    ledger: Ledger, places: tuple[Directory, Channels]
):
    """The role to which it went may take it; who did what is checked may not."""
    with ledger.write() as connection:
        connection.execute(update(tasks).values(level=1, also="\nclerk\n", excluded=["ben"]))
    (also,) = [one for one in due(ledger, places) if one.rung == "escalation-1-also"]

    assert also.recipients == ("person:ann", "person:cleo")


async def test_a_clock_that_is_set_back_puts_off_no_look_at_all_tasks(
    ledger: Ledger, places: tuple[Directory, Channels], store: Store, monkeypatch: pytest.MonkeyPatch
):
    """What was written meanwhile is older than how far the notifier came, and only such a look finds it."""
    wall, since_boot = [NOW + 2 * HOUR], [1000.0]

    class Wall(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return wall[0].astimezone(tz)

    monkeypatch.setattr("inbox.notices.datetime", Wall)
    monkeypatch.setattr("inbox.notices.time", SimpleNamespace(monotonic=lambda: since_boot[0]))
    looked: list[datetime | None] = []

    def look(_: object, since: datetime | None) -> tuple[list[Any], datetime]:
        looked.append(since)
        return [], NOW + 2 * HOUR

    monkeypatch.setattr("inbox.notices.read_tasks", look)
    board = Noticeboard(store)
    board.open()
    notifier = Notifier(cast("Cases", Engineless()), ledger, board, *places)
    await notifier.follow()
    wall[0] -= HOUR
    for _ in range(2):
        since_boot[0] += 301
        await notifier.follow()

    assert [since is None for since in looked] == [True, False, True]


class Engineless:
    """A way to cases that knows the units and nothing else."""

    catalog = CATALOG


def test_a_reminder_says_that_it_is_one():
    """Not that the task may be taken, as if it had just come."""
    what = {"unit": "four_eyes", "key": "1", "step": "check", "role": "expert"}
    reminder = Notice(f"{CASE}/check", "passed-2-unit-1", "candidates", ("person:cleo",), **what)
    title, text = compose([reminder], "", ZoneInfo("UTC"), "r")

    assert title == "Overdue: check, four eyes 1"
    assert "A reminder: it is still open after its due time." in text
