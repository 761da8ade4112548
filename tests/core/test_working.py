"""The arithmetic of working time, against counts that go minute by minute and clocks that Python reads."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workunits.core.working import SECOND, Due, Hours, Pinned, resolve

MINUTE = 60 * SECOND
END = 60
"""Minutes of the invented horizons."""
OFFICE = ((9, 17),)
BERLIN, YORK, LORD_HOWE, APIA, BEIRUT, ST_JOHNS = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Asia/Beirut",
    "America/St_Johns",
)


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def ahead(zone: str, second: int) -> int:
    """How many seconds local clocks are ahead of UTC."""
    return (datetime.fromtimestamp(second, ZoneInfo(zone)).utcoffset() or timedelta(0)) // timedelta(seconds=1)


def offsets(zone: str, since: int, until: int) -> list[tuple[int, int]]:
    """The offsets of a zone, looked at hour by hour, and minute by minute where they change."""
    found = [(since, ahead(zone, since))]
    for hour in range(since, until, 3600):
        if ahead(zone, hour) != found[-1][1]:
            found.append(
                next((m, ahead(zone, m)) for m in range(hour - 3600, hour + 1, 60) if ahead(zone, m) != found[-1][1])
            )
    return found


def pinned(zone: str, first: date, days: int, open_on=lambda day: day.weekday() < 5, hours=OFFICE) -> Pinned:
    """A calendar of equal days, made from Python's own clocks; its hours lie where clocks do not change."""
    there = ZoneInfo(zone)

    def at(day, hour):
        return micros(datetime(day.year, day.month, day.day, hour, tzinfo=there).astimezone(UTC))

    dates = [first + timedelta(days=n) for n in range(days + 1)]
    since, until = at(dates[0], 0), at(dates[-1], 0)
    edges = [since, *(at(day, hour) for day in dates[:-1] if open_on(day) for span in hours for hour in span)]
    return Pinned(
        name="office",
        version=1,
        zone=zone,
        since=since,
        until=until,
        hours=[(b - a) // SECOND for a, b in pairwise(edges)],
        offsets=offsets(zone, since // SECOND, until // SECOND),
    )


YEARS = {
    (zone, year): pinned(zone, date(year, 1, 1), 400)
    for zone, year in [(BERLIN, 2026), (BERLIN, 2028), (YORK, 2027), (LORD_HOWE, 2026), (BEIRUT, 2026)]
}
"""Calendars of 400 days, leap year and half-hour changes of clocks included."""


@st.composite
def hours(draw):
    """Whole minutes of working time, and the minutes themselves."""
    edges = sorted(draw(st.sets(st.integers(0, END), max_size=12)))
    spans = list(zip(edges[::2], edges[1::2], strict=False))
    minutes = {minute for a, b in spans for minute in range(a, b)}
    late = draw(st.booleans())
    return Hours([(a * MINUTE, b * MINUTE) for a, b in spans], 0, END * MINUTE, late=late), minutes, late


@given(hours(), st.integers(-5, END + 5), st.integers(0, END))
def test_consumed_counts_minutes(made, a, length):
    """Consumed time and off-hours are what a count minute by minute says."""
    clock, minutes, _ = made
    here, there = a * MINUTE, (a + length) * MINUTE
    within = range(a, a + length)

    assert clock.consumed(here, there) == MINUTE * sum(minute in minutes for minute in within)
    off = clock.off(here, there)
    assert [m for m in within if any(x <= m * MINUTE < y for x, y in off)] == [m for m in within if m not in minutes]
    assert all(x < y for x, y in off)
    assert all(y < x for (_, y), (x, _) in pairwise(off))


@given(hours(), st.integers(0, END), st.integers(0, END))
def test_advance_is_the_earliest_moment(made, a, amount):
    """A due time is the first minute at which enough has passed; late ones wait for the next interval."""
    clock, minutes, late = made
    found = clock.advance(a * MINUTE, amount * MINUTE)

    def passed(minute):
        return sum(m in minutes for m in range(a, minute)) >= amount

    fits = [m for m in range(a, END + 1) if passed(m) and (m in minutes or (amount and not late))]
    assert found == (fits[0] * MINUTE if fits else None)


@given(hours(), st.integers(0, END), st.integers(0, END), st.lists(st.tuples(*[st.integers(0, 9)] * 2), max_size=5))
def test_any_pauses_leave_the_sum_constant(made, start, budget, pauses):
    """Consumed and remaining time add up to the budget, however often the clock is paused and resumed."""
    clock, _, _ = made
    at, used = start * MINUTE, 0
    for run, pause in pauses:
        used += clock.consumed(at, at + run * MINUTE)
        left = budget * MINUTE - used
        at += (run + pause) * MINUTE
        if left < 0:
            return
        due = clock.advance(at, left)
        if due is not None:
            assert used + clock.consumed(at, due) == budget * MINUTE


@pytest.mark.parametrize(("zone", "year"), YEARS)
@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_a_budget_of_days_pauses_like_one_of_hours(zone, year, data):
    """Working days as consumed time on whole days lead to the same due time, at once and after an empty pause."""
    calendar = YEARS[zone, year]
    midnight = st.integers(0, 380).map(
        lambda day: (
            resolve(calendar.offsets, (calendar.local(calendar.since) // (86_400 * SECOND) + day) * 86_400 * SECOND).at
        )
    )
    start = data.draw(midnight | st.integers(calendar.since, calendar.until - 1))
    due = calendar.next_day_due(start, data.draw(st.integers(1, 30)))
    if due is None:
        return
    budget = calendar.days.consumed(start, due.at)

    assert calendar.days.advance(start, budget) == due.at
    pause = data.draw(st.integers(start, due.at))
    assert calendar.days.advance(pause, budget - calendar.days.consumed(start, pause)) == due.at


@pytest.mark.parametrize(("zone", "year"), YEARS)
@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_a_working_day_keeps_the_local_time(zone, year, data):
    """The n-th next working day is found by Python's calendar, at the same time on local clocks."""
    calendar = YEARS[zone, year]
    start = data.draw(st.integers(calendar.since, calendar.until - 1))
    n = data.draw(st.integers(1, 30))
    local = datetime.fromtimestamp(start // SECOND, ZoneInfo(zone)).replace(fold=0) + timedelta(
        microseconds=start % SECOND
    )
    day = local
    for _ in range(n):
        day += timedelta(days=1)
        while day.weekday() >= 5:
            day += timedelta(days=1)
    due = calendar.next_day_due(start, n)

    if due is None:
        assert micros(day.astimezone(UTC)) >= calendar.until - 2 * 86_400 * SECOND
    elif due.rule == "dst_gap":
        assert day.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != day.replace(tzinfo=None)
    else:
        assert due.at == micros(day.astimezone(UTC))


def utc(text: str) -> int:
    """A moment written as `2026-03-29 01:00`, in UTC."""
    return micros(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("zone", "first", "start", "n", "due"),
    [
        # Berlin skips 02:00 to 03:00 on 29 March 2026, and shows 02:00 to 03:00 twice on 25 October.
        (BERLIN, "2026-03-25", "2026-03-28 01:30", 1, Due(utc("2026-03-29 01:00"), "dst_gap")),
        (BERLIN, "2026-03-25", "2026-03-28 02:00", 1, Due(utc("2026-03-29 01:00"))),
        (BERLIN, "2026-03-25", "2026-03-28 23:30", 1, Due(utc("2026-03-29 22:30"))),
        (BERLIN, "2026-10-20", "2026-10-24 00:30", 1, Due(utc("2026-10-25 00:30"), "dst_overlap")),
        (BERLIN, "2026-10-20", "2026-10-25 00:30", 1, Due(utc("2026-10-26 01:30"))),
        (BERLIN, "2026-10-20", "2026-10-25 01:30", 1, Due(utc("2026-10-26 01:30"))),
        # Lord Howe's clocks move by half an hour: 02:00 to 02:30 is skipped on 4 October 2026.
        (LORD_HOWE, "2026-10-01", "2026-10-02 15:45", 1, Due(utc("2026-10-03 15:30"), "dst_gap")),
        # Beirut skips midnight: 29 March 2026 begins at 01:00.
        (BEIRUT, "2026-03-25", "2026-03-27 22:15", 1, Due(utc("2026-03-28 22:00"), "dst_gap")),
        # Samoa has no 30 December 2011: the day after the 29th is the 31st.
        (APIA, "2011-12-25", "2011-12-29 20:00", 1, Due(utc("2011-12-30 20:00"))),
        # St. John's went back from 00:01 to 23:01 on 7 November 2010.
        (ST_JOHNS, "2010-11-01", "2010-11-06 02:00", 1, Due(utc("2010-11-07 02:00"), "dst_overlap")),
    ],
)
def test_working_days_where_clocks_change(zone, first, start, n, due):
    """A local time that clocks skip or show twice on the due day has a stated rule, and the right second."""
    calendar = pinned(zone, date.fromisoformat(first), 20, open_on=lambda _: True)

    assert calendar.next_day_due(utc(start), n) == due
    assert calendar.days.advance(utc(start), calendar.days.consumed(utc(start), due.at)) == due.at


def test_a_gap_over_midnight_into_a_day_off():
    """What would be due in a gap that ends on a day off is due with the next working day, and names the rule."""
    hour, begin = 3600, utc("2026-06-01 00:00")
    # Day 0 is worked; day 1, too, and its clocks skip from 23:30 to 00:30; day 2 is off; day 3 is worked.
    calendar = Pinned(
        name="invented",
        version=1,
        zone="Nowhere",
        since=begin,
        until=begin + 4 * 86_400 * SECOND,
        hours=[9 * hour, 8 * hour, 16 * hour, 8 * hour, 39 * hour, 8 * hour],
        offsets=[(begin // SECOND, 0), (begin // SECOND + 47 * hour + hour // 2, hour)],
    )

    due = calendar.next_day_due(utc("2026-06-01 23:45"), 1)
    assert due == Due(utc("2026-06-03 23:00"), "dst_gap")
    assert (
        calendar.days.advance(utc("2026-06-01 23:45"), calendar.days.consumed(utc("2026-06-01 23:45"), due.at))
        == due.at
    )


def test_days_from_outside_hours():
    """From a Sunday the first working day is Monday, and a Friday's midnight leads to a Monday's."""
    calendar = YEARS[BERLIN, 2026]

    assert calendar.next_day_due(utc("2026-06-07 08:00"), 1) == Due(utc("2026-06-08 08:00"))
    assert calendar.next_day_due(utc("2026-06-04 22:00"), 1) == Due(utc("2026-06-07 22:00"))
    with pytest.raises(ValueError, match="one working day or more"):
        calendar.next_day_due(utc("2026-06-04 22:00"), 0)


def test_a_day_has_the_length_that_clocks_give_it():
    """The days when clocks change last 23 and 25 hours."""
    calendar = pinned(BERLIN, date(2026, 1, 1), 365, open_on=lambda _: True)
    hour = 60 * MINUTE

    assert calendar.days.consumed(utc("2026-03-28 23:00"), utc("2026-03-29 22:00")) == 23 * hour
    assert calendar.days.advance(utc("2026-03-28 23:00"), 23 * hour) == utc("2026-03-29 22:00")
    assert calendar.days.consumed(calendar.since, calendar.until) == 365 * 24 * hour


def test_the_horizon_is_never_guessed_beyond():
    """What lies outside it has no due time, also when the amount is 0."""
    calendar = YEARS[BERLIN, 2026]

    assert calendar.working.advance(calendar.since - 1, 0) is None
    assert calendar.working.advance(calendar.until, 1) is None
    everything = calendar.working.consumed(calendar.since, calendar.until)
    assert calendar.working.advance(calendar.since, everything + 1) is None
    assert calendar.next_day_due(calendar.since - 1, 1) is None
    assert calendar.next_day_due(calendar.until - 1, 1) is None


@example(3)
@given(st.integers(1, 3))
def test_a_pinned_calendar_is_small_and_stays_itself(runs):
    """400 days of office hours are under 6 kB of JSON, and reading them back changes nothing, decoded or not."""
    calendar = YEARS[BERLIN, 2026]
    for _ in range(runs):
        assert calendar.dates
        text = calendar.model_dump_json()
        assert len(text) < 6_000
        again = Pinned.model_validate_json(text)
        assert again == calendar
        assert again.working.advance(utc("2026-06-05 12:00"), 4 * 60 * MINUTE) == utc("2026-06-08 08:00")
        calendar = again
