"""What is recorded of a calendar, against a count of its minutes and against answers worked out by hand."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.calendars.samples import MINUTE, count, micros
from workunits.calendars.dates import HorizonError
from workunits.calendars.pinning import edges, pin
from workunits.calendars.reading import parse, read
from workunits.calendars.spec import WEEKDAYS
from workunits.calendars.store import Store, shipped
from workunits.core.working import SECOND, Pinned

HOUR = 60 * MINUTE
PLACES = ("Berlin", "New York", "Lord Howe")


@pytest.fixture(scope="module")
def counted():
    """The counts, made once."""
    return count()


@pytest.mark.parametrize("place", PLACES)
@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_working_time_is_what_a_count_of_minutes_says(counted, place, data):
    """Consumed time, due times and off-hours over 400 days with changes of clocks, holidays and closures."""
    pinned, minutes, before, _ = counted[place]
    a = data.draw(st.integers(0, len(minutes) - 1))
    b = data.draw(st.integers(a, min(len(minutes), a + 20_000)))
    here, there = pinned.since + a * MINUTE, pinned.since + b * MINUTE

    assert pinned.working.consumed(here, there) == (before[b] - before[a]) * MINUTE
    off = pinned.working.off(here, there)
    assert sum(y - x for x, y in off) == (b - a - before[b] + before[a]) * MINUTE
    for x, y in off:
        assert not any(minutes[(x - pinned.since) // MINUTE : (y - pinned.since) // MINUTE])
    amount = data.draw(st.integers(1, 5_000))
    found = bisect_left(before, before[a] + amount)
    due = pinned.working.advance(here, amount * MINUTE)
    assert due == (pinned.since + found * MINUTE if found < len(before) else None)
    nearest = next((m for m in range(a, len(minutes)) if minutes[m]), None)
    assert pinned.working.advance(here, 0) == (None if nearest is None else pinned.since + nearest * MINUTE)


@pytest.mark.parametrize("place", PLACES)
@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_any_pauses_leave_the_budget_whole(counted, place, data):
    """However often a clock is paused, consumed and remaining time add up to its budget, to the microsecond."""
    pinned = counted[place].pinned
    day = 24 * HOUR
    start = at = data.draw(st.integers(pinned.since, pinned.until - 60 * day))
    days = data.draw(st.booleans())
    clock = pinned.days if days else pinned.working
    if days:
        due = pinned.next_day_due(start, data.draw(st.integers(1, 20)))
        assert due is not None
        budget = clock.consumed(start, due.at)
    else:
        budget = data.draw(st.integers(0, 80 * HOUR))
    used = 0
    for pause in data.draw(st.lists(st.integers(0, 5 * day), max_size=4)):
        due_at = clock.advance(at, budget - used)
        assert due_at is not None
        stop = data.draw(st.integers(at, max(at, due_at)))
        used += clock.consumed(at, stop)
        assert 0 <= used <= budget
        at = stop + pause
    last = clock.advance(at, budget - used)
    assert last is not None
    assert used + clock.consumed(at, last) == budget


@pytest.mark.parametrize("place", PLACES)
@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_working_days_are_those_of_the_wall_calendar(counted, place, data):
    """The n-th next working day at the same local time, also from the first second of a day."""
    pinned, _, _, working = counted[place]
    zone = ZoneInfo(pinned.zone)
    day = data.draw(st.integers(0, 399))
    second = data.draw(st.integers(0, 86_399) | st.just(0))
    first = datetime.fromtimestamp(pinned.since // SECOND, zone).date()
    wall = datetime.combine(first + timedelta(days=day), datetime.min.time()) + timedelta(seconds=second)
    start = micros(wall.replace(tzinfo=zone).astimezone(UTC))
    n = data.draw(st.integers(1, 30))
    # Where clocks skip the start itself, they show another time at that moment.
    shown = datetime.fromtimestamp(start // SECOND, zone)
    later = [date for date in working if date > shown.date()]
    due = pinned.next_day_due(start, n)

    if len(later) < n or start >= pinned.until:
        assert due is None
        return
    assert due is not None
    wanted = datetime.combine(later[n - 1], shown.time(), tzinfo=zone)
    if due.rule == "dst_gap":
        assert wanted.astimezone(UTC).astimezone(zone).time() != wanted.time()
    else:
        assert due.at == micros(wanted.replace(fold=0).astimezone(UTC))
    assert pinned.days.advance(start, pinned.days.consumed(start, due.at)) == due.at


def office(begin: str = "2026-01-01", end: str = "2028-12-31") -> Pinned:
    """The back office that comes with the library."""
    since, until = (micros(datetime.fromisoformat(day).replace(tzinfo=UTC)) for day in (begin, end))
    return Store(shipped()).pin("back-office", since, until)


def berlin(text: str) -> int:
    """A moment as Berlin's clocks show it."""
    return micros(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC))


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2026-06-08 09:00", 8, "2026-06-08 17:00"),  # ends with the day, not with the next one's first minute
        ("2026-06-08 17:00", 0, "2026-06-09 09:00"),
        ("2026-06-08 12:00", 0, "2026-06-08 12:00"),
        ("2026-06-07 10:00", 8, "2026-06-08 17:00"),  # from a Sunday
        ("2026-06-05 16:30", 1, "2026-06-08 09:30"),  # over a weekend
        ("2026-06-05 23:59", 1, "2026-06-08 10:00"),  # from a night
        ("2026-04-02 16:00", 8, "2026-04-07 16:00"),  # over Easter
        ("2027-03-25 16:00", 8, "2027-03-30 16:00"),  # which moves
        ("2027-03-05 16:00", 2, "2027-03-09 10:00"),  # Women's Day, a holiday in Berlin alone
        ("2026-03-27 16:00", 2, "2026-03-30 10:00"),  # clocks go forward on the Sunday between
        ("2026-10-23 16:00", 2, "2026-10-26 10:00"),  # and back
        ("2026-12-23 15:00", 8, "2026-12-28 12:00"),  # two hours, three on Christmas Eve, three on the Monday
        ("2026-12-24 12:00", 0, "2026-12-28 09:00"),  # the half day is over
        ("2026-12-31 10:00", 8, "2027-01-04 15:00"),  # into the next year
        ("2028-02-28 16:00", 9, "2028-02-29 17:00"),  # 29 February is a day as any other
        ("2026-06-08 09:00", 40, "2026-06-12 17:00"),
        ("2026-06-08 09:00", 40.5, "2026-06-15 09:30"),
    ],
)
def test_working_hours_by_hand(start, hours, due):
    """Due times that a person works out with a wall calendar."""
    assert office().working.advance(berlin(start), int(hours * HOUR)) == berlin(due)


