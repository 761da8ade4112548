"""What a calendar says of single dates: each rule by itself, and which of two wins."""

from __future__ import annotations

from datetime import date

import pytest

from workunits.calendars.dates import Dates
from workunits.calendars.reading import parse

WEEK = """
version = 1
zone = "Europe/Berlin"
[hours]
monday = ["09:00-12:00", "13:00-17:00"]
tuesday = ["09:00-17:00"]
wednesday = ["09:00-17:00"]
thursday = ["09:00-17:00"]
friday = ["09:00-17:00"]
"""
GERMANY = '[holidays]\ncountry = "DE"\n'
BERLIN = '[holidays]\ncountry = "DE"\nsubdivision = "BE"\n'
BRITAIN = '[holidays]\ncountry = "GB"\nsubdivision = "ENG"\n'
AMERICA = '[holidays]\ncountry = "US"\n'
EVE = '[[every_year]]\non = "12-24"\nname = "Christmas Eve"\nhours = ["08:00-12:00"]\n'


def yearly(on: str, more: str = "") -> str:
    """A free date of every year."""
    return f'[[every_year]]\non = "{on}"\nname = "founders\' day"\n{more}\n'


def leap(rule: str) -> str:
    """29 February, free."""
    return yearly("02-29", f'in_common_years = "{rule}"')


ORDINARY: tuple[list[str], str] = (["09:00-17:00"], "")
FREE: tuple[list[str], str] = ([], "founders' day")


