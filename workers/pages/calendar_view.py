"""What the commands of calendars say, as plain data."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from workunits.calendars.dates import Dates
from workunits.calendars.pinning import LONGEST, Edge, edges, pin
from workunits.calendars.reading import CalendarError, name_of, read
from workunits.calendars.spec import Calendar, Span
from workunits.calendars.store import Published, Store
from workunits.core.errors import BadInput
from workunits.core.working import SECOND, Due, Pinned, resolve

AHEAD = 6
"""Years, this one included, for which `check` looks at changes of clocks."""
_BUDGET = re.compile(r"(\d{1,6}(?:\.\d{1,3})?) working (minute|hour|day)s?")
_MICROSECONDS = {"minute": 60 * SECOND, "hour": 3600 * SECOND}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def listed(store: Store, name: str) -> dict[str, Any]:
    """A calendar with its versions; `zone` and `week` are null and `error` says why when its file is not right."""
    versions = store.versions(name)
    try:
        calendar = store.read(name).calendar
    except CalendarError as error:
        return {"name": name, "version": versions[-1], "versions": versions, "zone": None, "error": str(error)}
    return {"name": name, "version": versions[-1], "versions": versions, "zone": calendar.zone, "error": None}


def view(published: Published, first: date | None, days: int) -> dict[str, Any]:
    """Dates with their hours.

    Args:
        published: The calendar.
        first: The first date; the Monday of this week, there, when omitted.
        days: How many.

    Raises:
        HorizonError: nothing is known about a year among them.
    """
    calendar = published.calendar
    today = datetime.now(ZoneInfo(calendar.zone)).date()
    first = first or today - timedelta(days=today.weekday())
    try:
        last = first + timedelta(days=days - 1)
    except OverflowError:
        raise BadInput("it lies too far away", field="--from") from None
    return {
        "name": published.name,
        "version": calendar.version,
        "zone": calendar.zone,
        "days": [
            {"date": day.date, "hours": [span(one) for one in day.hours], "why": day.why}
            for day in Dates(calendar).between(first, last)
        ],
        "edges": [edge(calendar, one) for one in edges(calendar, first, last)],
    }


def due_in(published: Published, budget: str, at: str) -> dict[str, Any]:
    """When a budget of working time is over.

    Args:
        published: The calendar.
        budget: Such as `8 working hours`.
        at: From when; a local time when it has no zone, now when empty.

    Raises:
        BadInput: one of them cannot be read, or the end lies beyond six years.
        HorizonError: nothing is known about a year until then.
    """
    calendar = published.calendar
    found = _BUDGET.fullmatch(" ".join(budget.split()))
    if not found or float(found[1]) == 0 or (found[2] == "day" and not found[1].isdigit()):
        raise BadInput('write "8 working hours", "90 working minutes" or "2 working days", never 0', field="--in")
    if found[2] == "day" and int(found[1]) > LONGEST.days:
        raise BadInput(f"at most {LONGEST.days} working days", field="--in")
    start = _moment(calendar, at)
    pinned = pin(calendar, published.name, start, start + (LONGEST - timedelta(days=2)) // timedelta(microseconds=1))
    due = _due(pinned, start, found[1], found[2])
    if due is None:
        raise BadInput("it is over in more than six years; take a smaller one", field="--in")
    return {"in": found[0], "from": local(calendar, start), "at": local(calendar, due.at), "rule": due.rule}


def _due(pinned: Pinned, start: int, count: str, unit: str) -> Due | None:
    if unit == "day":
        return pinned.next_day_due(start, int(count))
    at = pinned.working.advance(start, round(float(count) * _MICROSECONDS[unit]))
    return None if at is None else Due(at)


def checked(file: Path) -> dict[str, Any]:
    """Everything about a file that someone should know before publishing it."""
    this = datetime.now(UTC).year
    said: dict[str, Any] = {"ok": False, "file": str(file), "problems": [], "edges": []}
    try:
        name, calendar = name_of(file), read(file)
    except CalendarError as error:
        return said | {"problems": [_problem(one) for one in error.problems]}
    found = edges(calendar, date(this, 1, 1), date(this + AHEAD - 1, 12, 31))
    about = {"ok": True, "name": name, "version": calendar.version, "zone": calendar.zone}
    return said | about | {"edges": [edge(calendar, one) for one in found], "years": [this, this + AHEAD - 1]}


def edge(calendar: Calendar, one: Edge) -> dict[str, Any]:
    """An opening or closing that a change of clocks concerns."""
    return {
        "date": one.date,
        "time": clock(one.minute),
        "opens": one.opens,
        "rule": one.due.rule,
        "at": local(calendar, one.due.at),
    }


def span(one: Span) -> str:
    """Say an interval: `09:00-17:00`."""
    return f"{clock(one[0])}-{clock(one[1])}"


def clock(minute: int) -> str:
    """Say a minute of the day: `09:00`."""
    return f"{minute // 60:02}:{minute % 60:02}"


def local(calendar: Calendar, at: int) -> datetime:
    """A moment on local clocks."""
    return (_EPOCH + timedelta(microseconds=at)).astimezone(ZoneInfo(calendar.zone))


def _moment(calendar: Calendar, said: str) -> int:
    try:
        when = datetime.fromisoformat(said) if said else datetime.now(UTC)
        if when.tzinfo is None:  # of two moments the first, and after a gap its end: as everywhere
            wall = (when.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
            near = (when.replace(tzinfo=UTC) + timedelta(days=n) for n in (-2, 2))
            since, until = ((moment - _EPOCH) // timedelta(microseconds=1) for moment in near)
            return resolve(pin(calendar, "", since, until).offsets, wall).at
        return (when - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        raise BadInput("write a date and time such as 2026-12-23T15:00, or with an offset", field="--at") from None


def _problem(one: Any) -> dict[str, Any]:
    return {"file": one.file, "line": one.line, "field": one.field, "why": one.why}