@pytest.mark.parametrize(
    ("start", "days", "due"),
    [
        ("2026-06-08 10:00", 1, "2026-06-09 10:00"),
        ("2026-06-07 10:00", 1, "2026-06-08 10:00"),  # from a Sunday
        ("2026-06-05 23:30", 1, "2026-06-08 23:30"),  # the local time, also outside hours
        ("2026-06-05 00:00", 1, "2026-06-08 00:00"),  # from midnight to midnight
        ("2026-04-02 10:00", 2, "2026-04-08 10:00"),  # over Easter
        ("2026-12-23 15:00", 1, "2026-12-24 15:00"),  # a half day is a working day
        ("2026-12-23 15:00", 2, "2026-12-28 15:00"),
        ("2026-03-27 10:00", 1, "2026-03-30 10:00"),  # clocks go forward between: 71 hours
        ("2028-02-28 10:00", 1, "2028-02-29 10:00"),
        ("2028-02-29 10:00", 1, "2028-03-01 10:00"),
        ("2026-06-08 10:00", 250, "2027-06-02 10:00"),  # 50 weeks, and seven holidays on weekdays
    ],
)
def test_working_days_by_hand(start, days, due):
    """The same local time on a later working day, whatever lies between."""
    found = office().next_day_due(berlin(start), days)

    assert found is not None
    assert (found.at, found.rule) == (berlin(due), "")


