"""A calendar as its file says it: zone, weekly hours, holidays, single dates, closures, moved days.

What stands higher in this list decides about a date: `dates`, `moved`, `closures`, `holidays` and `every_year`,
the weekly hours.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from datetime import date
from itertools import pairwise
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

MIDNIGHT = 24 * 60
"""The minute at which a local day ends."""
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SPAN = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_OF_THE_MACHINE = ("localtime", "posixrules", "posix", "right")
"""Zones, and folders of zones, that are no part of the database; `right` counts leap seconds, too."""

Span = tuple[int, int]
"""Begin and end of working time, in minutes of a local day."""


def _zone(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", name):
        raise ValueError("a zone is a name such as Europe/Berlin, never a path")
    try:
        if name.partition("/")[0] in _OF_THE_MACHINE:
            raise ValueError
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = difflib.get_close_matches(name, available_timezones(), n=3, cutoff=0.6) or ["Europe/Berlin"]
        raise ValueError(f"there is no such zone; write one such as {' or '.join(near)}") from None
    return name


def _span(given: Any) -> Any:
    if isinstance(given, tuple):
        return given
    found = _SPAN.fullmatch(given) if isinstance(given, str) else None
    if not found:
        raise ValueError('write an interval as "09:00-17:00", up to "24:00"')
    begin, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    if max(begin, end) > MIDNIGHT:
        raise ValueError("a day ends at 24:00")
    if begin == end:
        raise ValueError("an interval has some length; a day without working time is []")
    if begin > end:
        raise ValueError('it ends before it begins; write a night as "22:00-24:00" and, on the next day, "00:00-06:00"')
    return begin, end


def _in_order(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    for number, (one, other) in enumerate(pairwise(spans), 2):
        if other[0] < one[1]:
            raise ValueError(f"interval {number} begins before the one ahead of it ends; put them in order")
    return spans


def _tuple(given: Any) -> Any:
    return tuple(given) if isinstance(given, list) else given


def _apart(entries: tuple[Any, ...], dates: Iterable[tuple[int, object]]) -> tuple[Any, ...]:
    """Refuse a date that two entries are of."""
    seen: dict[object, int] = {}
    for number, day in dates:
        if day in seen:
            raise ValueError(f"entries {seen[day] + 1} and {number + 1} are of the same date; keep one")
        seen[day] = number
    return entries


Hours = Annotated[
    tuple[Annotated[Span, BeforeValidator(_span)], ...], BeforeValidator(_tuple), AfterValidator(_in_order)
]
Text = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Week(_Part):
    """The hours of an ordinary week; a day that is left out has none."""

    monday: Hours = ()
    tuesday: Hours = ()
    wednesday: Hours = ()
    thursday: Hours = ()
    friday: Hours = ()
    saturday: Hours = ()
    sunday: Hours = ()

    def on(self, day: date) -> tuple[Span, ...]:
        """The hours of a date's weekday."""
        found: tuple[Span, ...] = getattr(self, WEEKDAYS[day.weekday()])
        return found


def _any_hours(week: Week) -> Week:
    if not any(getattr(week, day) for day in WEEKDAYS):
        raise ValueError('no weekday has hours, and no clock would ever run; write monday = ["09:00-17:00"]')
    return week


class Holidays(_Part):
    """Public holidays, computed by the `holidays` library."""

    country: Text
    """Such as `DE`."""
    subdivision: Text | None = None
    """Such as `BE`; without it, the holidays of the whole country."""
    observed: bool = True
    """Where the country's law moves a holiday off a weekend, the day it moves to is free as well."""

    @model_validator(mode="after")
    def _known(self) -> Holidays:
        from holidays import list_supported_countries

        known = list_supported_countries(include_aliases=False)
        if self.country not in known:
            raise ValueError("country: should be two capital letters, such as DE, of a country that `holidays` knows")
        if self.subdivision is not None and self.subdivision not in known[self.country]:
            there = ", ".join(known[self.country])
            raise ValueError(f"subdivision: {f'should be one of {there}' if there else 'leave it out: there are none'}")
        return self


def _month_day(given: str) -> str:
    try:
        fits = bool(re.fullmatch(r"\d\d-\d\d", given)) and bool(date.fromisoformat(f"2000-{given}"))
    except ValueError:
        fits = False
    if not fits:
        raise ValueError('write month and day, such as "12-24"')
    return given


class Yearly(_Part):
    """A date of every year: free, or with shorter hours than its weekday has."""

    on: Annotated[str, AfterValidator(_month_day)]
    name: Text
    hours: Hours = ()
    """What is left of the weekday's hours; nothing opens that the week does not have."""
    observed: bool = False
    """When the week has no hours on it, the next working day is free instead."""
    in_common_years: Literal["02-28", "03-01", "none"] | None = None
    """For `02-29`: its date in a year that has none."""

    @model_validator(mode="after")
    def _fits(self) -> Yearly:
        if self.on == "02-29" and self.in_common_years is None:
            raise ValueError('in_common_years: say what 02-29 is in a year without it: "02-28", "03-01" or "none"')
        if self.on != "02-29" and self.in_common_years is not None:
            raise ValueError("in_common_years: only 02-29 needs it; leave it out")
        if self.hours and self.observed:
            raise ValueError("observed: a day with hours of its own cannot move; leave one of the two out")
        return self

    def in_year(self, year: int) -> date | None:
        """Its date in a year."""
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        on = self.on if leap or self.on != "02-29" else self.in_common_years
        return None if on in (None, "none") else date.fromisoformat(f"{year:04}-{on}")


class Single(_Part):
    """One date, whatever else would hold for it."""

    on: date
    name: Text
    hours: Hours = ()
    """Its hours; without them it is free."""


class Closure(_Part):
    """Days on which nobody works."""

    begin: date = Field(alias="from")
    end: date = Field(alias="to")
    """The last of them."""
    reason: Text

    @model_validator(mode="after")
    def _fits(self) -> Closure:
        if self.end < self.begin:
            raise ValueError("to: it lies before `from`; it is the last day of the closure")
        return self


class Moved(_Part):
    """Two dates that change their hours with each other: a holiday on another day, a Saturday that is worked."""

    origin: date = Field(alias="from")
    target: date = Field(alias="to")
    reason: Text

    @model_validator(mode="after")
    def _fits(self) -> Moved:
        if self.origin == self.target:
            raise ValueError("to: it is the same date as `from`; name the one to change hours with")
        return self


Yearlies = Annotated[
    tuple[Yearly, ...],
    BeforeValidator(_tuple),
    AfterValidator(lambda found: _apart(found, ((n, one.on) for n, one in enumerate(found)))),
]
Singles = Annotated[
    tuple[Single, ...],
    BeforeValidator(_tuple),
    AfterValidator(lambda found: _apart(found, ((n, one.on) for n, one in enumerate(found)))),
]
Moves = Annotated[
    tuple[Moved, ...],
    BeforeValidator(_tuple),
    AfterValidator(
        lambda found: _apart(found, ((n, day) for n, one in enumerate(found) for day in (one.origin, one.target)))
    ),
]


class Calendar(_Part):
    """When an organisation works."""

    version: Annotated[int, Field(ge=1, le=1_000_000)]
    zone: Annotated[str, AfterValidator(_zone)]
    hours: Annotated[Week, AfterValidator(_any_hours)]
    holidays: Holidays | None = None
    every_year: Yearlies = ()
    dates: Singles = ()
    closures: Annotated[tuple[Closure, ...], BeforeValidator(_tuple)] = ()
    moved: Moves = ()
