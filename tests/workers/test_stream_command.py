"""`workunits stream` as it is typed: its window when none is named, and the hours of people in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from observability.learning.stream_load import Desk, working_days
from observability.ledger.store import Ledger
from tests.observability import test_stream
from tests.observability.test_stream import BEGIN, DAY, HOUR, keep, with_work
from tests.workers.conftest import Shell
from workers.simulating.plan import since_1970
from workers.stream import local_days
from workunits.calendars.store import Store, shipped
from workunits.core.record import Record

PEOPLE = """
[groups]
officers = ["identity officer"]

[[person]]
name = "ina"
groups = ["officers"]
"""
WEEKS = 112
YEARS_AGO = BEGIN - timedelta(weeks=208)
"""A Monday; two years of cases end long before today."""


def record(start: int, closed: int | None) -> Record:
    """A case with half an hour of work, of a moment in microseconds since `YEARS_AGO`."""
    made = test_stream.record("identity_screening", f"L-{start}", start, closed)
    return with_work(made.model_copy(update={"started": made.started - (BEGIN - YEARS_AGO)}), 0, HOUR, 2 * HOUR, "ina")


@pytest.fixture
def ledger(shell: Shell) -> Ledger:
    """The ledger where the command looks for it: a case each Monday at ten in Berlin, the last one a day long."""
    ledger = Ledger(f"sqlite:///{shell.folder / '.workunits' / 'ledger.sqlite'}")
    ledger.migrate()
    keep(ledger, [record(week * 7 * DAY + 9 * HOUR, week * 7 * DAY + 33 * HOUR) for week in range(WEEKS)])
    return ledger


def told(shell: Shell, *more: str) -> Any:
    """What the command says, with one officer in the directory."""
    people = shell.write("people.toml", PEOPLE)
    said = shell.run("stream", "lending", "--json", *more, WORKUNITS_DIRECTORY=str(people))
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)["stream"]


def test_the_ratio_of_two_years_has_the_hours_of_two_years(shell: Shell, ledger: Ledger) -> None:
    """Not those of the last one only, whatever the window; it ends with the last change, not with today."""
    stream = told(shell)
    since = YEARS_AGO + timedelta(hours=9)
    until = since + timedelta(weeks=WEEKS - 1, days=1, seconds=1)
    assert datetime.fromisoformat(stream["since"]) == since
    assert datetime.fromisoformat(stream["until"]) == until
    ends = since_1970(since), since_1970(until)
    hours = Store(shipped()).pin("back-office", *ends).working.consumed(*ends) / HOUR
    assert hours > 2 * 1900  # an office year, less holidays
    (load,) = stream["loads"]
    assert load["touch_hours"] == WEEKS
    assert load["available_hours"] == pytest.approx(hours)
    assert load["ratio"] == pytest.approx(WEEKS / hours)


def test_while_a_case_is_open_the_window_reaches_up_to_now(shell: Shell, ledger: Ledger) -> None:
    """What is open waits, so that time since the last change counts; a window of the past is as it was named."""
    keep(ledger, [record((WEEKS * 7 + 1) * DAY, None)])
    before = datetime.now(UTC)
    stream = told(shell)
    assert before <= datetime.fromisoformat(stream["until"]) <= datetime.now(UTC)
    named = told(shell, "--since", f"{YEARS_AGO.date()}", "--until", f"{(YEARS_AGO + timedelta(weeks=4)).date()}")
    assert named["loads"][0]["available_hours"] == pytest.approx(4 * 40 - 8)  # a holiday in Berlin


def test_a_window_beyond_what_calendars_say_names_the_option(shell: Shell, ledger: Ledger) -> None:
    """Hours are known for six years; it says from which day on."""
    people = shell.write("people.toml", PEOPLE)
    said = shell.run("stream", "lending", "--since", "2010-01-01", WORKUNITS_DIRECTORY=str(people))
    assert said.returncode == 2
    assert "name a later --since, such as 20" in said.stderr


@pytest.mark.parametrize(("hour", "days"), [(0, 40), (7, 40), (8, 39), (10, 39), (13, 39)])
def test_working_days_are_days_whatever_the_hour_at_which_a_window_begins(hour: int, days: int) -> None:
    """Eight weeks from Monday to Friday, over a change of clocks; a day of which some hours are outside is left out."""
    since, until = (since_1970(datetime(2026, 9, 21, hour, tzinfo=UTC) + timedelta(weeks=n)) for n in (0, 8))
    pinned = Store(shipped()).pin("back-office", since, until)
    found = working_days((since, until), [Desk("ina", (), pinned.working)], local_days(pinned))
    assert (len(found.days), found.a_week) == (days, 5)
    begins = {datetime.fromtimestamp(day[0] / 1e6, ZoneInfo("Europe/Berlin")).hour for day in found.days[1:]}
    assert begins == {0}
    assert working_days((since, until), None).a_week == 7


def test_the_queue_of_the_page_has_a_week_of_five_days(shell: Shell, ledger: Ledger) -> None:
    """The command cuts its days at midnight in Berlin, though its window begins in the middle of one."""
    since = YEARS_AGO + timedelta(weeks=40, hours=13)
    ends = "--since", since.isoformat(), "--until", (since + timedelta(weeks=8)).isoformat()
    (load,) = told(shell, *ends)["loads"]
    assert load["queue"]["days"] == 39 - 1  # the second day of Christmas is a Monday
