"""What a calendar says of each date: its hours, and why they are not the week's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from typing import NamedTuple

from workunits.calendars.spec import Calendar, Holidays, Span
from workunits.core.errors import WorkUnitsError

_ENGLISH = "en_US"


class HorizonError(WorkUnitsError):
    """A calendar says nothing about that time."""


class Day(NamedTuple):
    """A date, its hours, and what is special about it."""

    date: date
    hours: tuple[Span, ...]
    why: str = ""
    """The holiday, the closure, the reason; empty on an ordinary day."""


class Dates:
    """The dates of a calendar."""

    def __init__(self, calendar: Calendar) -> None:
        """Take a calendar; years are worked out as they are asked for."""
        self._calendar = calendar
        self._single = {one.on: one for one in calendar.dates}
        self._moved = {a: (b, one.reason) for one in calendar.moved for a, b in _both(one.origin, one.target)}
        self._years: dict[int, dict[date, str]] = {}
        self._later: dict[int, dict[date, str]] = {}

    def between(self, first: date, last: date) -> Iterator[Day]:
        """Each date from the first to the last, both included.

        Raises:
            HorizonError: the holidays of a year are not known.
        """
        for number in range((last - first).days + 1):
            yield self.on(first + timedelta(days=number))

    def on(self, day: date) -> Day:
        """One date.

        Raises:
            HorizonError: as `between`.
        """
        single = self._single.get(day)
        if single:
            return Day(day, single.hours, single.name)
        if day in self._moved:
            other, reason = self._moved[day]
            return Day(day, self._usual(other).hours, reason)
        return self._usual(day)

    def _usual(self, day: date) -> Day:
        """A date without what was decided for it alone."""
        closure = next((one for one in self._calendar.closures if one.begin <= day <= one.end), None)
        if closure:
            return Day(day, (), closure.reason)
        holiday = self._free(day.year).get(day) or self._rolled(day)
        if holiday:
            return Day(day, (), holiday)
        hours = self._calendar.hours.on(day)
        for one in self._calendar.every_year:
            if one.hours and one.in_year(day.year) == day:
                return Day(day, _common(hours, one.hours), one.name)
        return Day(day, hours)

    def _free(self, year: int) -> dict[date, str]:
        """The holidays of a year, where they fall."""
        if year not in self._years:
            rules = self._calendar.holidays
            found = dict(_public(rules, year)) if rules else {}
            for one in self._calendar.every_year:
                day = one.in_year(year)
                if day and not one.hours:
                    found[day] = found.get(day, one.name)
            self._years[year] = found
        return self._years[year]

    def _rolled(self, day: date) -> str:
        """The holiday that is observed on a date because its own is not worked."""
        return self._observed(day.year).get(day, "")

    def _observed(self, year: int) -> dict[date, str]:
        """The working days that are free for holidays which fall on no working day, of a year and the one before."""
        if year in self._later:
            return self._later[year]
        taken = self._later[year] = {}
        observed = [one for one in self._calendar.every_year if one.observed]
        # Those of the year before may reach into this one, and take a day from its own.
        moving = [(one.in_year(of), one.name) for of in (year - 1, year) for one in observed]
        for day, name in sorted((day, name) for day, name in moving if day):
            at = day
            while not self._calendar.hours.on(at) or at in taken or (at != day and at in self._free(at.year)):
                at += timedelta(days=1)
            if at != day:
                taken[at] = f"{name} (observed)"
        return taken


@cache
def _public(rules: Holidays, year: int) -> tuple[tuple[date, str], ...]:
    """The public holidays of a year."""
    from holidays import country_holidays

    country = country_holidays(rules.country)
    if not country.start_year <= year <= country.end_year:
        raise HorizonError(f"the holidays of {rules.country} are known from {country.start_year} to {country.end_year}")
    found = country_holidays(
        rules.country,
        subdiv=rules.subdivision,
        observed=rules.observed,
        years=year,
        # Otherwise the names are in the language of whoever runs the process.
        language=_ENGLISH if _ENGLISH in country.supported_languages else country.default_language,
    )
    return tuple((day, name) for day, name in sorted(found.items()) if day.year == year)


def _common(one: tuple[Span, ...], other: tuple[Span, ...]) -> tuple[Span, ...]:
    """What two sets of hours have in common."""
    both = ((max(a, c), min(b, d)) for a, b in one for c, d in other)
    return tuple((begin, end) for begin, end in both if begin < end)


def _both(one: date, other: date) -> tuple[tuple[date, date], tuple[date, date]]:
    return (one, other), (other, one)
