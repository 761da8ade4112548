"""Calendars for tests, and what a person with a wall calendar would say of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import NamedTuple
from zoneinfo import ZoneInfo

from workunits.calendars.pinning import pin
from workunits.calendars.reading import parse
from workunits.core.working import SECOND, Pinned

MINUTE = 60 * SECOND

BERLIN = """
version = 3
zone = "Europe/Berlin"
[hours]
monday = ["09:00-12:30", "13:15-17:00"]
tuesday = ["09:00-17:00"]
wednesday = ["09:00-17:00"]
thursday = ["09:00-18:00"]
friday = ["09:00-15:00"]
[holidays]
country = "DE"
subdivision = "BE"
[[every_year]]
on = "12-24"
name = "Christmas Eve"
hours = ["08:00-12:00"]
[[every_year]]
on = "12-31"
name = "New Year's Eve"
[[dates]]
on = 2026-11-14
name = "stocktaking"
hours = ["10:00-14:00"]
[[closures]]
from = 2026-07-27
to = 2026-08-07
reason = "summer"
[[moved]]
from = 2026-05-15
to = 2026-05-30
reason = "bridge day, worked on a Saturday"
"""
YORK = """
version = 1
zone = "America/New_York"
[hours]
monday = ["00:00-06:00", "22:00-24:00"]
tuesday = ["00:00-06:00", "22:00-24:00"]
wednesday = ["00:00-06:00", "22:00-24:00"]
thursday = ["00:00-06:00", "22:00-24:00"]
friday = ["00:00-06:00", "22:00-24:00"]
saturday = ["00:00-06:00", "22:00-24:00"]
sunday = ["00:00-06:00", "22:00-24:00"]
[[every_year]]
on = "02-29"
name = "leap day"
in_common_years = "03-01"
"""
LORD_HOWE = """
version = 1
zone = "Australia/Lord_Howe"
[hours]
saturday = ["06:00-24:00"]
sunday = ["00:00-20:00"]
monday = ["07:00-07:01"]
"""
_BERLIN_FREE = {
    # Written down by hand: public holidays in Berlin, the last day of the year, and the day that was moved.
    2026: ("01-01", "03-08", "04-03", "04-06", "05-01", "05-14", "05-15", "05-25", "10-03", "12-25", "12-26", "12-31"),
    2027: ("01-01", "03-08", "03-26", "03-29"),
}
Hours = list[tuple[float, float]]
_BERLIN_WEEK: list[Hours] = [[(9, 12.5), (13.25, 17)], [(9, 17)], [(9, 17)], [(9, 18)], [(9, 15)], [], []]
_LORD_HOWE_WEEK: dict[int, Hours] = {5: [(6, 24)], 6: [(0, 20)], 0: [(7, 7 + 1 / 60)]}


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _berlin(day: date) -> Hours:
    if day == date(2026, 11, 14):
        return [(10, 14)]
    if day == date(2026, 5, 30):
        return [(9, 15)]
    if f"{day:%m-%d}" in _BERLIN_FREE[day.year] or date(2026, 7, 27) <= day <= date(2026, 8, 7):
        return []
    if day == date(2026, 12, 24):
        return [(9, 12)]
    return _BERLIN_WEEK[day.weekday()]


def _york(day: date) -> Hours:
    return [] if day in (date(2028, 2, 29), date(2027, 3, 1), date(2029, 3, 1)) else [(0, 6), (22, 24)]


def _lord_howe(day: date) -> Hours:
    return _LORD_HOWE_WEEK.get(day.weekday(), [])


class Counted(NamedTuple):
    """A pinned calendar beside a count of its minutes."""

    pinned: Pinned
    minutes: list[bool]
    """Whether each minute of the horizon is working time."""
    before: list[int]
    """How many of them lie before each minute."""
    working: list[date]
    """The working days."""


def _counted(text: str, open_on, first: date, days: int) -> Counted:
    calendar = parse(text, "sample.toml")
    zone = ZoneInfo(calendar.zone)
    begin, end = (datetime(d.year, d.month, d.day, tzinfo=zone) for d in (first, first + timedelta(days=days)))
    since, until = (micros(moment.astimezone(UTC)) for moment in (begin, end))
    hours = {day: open_on(day) for day in (first + timedelta(days=n) for n in range(days))}

    def works(minute: int) -> bool:
        local = datetime.fromtimestamp(minute * 60, zone)
        at = local.hour * 60 + local.minute
        return any(round(a * 60) <= at < round(b * 60) for a, b in hours[local.date()])

    minutes = [works(minute) for minute in range(since // MINUTE, until // MINUTE)]
    # A moment of the first day and one of the last are enough: a horizon is widened to whole days.
    pinned = pin(calendar, "sample", since + 1, until - 1)
    assert (pinned.since, pinned.until) == (since, until)
    return Counted(pinned, minutes, list(accumulate(minutes, initial=0)), [day for day in hours if hours[day]])


def count() -> dict[str, Counted]:
    """Count the minutes of three calendars over 400 days each."""
    return {
        "Berlin": _counted(BERLIN, _berlin, date(2026, 3, 1), 400),
        "New York": _counted(YORK, _york, date(2028, 2, 1), 400),
        "Lord Howe": _counted(LORD_HOWE, _lord_howe, date(2026, 3, 1), 400),
    }
