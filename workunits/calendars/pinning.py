"""From a calendar to what a case keeps of it: working intervals and offsets for a horizon, in whole seconds.

Where clocks change, an interval that opens or closes at a local time which they skip does so at the end of the gap;
at one which they show twice it opens with the first and closes with the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import chain, pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from workunits.calendars.dates import Dates, HorizonError
from workunits.calendars.spec import MIDNIGHT, Calendar, Span
from workunits.core.working import DAY, SECOND, Due, Pinned, resolve

LONGEST = timedelta(days=6 * 366)
"""The longest horizon."""
EARLIEST, LATEST = date(1971, 1, 1), date(2999, 12, 31)
_MINUTE = 60 * SECOND
_EPOCH = date(1970, 1, 1)
_LOOK_EVERY = 6 * 3600
"""Seconds between looks at a zone's offset; no zone has two changes within them."""


class Edge(NamedTuple):
    """Where working time opens or closes at a local time that clocks skip or show twice."""

    date: date
    minute: int
    """Of the local day."""
    opens: bool
    due: Due
    """The moment that is taken, and the rule."""


def pin(calendar: Calendar, name: str, since: int, until: int) -> Pinned:
    """Record a calendar for a horizon, widened to whole local days.

    Args:
        calendar: The calendar.
        name: What it is called.
        since: Microseconds since 1970.
        until: The same; at most six years later.

    Raises:
        HorizonError: the horizon is empty or too long, or nothing is known about a year in it.
    """
    if not 0 < until - since <= LONGEST // timedelta(microseconds=1):
        raise HorizonError(f"a horizon ends after it begins, and at most {LONGEST.days} days later")
    try:
        first, last = (local_date(calendar, at) for at in (since, until - 1))
    except (OverflowError, ValueError):
        first = last = date.min
    return _pin(calendar, name, first, last)


def local_date(calendar: Calendar, at: int) -> date:
    """The date on local clocks at a moment."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).astimezone(ZoneInfo(calendar.zone)).date()


def edges(calendar: Calendar, first: date, last: date) -> list[Edge]:
    """Name every opening and closing between two dates that is not simply at its local time.

    Raises:
        HorizonError: nothing is known about a year between them.
    """
    offsets = _offsets(calendar.zone, first, last)
    # Only around a change of clocks can there be any.
    near = {local_date(calendar, begin * SECOND) + timedelta(days=n) for begin, _ in offsets[1:] for n in (-1, 0, 1)}
    dates = Dates(calendar)
    found = (
        Edge(day, minute, opens, _resolved(offsets, day, minute, opens=opens))
        for day in sorted(near)
        if first <= day <= last
        for span in dates.on(day).hours
        for minute, opens in zip(span, (True, False), strict=True)
    )
    return [edge for edge in found if edge.due.rule]


@lru_cache(maxsize=64)  # cases that start on the same day ask for the same
def _pin(calendar: Calendar, name: str, first: date, last: date) -> Pinned:
    offsets = _offsets(calendar.zone, first, last)
    since, until = (resolve(offsets, _midnight(day)).at for day in (first, last + timedelta(days=1)))
    spans = _merged(_spans(calendar, offsets, first, last))
    inside = [(max(begin, since), min(end, until)) for begin, end in spans if begin < until and end > since]
    moments = [since, *chain.from_iterable(inside)]
    return Pinned(
        name=name,
        version=calendar.version,
        zone=calendar.zone,
        since=since,
        until=until,
        hours=[(later - earlier) // SECOND for earlier, later in pairwise(moments)],
        offsets=offsets,
    )


def _spans(calendar: Calendar, offsets: list[tuple[int, int]], first: date, last: date) -> Iterator[Span]:
    """The working intervals as moments; they may overlap where clocks go back."""
    for day in Dates(calendar).between(first, last):
        for begin, end in day.hours:
            opens, closes = (_resolved(offsets, day.date, at, opens=at == begin).at for at in (begin, end))
            if opens < closes:
                yield opens, closes


def _resolved(offsets: list[tuple[int, int]], day: date, minute: int, *, opens: bool) -> Due:
    # 24:00 is the next day's beginning.
    return resolve(offsets, _midnight(day) + minute * _MINUTE, last=not opens and minute < MIDNIGHT)


def _midnight(day: date) -> int:
    return (day - _EPOCH).days * DAY


def _merged(spans: Iterable[Span]) -> Iterator[Span]:
    """The intervals without overlaps, in order."""
    open_: Span | None = None
    for begin, end in sorted(spans):
        if open_ and begin <= open_[1]:
            open_ = open_[0], max(end, open_[1])
            continue
        if open_:
            yield open_
        open_ = begin, end
    if open_:
        yield open_


@lru_cache(maxsize=64)
def _offsets_of(zone: str, begin: int, end: int) -> tuple[tuple[int, int], ...]:
    there = ZoneInfo(zone)

    def ahead(second: int) -> int:
        offset = datetime.fromtimestamp(second, there).utcoffset()
        return (offset or timedelta(0)) // timedelta(seconds=1)

    found = [(begin, ahead(begin))]
    for earlier, later in pairwise(range(begin, end + _LOOK_EVERY, _LOOK_EVERY)):
        if ahead(later) != found[-1][1]:
            low, high = earlier, later
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if ahead(middle) == found[-1][1] else (low, middle)
            found.append((high, ahead(high)))
    return tuple(found)


def _offsets(zone: str, first: date, last: date) -> list[tuple[int, int]]:
    """The zone's offsets, a little beyond both dates: whatever their midnights are, they lie within."""
    if not EARLIEST <= first <= last <= LATEST:
        raise HorizonError(f"dates lie between the years {EARLIEST.year} and {LATEST.year}")
    begin, end = (_midnight(day) // SECOND for day in (first - timedelta(days=2), last + timedelta(days=3)))
    return list(_offsets_of(zone, begin, end))