@pytest.mark.parametrize(
    ("rules", "day", "hours", "why"),
    [
        # The week.
        ("", "2026-06-08", ["09:00-12:00", "13:00-17:00"], ""),
        ("", "2026-06-07", [], ""),
        # Holidays that move with Easter, on their dates and off those of the year before.
        (GERMANY, "2026-04-03", [], "Good Friday"),
        (GERMANY, "2027-03-26", [], "Good Friday"),
        (GERMANY, "2027-04-02", *ORDINARY),
        (GERMANY, "2027-05-06", [], "Ascension Day"),
        # Of a part of the country alone.
        (GERMANY, "2027-03-08", ["09:00-12:00", "13:00-17:00"], ""),
        (BERLIN, "2027-03-08", [], "Women's Day"),
        # Once only.
        (BERLIN, "2028-06-17", [], "75th anniversary of the East German uprising of 1953"),
        (BERLIN, "2029-06-18", ["09:00-12:00", "13:00-17:00"], ""),
        (
            BERLIN,
            "2025-05-08",
            [],
            "80th anniversary of the liberation from Nazism and the end of the Second World War in Europe",
        ),
        # Observed: Christmas Day 2027 is a Saturday, 4 July 2026 as well, New Year's Day 2028 too.
        (BRITAIN, "2027-12-27", [], "Christmas Day (observed)"),
        (BRITAIN, "2027-12-28", [], "Boxing Day (observed)"),
        (BRITAIN + "observed = false\n", "2027-12-27", ["09:00-12:00", "13:00-17:00"], ""),
        (AMERICA, "2026-07-03", [], "Independence Day (observed)"),
        (AMERICA, "2027-12-31", [], "New Year's Day (observed)"),
        # Every year, free or shorter.
        (yearly("06-09"), "2026-06-09", *FREE),
        (yearly("06-09"), "2027-06-09", *FREE),
        (EVE, "2026-12-24", ["09:00-12:00"], "Christmas Eve"),  # nothing opens earlier than it would
        (EVE, "2028-12-24", [], "Christmas Eve"),  # a Sunday stays free
        (yearly("04-06", 'hours = ["09:00-10:00"]') + GERMANY, "2026-04-06", [], "Easter Monday"),
        # Moved to the next working day; 6 June 2026 is a Saturday.
        (yearly("06-06", "observed = true"), "2026-06-08", [], "founders' day (observed)"),
        (yearly("06-06", "observed = true"), "2025-06-09", ["09:00-12:00", "13:00-17:00"], ""),  # a Friday in 2025
        (yearly("06-06"), "2026-06-08", ["09:00-12:00", "13:00-17:00"], ""),
        # Past a holiday, past another that moves, and into the next year.
        (yearly("04-04", "observed = true") + GERMANY, "2026-04-07", [], "founders' day (observed)"),
        (
            yearly("06-06", "observed = true") + yearly("06-07", "observed = true"),
            "2026-06-09",
            [],
            "founders' day (observed)",
        ),
        (yearly("12-31", "observed = true"), "2023-01-02", [], "founders' day (observed)"),
        # Two that move over the turn of the year, on Saturday and Sunday, each to a day of its own.
        *(
            (yearly("12-31", "observed = true") + yearly("01-01", "observed = true"), day, *said)
            for day, said in (
                ("2023-01-02", ([], "founders' day (observed)")),
                ("2023-01-03", ([], "founders' day (observed)")),
                ("2023-01-04", ORDINARY),
                ("2022-01-03", ([], "founders' day (observed)")),
                ("2022-01-04", ORDINARY),
            )
        ),
        # Single dates win over everything.
        (
            GERMANY + '[[dates]]\non = 2026-04-03\nname = "audit"\nhours = ["10:00-12:00"]',
            "2026-04-03",
            ["10:00-12:00"],
            "audit",
        ),
        ('[[dates]]\non = 2026-06-07\nname = "open"\nhours = ["10:00-24:00"]', "2026-06-07", ["10:00-24:00"], "open"),
        ('[[dates]]\non = 2026-06-09\nname = "outing"', "2026-06-09", [], "outing"),
        # Closures, both ends included.
        ('[[closures]]\nfrom = 2026-06-08\nto = 2026-06-09\nreason = "move"', "2026-06-08", [], "move"),
        ('[[closures]]\nfrom = 2026-06-08\nto = 2026-06-09\nreason = "move"', "2026-06-09", [], "move"),
        ('[[closures]]\nfrom = 2026-06-08\nto = 2026-06-09\nreason = "move"', "2026-06-10", *ORDINARY),
        # Two dates change their hours: a bridge day for a Saturday, a holiday for the day after it.
        ('[[moved]]\nfrom = 2026-05-15\nto = 2026-05-16\nreason = "bridge"', "2026-05-15", [], "bridge"),
        ('[[moved]]\nfrom = 2026-05-15\nto = 2026-05-16\nreason = "bridge"', "2026-05-16", ["09:00-17:00"], "bridge"),
        (
            GERMANY + '[[moved]]\nfrom = 2026-05-14\nto = 2026-05-15\nreason = "Ascension later"',
            "2026-05-14",
            ["09:00-17:00"],
            "Ascension later",
        ),
        (
            GERMANY + '[[moved]]\nfrom = 2026-05-14\nto = 2026-05-15\nreason = "Ascension later"',
            "2026-05-15",
            [],
            "Ascension later",
        ),
    ],
)
def test_what_a_date_is(rules, day, hours, why):
    """Worked out by hand, with a printed calendar."""
    found = Dates(parse(WEEK + rules, "sample.toml")).on(date.fromisoformat(day))

    assert [f"{a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}" for a, b in found.hours] == hours
    assert found.why == why


@pytest.mark.parametrize(
    ("rule", "day", "free"),
    [
        ("02-28", "2028-02-29", True),
        ("02-28", "2028-02-28", False),
        ("02-28", "2029-02-28", True),
        ("02-28", "2029-03-01", False),
        ("03-01", "2028-03-01", False),
        ("03-01", "2029-03-01", True),
        ("03-01", "2029-02-28", False),
        ("none", "2028-02-29", True),
        ("none", "2029-02-28", False),
        ("none", "2029-03-01", False),
        ("03-01", "2100-03-01", True),  # a year without, for all that it is divided by four
    ],
)
def test_input_60_29_february_is_where_its_rule_says(rule, day, free):
    """In leap years on its date, in the others where the file puts it, or nowhere."""
    found = Dates(parse(WEEK + leap(rule), "sample.toml")).on(date.fromisoformat(day))

    assert (found.why == "founders' day") == free
    assert (not found.hours) == free
