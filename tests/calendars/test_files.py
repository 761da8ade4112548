"""Calendar files: everything that is not right in one is said at once, each with its line and its remedy."""

from __future__ import annotations

import pytest

from workunits.calendars.reading import LARGEST, CalendarError, name_of, parse, read

HEAD = 'version = 1\nzone = "Europe/Berlin"\n'
HOURS = '[hours]\nmonday = ["09:00-17:00"]\n'


def said(text: str) -> list[str]:
    """What is not right in a file."""
    with pytest.raises(CalendarError) as caught:
        parse(text, "c.toml")
    assert all(str(problem) in str(caught.value) for problem in caught.value.problems)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    "zone",
    [
        "../etc/passwd",
        "..",
        "/etc/localtime",
        "Europe/../Europe/Berlin",
        "./UTC",
        "Europe//Berlin",
        "Europe/",
        "",
        "a\\b",
    ],
)
def test_input_61_a_zone_that_looks_like_a_path_is_refused(zone):
    """A zone is looked up by name and opens no file of somebody's choice."""
    assert said(f"version = 1\nzone = '{zone}'\n{HOURS}") == [
        "c.toml:2: zone: a zone is a name such as Europe/Berlin, never a path"
    ]


@pytest.mark.parametrize(
    ("zone", "remedy"),
    [
        ("Europe/Berln", "Europe/Berlin"),
        ("Europe", "Europe/"),  # a folder
        ("CEST", "write one such as"),
        ("localtime", "write one such as"),  # another one on each machine
        ("right/Europe/Berlin", "Europe/Berlin"),  # there on some machines alone, and with leap seconds
        ("Amerika/New_York", "America/New_York"),
    ],
)
def test_input_61_an_unknown_zone_is_refused_with_near_ones(zone, remedy):
    """Never taken for UTC."""
    [problem] = said(f'version = 1\nzone = "{zone}"\n{HOURS}')

    assert problem.startswith("c.toml:2: zone: there is no such zone; write one such as ")
    assert remedy in problem


def test_input_60_29_february_needs_a_rule():
    """A yearly date that three years of four do not have says what it is then."""
    leap = HEAD + HOURS + '[[every_year]]\non = "02-29"\nname = "leap day"\n'

    assert said(leap) == [
        'c.toml:5: every_year 1, in_common_years: say what 02-29 is in a year without it: "02-28", "03-01" or "none"'
    ]
    assert said(leap + 'in_common_years = "03-02"\n') == [
        "c.toml:8: every_year 1, in_common_years: should be '02-28', '03-01' or 'none'"
    ]
    assert parse(leap + 'in_common_years = "none"\n', "c.toml").every_year[0].in_common_years == "none"
    other = HEAD + HOURS + '[[every_year]]\non = "02-28"\nname = "x"\nin_common_years = "none"\n'
    assert said(other) == ["c.toml:8: every_year 1, in_common_years: only 02-29 needs it; leave it out"]


