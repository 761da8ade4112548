"""The activity by which a case records a calendar, on a real engine and in the sandbox of cases."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest

from tests.calendars.dated import Dated
from tests.calendars.samples import micros
from tests.lab.contracts import Request
from workers.processes.worker import make_worker
from workers.queues import shares
from workers.settings import Settings
from workunits.client import Cases
from workunits.registry import Catalog, Package
from workunits.testing import Lab

MONDAY_TEN, TUESDAY_FOUR = (
    str(micros(moment)) for moment in (datetime(2026, 6, 8, 8, tzinfo=UTC), datetime(2026, 6, 9, 14, tzinfo=UTC))
)
"""In Berlin: two working hours, and two working days, after a Friday's 16:00."""
OFFICE = 'version = 7\nzone = "Europe/Berlin"\n[hours]\nmonday = ["09:00-17:00"]\n'


def request(calendar: str, horizons: int = 1) -> Request:
    """A case that names a calendar, and how many times 400 days it records."""
    return Request(request=uuid.uuid4().hex, mood=calendar, amount=horizons)


async def said(lab: Lab, calendar: str, horizons: int = 1) -> list[str]:
    """What a case in the test kit finds."""
    case = await lab.run(Dated, request(calendar, horizons))
    closed = await lab.client.get_workflow_handle(case.case).result()
    by: list[str] = closed["result"]["by"]
    return by


async def test_a_unit_with_a_calendar_is_tested_with_the_kit(lab):
    """The kit's worker has the activity, with the calendars that come with the library."""
    assert await said(lab, "back-office") == [MONDAY_TEN, TUESDAY_FOUR, "back-office 1"]


async def test_a_calendar_of_ones_own_in_the_kit(lab, tmp_path):
    """The kit reads the folders that it is told of."""
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk" / "7.toml").write_text(OFFICE, encoding="utf-8")
    there = Lab(calendars=[tmp_path])
    there._env = lab._env

    hours, days, name = await said(there, "desk")
    # Works on Mondays alone.
    assert (hours, name) == (str(micros(datetime(2026, 6, 8, 9, tzinfo=UTC))), "desk 7")
    assert days == str(micros(datetime(2026, 6, 15, 14, tzinfo=UTC)))


@pytest.mark.parametrize(
    ("asked", "code", "why"),
    [
        (("back-offfice", 1), "unknown_calendar", "there is no calendar 'back-offfice'; did you mean back-office?"),
        (("../back-office", 1), "unknown_calendar", "there is no calendar '../back-office'; did you mean back-office?"),
        (("broken", 1), "bad_calendar", "zone: it is missing; add it"),
        (("back-office", 6), "bad_horizon", "a horizon ends after it begins, and at most 2196 days later"),
    ],
)
async def test_what_cannot_be_recorded_fails_at_once(lab, tmp_path, asked, code, why):
    """Trying again would find the same: one attempt, with the remedy in its error."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "1.toml").write_text("version = 1\n", encoding="utf-8")
    there = Lab(calendars=[tmp_path])
    there._env = lab._env

    found, message, final = await said(there, *asked)
    assert (found, final) == (code, "True")
    assert why in message


async def test_every_worker_that_serves_cases_has_the_activity(lab, tmp_path):
    """The calendars are those of the settings' folder, then those of the catalog's packages."""
    (tmp_path / "back-office").mkdir()
    (tmp_path / "back-office" / "7.toml").write_text(OFFICE, encoding="utf-8")
    queue = f"calendars-{uuid.uuid4().hex[:8]}"
    catalog = Catalog([Package("dated", (Dated,), (), (), calendars=("workunits.calendars",))])
    settings = Settings(calendars=tmp_path, queue=queue)
    [part] = shares(settings, catalog)
    cases = Cases(lab.client, catalog, queue=queue)
    async with make_worker(lab.client, settings, catalog, part, performers=[]):
        started = await cases.start("dated", request("back-office").model_dump_json().encode())
        closed = await lab.client.get_workflow_handle(started.case).result()

    assert closed["result"]["by"][2] == "back-office 7"
