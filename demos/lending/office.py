"""The office after: who works on loans, in which roles, and in which hours. All of it is assumed.

The bank had 19 people at work on a working day (median of its log). Their hours are not in the log; at eight a day, a
sixteenth of them, for a sixteenth of the applications, are some 47 hours a week: that is what the office has in all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workers.simulating.plan import Person
from workers.stream import local_days
from workunits.calendars.pinning import pin
from workunits.calendars.spec import Calendar, Week
from workunits.calendars.store import Store, shipped
from workunits.core.working import DAY

CALENDAR = "back-office"
WEEK = 7 * DAY
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")
SCALE = 1 / 16
"""The share of the bank's applications that come in."""
_HOUR = 3_600_000_000
_FULL = 40


@dataclass(frozen=True, slots=True)
class Desk:
    """Somebody's hours for loans; the rest of the day they do other work."""

    name: str
    roles: tuple[str, ...]
    hours: str
    """On each of the days."""
    days: tuple[str, ...] = DAYS


DESKS = (
    Desk("iris", ("intake clerk", "identity officer", "credit analyst", "loan adviser"), "09:00-11:30"),
    Desk("olga", ("credit officer", "fraud analyst"), "10:00-13:00"),
    Desk(
        "stefan",
        (
            "senior credit analyst",
            "payments officer",
            "complaint handler",
            "sanctions officer",
            "senior fraud analyst",
        ),
        "13:00-15:00",
    ),
    Desk("petra", ("senior credit officer", "senior payments officer", "independent reviewer"), "15:00-16:50"),
)
"""Whoever may not do what another one has done is somebody else."""


def people(since: int, until: int) -> list[Person]:
    """Who is there, with their hours over a time: closed on the holidays of the calendar that promises count in."""
    whole = Store(shipped()).read(CALENDAR).calendar
    made = []
    for desk in DESKS:
        week = Week.model_validate(dict.fromkeys(desk.days, (desk.hours,)))
        # Short days before holidays are left out: nobody is there for loans on them.
        short = [{**day.model_dump(exclude={"hours"}), "hours": ()} for day in whole.every_year]
        own: dict[str, Any] = {"hours": week, "every_year": short}
        calendar = Calendar.model_validate({**whole.model_dump(), **own})
        made.append(Person(desk.name, desk.roles, pin(calendar, desk.name, since, until).working))
    return made


def days(since: int, until: int) -> list[tuple[int, int]]:
    """The office's days over a time, from midnight to midnight, in microseconds since 1970."""
    return local_days(Store(shipped()).pin(CALENDAR, since, until))


def quiet_monday(after: int, weeks: int) -> int:
    """The first Monday from which so many weeks have no holiday, within two years; else the next one.

    A run then gives the same whenever it is made.
    """
    hours = Store(shipped()).pin(CALENDAR, after, after + 110 * WEEK).working
    for number in range(100):
        begin = after + number * WEEK
        if all(hours.consumed(begin + n * WEEK, begin + (n + 1) * WEEK) == _FULL * _HOUR for n in range(weeks)):
            return begin
    return after