def sundays(*hours: str, zone: str = "Europe/Berlin") -> str:
    """A calendar of Sundays alone, the days on which Berlin's clocks change."""
    return f'version = 1\nzone = "{zone}"\n[hours]\nsunday = {list(hours)}\n'.replace("'", '"')


def intervals(text: str, day: str) -> list[tuple[str, str]]:
    """The working intervals of a date, in UTC."""
    begin = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("UTC"))
    since, until = micros(begin), micros(begin + timedelta(days=1))
    pinned = pin(parse(text, "sample.toml"), "sample", since, until)
    off = pinned.working.off(pinned.since, pinned.until)
    moments = [moment for span in off for moment in span][1:-1]
    shown = [f"{datetime.fromtimestamp(moment // SECOND, UTC):%H:%M}" for moment in moments]
    return list(zip(shown[::2], shown[1::2], strict=True))


@pytest.mark.parametrize(
    ("hours", "spans"),
    [
        (["02:30-09:00"], [("01:00", "07:00")]),  # opens at the gap's end, 03:00 on the clocks
        (["01:00-02:30"], [("00:00", "01:00")]),  # closes there, too
        (["02:15-02:45"], []),  # lies within the gap: no time
        (["01:00-03:00"], [("00:00", "01:00")]),
        (["02:00-03:00", "03:00-04:00"], [("01:00", "02:00")]),
        (["00:30-05:30"], [("23:30", "03:30")]),  # over it: an hour less
    ],
)
def test_input_58_an_edge_in_the_gap_is_at_the_end_of_the_gap(hours, spans):
    """On 29 March 2026 clocks in Berlin go from 02:00 to 03:00, at 01:00 UTC."""
    assert intervals(sundays(*hours), "2026-03-29") == spans


@pytest.mark.parametrize(
    ("hours", "spans"),
    [
        (["02:30-09:00"], [("00:30", "08:00")]),  # opens with the first 02:30
        (["01:00-02:30"], [("23:00", "01:30")]),  # closes with the last
        (["02:15-02:45"], [("00:15", "01:45")]),
        (["01:00-02:30", "02:30-04:00"], [("23:00", "03:00")]),  # no minute counts twice
        (["02:00-03:00"], [("00:00", "02:00")]),
        (["00:30-05:30"], [("22:30", "04:30")]),  # over it: an hour more
    ],
)
def test_input_59_an_edge_in_the_overlap_opens_first_and_closes_last(hours, spans):
    """On 25 October 2026 clocks in Berlin go from 03:00 back to 02:00, at 01:00 UTC."""
    assert intervals(sundays(*hours), "2026-10-25") == spans


@pytest.mark.parametrize(
    ("day", "n", "at", "rule"),
    [
        ("2026-03-28 02:30", 1, "2026-03-29 03:00", "dst_gap"),
        ("2026-10-24 02:30", 1, "2026-10-25 02:30", "dst_overlap"),
        ("2026-10-24 03:00", 1, "2026-10-25 03:00", ""),
    ],
)
def test_inputs_58_and_59_a_due_time_names_the_rule_that_moved_it(day, n, at, rule):
    """A working day's local time that clocks skip or show twice is never shifted silently."""
    text = sundays("00:00-24:00").replace("sunday", "saturday = ['00:00-24:00']\nsunday")
    since = micros(datetime.fromisoformat(day).replace(tzinfo=UTC)) - 24 * HOUR
    found = pin(parse(text, "sample.toml"), "sample", since, since + 96 * HOUR).next_day_due(berlin(day), n)

    assert found is not None
    assert (found.at, found.rule) == (berlin(at), rule)


def test_inputs_58_and_59_every_such_edge_has_its_date():
    """Whoever checks a calendar is told each date on which an opening or a closing is not simply at its local time."""
    calendar = parse(sundays("01:00-02:30", "02:45-24:00"), "sample.toml")
    found = [
        (str(edge.date), edge.minute, edge.opens, edge.due.rule)
        for edge in edges(calendar, date(2026, 3, 29), date(2026, 10, 25))
    ]

    assert found == [
        ("2026-03-29", 150, False, "dst_gap"),
        ("2026-03-29", 165, True, "dst_gap"),
        ("2026-10-25", 150, False, "dst_overlap"),
        ("2026-10-25", 165, True, "dst_overlap"),
    ]
    assert edges(calendar, date(2026, 3, 30), date(2026, 10, 24)) == []


