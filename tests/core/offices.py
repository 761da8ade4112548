"""Calendars for tests, pinned straight from rules: Berlin's zone, and hours that one can count by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from workunits.core.working import Pinned

BERLIN = ZoneInfo("Europe/Berlin")
HOLIDAYS = {date(2026, 4, 3), date(2026, 4, 6), date(2026, 5, 1), date(2026, 12, 25)}
CLOSED = (date(2026, 8, 3), date(2026, 8, 7))
FRIDAY = 4

Spans = list[tuple[int, int]]
"""Minutes of a local day."""


def office(day: date) -> Spans:
    """Monday to Friday, 9 to 17; half of Christmas Eve; holidays and a week of August off."""
    if day.weekday() > FRIDAY or day in HOLIDAYS or CLOSED[0] <= day <= CLOSED[1]:
        return []
    return [(540, 780 if (day.month, day.day) == (12, 24) else 1020)]


def night(day: date) -> Spans:
    """Every night, 22 to 6."""
    return [(0, 360), (1320, 1440)] if day.year else []


def daily(day: date) -> Spans:
    """Every day, all day."""
    return [(0, 1440)] if day.year else []


RULES: dict[str, Callable[[date], Spans]] = {"office": office, "night": night, "daily": daily}


@cache
def pinned(name: str, since: date = date(2026, 1, 1), until: date = date(2028, 12, 31)) -> Pinned:
    """One of them, for these years."""
    edges: list[int] = []
    here = _epoch(datetime.combine(since, time()))
    first, day = here, since
    while day < until:
        for begin, end in RULES[name](day):
            opens, closes = (_epoch(datetime.combine(day, time()) + timedelta(minutes=at)) for at in (begin, end))
            edges += [opens - here, closes - opens]
            here = closes
        day += timedelta(days=1)
    return Pinned(
        name=name,
        version=1,
        zone="Europe/Berlin",
        since=first * 1_000_000,
        until=_epoch(datetime.combine(until, time())) * 1_000_000,
        hours=edges,
        offsets=_offsets(since, until),
    )


def _epoch(local: datetime) -> int:
    return round(local.replace(tzinfo=BERLIN).timestamp())


def _offsets(since: date, until: date) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    at = datetime.combine(since, time(), UTC) - timedelta(days=1)
    while at.date() < until:
        offset = at.astimezone(BERLIN).utcoffset() or timedelta()
        if not found or found[-1][1] != offset.total_seconds():
            found.append((round(at.timestamp()), round(offset.total_seconds())))
        at += timedelta(hours=1)
    return found


def at(text: str) -> datetime:
    """A local time in Berlin: `2026-03-02 10:00`, with a `b` behind it for the second of two that are alike."""
    second = text.endswith("b")
    return datetime.fromisoformat(text.rstrip("b")).replace(tzinfo=BERLIN, fold=int(second)).astimezone(UTC)