def test_everything_is_said_at_once():
    """In the order of the lines."""
    text = """version = "1"
zone = "../x"
[hours]
monday = ["09:00-09:00", "22:00-06:00"]
tuseday = ["09:00-17:00"]
[holidays]
country = "DE"
subdivision = "XX"
[[dates]]
on = "2026-01-01"
name = "x"
[[closures]]
from = 2026-12-28
to = 2026-12-21
reason = "x"
"""
    assert [problem.partition(": ")[0] for problem in said(text)] == [
        f"c.toml:{line}" for line in (1, 2, 4, 4, 5, 8, 10, 14)
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("version = 1\nversion = 2\n", "c.toml:2: the key is there twice; keep one"),
        ("version = \n", "c.toml:1: not TOML: invalid value"),
        (HOURS + HEAD, "c.toml: version: it is missing; add it"),
        (
            HEAD + "[hours]\n",
            'c.toml:3: hours: no weekday has hours, and no clock would ever run; write monday = ["09:00-17:00"]',
        ),
        (
            HEAD + '[hours]\nmonday = ["9-17"]',
            'c.toml:4: hours.monday, interval 1: write an interval as "09:00-17:00", up to "24:00"',
        ),
        (HEAD + '[hours]\nmonday = ["09:00-24:01"]', "c.toml:4: hours.monday, interval 1: a day ends at 24:00"),
        (
            HEAD + '[hours]\nmonday = ["09:00-09:00"]',
            "c.toml:4: hours.monday, interval 1: an interval has some length; a day without working time is []",
        ),
        (
            HEAD + '[hours]\nmonday = ["09:00-12:00", "11:00-13:00"]',
            "c.toml:4: hours.monday: interval 2 begins before the one ahead of it ends; put them in order",
        ),
        (
            HEAD + '[hours]\nmonday = "09:00-12:00"',
            'c.toml:4: hours.monday: write a list: hours as ["09:00-17:00"], everything else below a [[heading]]',
        ),
        (HEAD + HOURS + "[closure]\n", "c.toml:5: closure: there is no such key; did you mean closures?"),
        (
            HEAD + HOURS + '[holidays]\ncountry = "Germany"\n',
            "c.toml:6: holidays.country: should be two capital letters, such as DE, of a country that `holidays` knows",
        ),
        (HEAD + HOURS + "holidays = 3\n", "c.toml:5: hours.holidays: there is no such key; known are monday"),
        (
            HEAD + HOURS + '[[dates]]\non = 2026-06-01\nname = "x"\n' * 2,
            "c.toml:5: dates: entries 1 and 2 are of the same date; keep one",
        ),
        (
            HEAD + HOURS + '[[moved]]\nfrom = 2026-06-01\nto = 2026-06-01\nreason = "x"\n',
            "c.toml:7: moved 1, to: it is the same date as `from`; name the one to change hours with",
        ),
        (
            HEAD + HOURS + '[[every_year]]\non = "04-31"\nname = "x"\n',
            'c.toml:6: every_year 1, on: write month and day, such as "12-24"',
        ),
        (
            HEAD + HOURS + '[[every_year]]\non = "04-30"\nname = "x"\nobserved = true\nhours = ["09:00-10:00"]\n',
            "c.toml:8: every_year 1, observed: a day with hours of its own cannot move; leave one of the two out",
        ),
        (
            "# a\u2028b\x85c\n" + HEAD + '[hours]\nmonday = ["9-17"]',
            'c.toml:5: hours.monday, interval 1: write an interval as "09:00-17:00", up to "24:00"',
        ),
        ("version = 0\n" + 'zone = "UTC"\n' + HOURS, "c.toml:1: version: should be greater than or equal to 1"),
    ],
)
def test_each_misfit_has_its_remedy(text, problem):
    """File, line, field, and what to write."""
    assert said(text)[0].startswith(problem)


def test_several_intervals_a_day_up_to_its_end():
    """A day may have breaks, and end at 24:00; one with an empty list is no working day."""
    calendar = parse(HEAD + '[hours]\nmonday = ["00:00-06:00", "06:00-07:30", "22:00-24:00"]\ntuesday = []\n', "c.toml")

    assert calendar.hours.monday == ((0, 360), (360, 450), (1320, 1440))
    assert calendar.hours.tuesday == ()


def test_a_file_that_begins_with_a_byte_order_mark_is_read(tmp_path):
    """As some editors write it, with their ends of lines; nobody sees it in the file's first line."""
    (tmp_path / "c.toml").write_bytes(b"\xef\xbb\xbf" + (HEAD + HOURS).replace("\n", "\r\n").encode())

    assert read(tmp_path / "c.toml") == parse(HEAD + HOURS, "c.toml")


def test_a_file_that_cannot_be_read(tmp_path):
    """Missing, no text, too large, a folder, or a name that no calendar may have."""
    (tmp_path / "latin.toml").write_bytes(b"\xff")
    (tmp_path / "large.toml").write_bytes(b" " * (LARGEST + 1))
    for name, why in [
        ("none.toml", "there is no such calendar file"),
        ("latin.toml", "not UTF-8 text"),
        ("large.toml", "larger than 1 MB"),
        ("", "cannot be read"),
    ]:
        with pytest.raises(CalendarError, match=why):
            read(tmp_path / name)
    for name in ("Office.toml", "office.yaml", "..toml", "1.toml", "a b.toml"):
        with pytest.raises(CalendarError, match="a calendar is named by its file"):
            name_of(tmp_path / name)