def test_a_midnight_that_clocks_skip_loses_no_time():
    """In Beirut 29 March 2026 begins at 01:00: a day that closes at 24:00 and one that opens at 00:00 still meet."""
    text = sundays("00:00-24:00", zone="Asia/Beirut").replace("sunday", 'saturday = ["00:00-24:00"]\nsunday')
    pinned = pin(parse(text, "sample.toml"), "sample", *(micros(datetime(2026, 3, d, tzinfo=UTC)) for d in (28, 30)))

    assert pinned.working.consumed(pinned.since, pinned.until) == 47 * HOUR
    assert len(pinned.hours) == 2


def test_a_day_ends_when_the_next_one_begins():
    """In Havana 1 November 2026 begins twice: a day that closes at 24:00 does so the first time, and has 24 hours."""
    text = 'version = 1\nzone = "America/Havana"\n[hours]\nsaturday = ["00:00-24:00"]\n'
    begin = datetime(2026, 10, 31, 12, tzinfo=UTC)
    pinned = pin(parse(text, "sample.toml"), "sample", micros(begin), micros(begin + timedelta(days=2)))

    assert pinned.working.consumed(pinned.since, pinned.until) == 24 * HOUR


def test_clocks_that_go_back_over_midnight_lose_no_time():
    """In St. John's it was 23:01 again after 00:01 on 7 November 2010: what closes at 23:30 does so the last time."""
    text = 'version = 1\nzone = "America/St_Johns"\n[hours]\nsaturday = ["22:00-23:30", "23:40-24:00"]\n'
    begin = datetime(2010, 11, 6, 12, tzinfo=UTC)
    pinned = pin(parse(text, "sample.toml"), "sample", micros(begin), micros(begin + timedelta(days=2)))

    assert pinned.working.off(berlin("2010-11-07 01:00"), berlin("2010-11-07 05:00")) == [
        (berlin("2010-11-07 01:00"), berlin("2010-11-07 01:30")),  # 22:00 there
        (berlin("2010-11-07 04:00"), berlin("2010-11-07 05:00")),  # 23:30 there, an hour later than the first
    ]


def test_hours_around_the_clock_are_one_interval():
    """A calendar that never closes costs nothing to keep."""
    week = "\n".join(f'{day} = ["00:00-24:00"]' for day in WEEKDAYS)
    since = micros(datetime(2026, 1, 1, tzinfo=UTC))
    pinned = pin(
        parse(f'version = 1\nzone = "Europe/Berlin"\n[hours]\n{week}', "x"), "x", since, since + 400 * 24 * HOUR
    )

    assert len(pinned.hours) == 2
    assert pinned.working.consumed(pinned.since, pinned.until) == pinned.until - pinned.since


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (0, 0),
        (10, 5),
        (0, HOUR),  # 1 January 1970
        (berlin("2026-01-01"), berlin("2026-01-01") + (6 * 366 * 24 + 1) * HOUR),
        (10**17, 10**17 + HOUR),  # beyond the year 2999
        (10**30, 10**30 + 1),
    ],
)
def test_a_horizon_that_cannot_be_is_refused(since, until):
    """It is positive, at most six years, and where calendars are known."""
    with pytest.raises(HorizonError):
        pin(parse(sundays("09:00-10:00"), "sample.toml"), "sample", since, until)


def test_holidays_are_never_missing_silently():
    """Where the library knows nothing of a year, nothing is recorded."""
    calendar = read(Path(shipped()[0]) / "back-office" / "1.toml")
    with pytest.raises(HorizonError, match="the holidays of DE are known from 1991 to 2100"):
        pin(calendar, "back-office", berlin("2100-06-01"), berlin("2101-06-01"))


def test_400_days_of_the_back_office_are_small():
    """Under 6 kB as JSON, which is what stands in every case's history."""
    assert len(office("2026-01-01", "2027-02-05").model_dump_json()) < 6_000
