"""Clocks as readings of the record: a table of situations, and what is promised on steps and between events."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.clock_table import SITUATIONS, Situation
from tests.core.offices import at, pinned
from workunits.core.case_calendar import Calendar
from workunits.core.clocks import Promised, Reading, read_clock
from workunits.core.promise import Between, Pause, Target, elapsed, working_hours
from workunits.core.record import ClockEntry, Record, Work

HOUR = 3_600_000_000


def us(record: Record, local: str) -> int:
    """An offset in a case."""
    return record.offset(at(local))


def started(local: str) -> Record:
    """A case that started then."""
    return Record(unit="unit", version="1", case="unit:1", started=at(local), due=0)


def reading_of(situation: Situation) -> tuple[Record, Reading]:
    """The record of a situation, and its clock."""
    record = started(situation.start)
    task = Work(key="ask", step="ask", kind="human", ready=0)
    for reason, begin, end in situation.waits:
        task.waits_for.append(reason)
        if end is None:
            task.now, task.since = "waiting", us(record, begin)
        else:
            task.waits.append((us(record, begin), us(record, end)))
    for begin, end in situation.holds:
        if end is None:
            task.now, task.since = "suspended", us(record, begin)
        else:
            task.held.append((us(record, begin), us(record, end)))
    record.steps = [task]
    for number, (begin, end) in enumerate(situation.outsider):
        work = Work(key=f"reply-{number}", step="reply", kind="human", ready=us(record, begin), external=True)
        work.done = None if end is None else us(record, end)
        record.steps.append(work)
    for what, when, said in situation.entries:
        more: dict[str, Any] = {"amount": round(said * HOUR), "reason": "why"} if what == "adjust" else {"reason": said}
        record.entries.append(
            ClockEntry(
                at=us(record, when),
                clock="unit",
                entry=what,  # type: ignore[arg-type]
                by="ann",
                **more,
            )
        )
    record.closed = None if situation.closed is None else us(record, situation.closed)
    pauses = tuple(Pause(reason, elapsed(hours=cap)) for reason, cap in situation.pauses.items())
    target = Target(situation.within, calendar=situation.calendar, pauses=pauses)
    reading = read_clock(Promised(target, outsiders=(("reply", "customer"),)), record, calendars(record))
    assert reading is not None
    return record, reading


def calendars(record: Record) -> dict[str, Calendar]:
    """All calendars, as a case has them that started then."""
    return {name: Calendar(pinned(name), record.started) for name in ("office", "night", "daily")}


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
def test_a_clock_reads_as_one_works_it_out_by_hand(situation):
    """The table has the answers."""
    record, reading = reading_of(situation)
    now = us(record, situation.at) if situation.at else 0
    read = {
        "due": reading.due,
        "used": reading.consumed(now),
        "paused": reading.paused(now),
        "late": reading.is_late(now),
        "state": reading.state(now),
        "generation": reading.generation(now),
    }
    wanted = dict(situation.expected)
    if "due" in wanted:
        wanted["due"] = us(record, wanted["due"])
    for hours in {"used", "paused"} & set(wanted):
        wanted[hours] = round(wanted[hours] * HOUR)

    assert {name: read[name] for name in wanted} == wanted


def test_the_table_has_the_situations_that_were_asked_for():
    """At least sixty, each with a name of its own."""
    assert len({situation.name for situation in SITUATIONS}) == len(SITUATIONS) >= 60


ASK = Target(elapsed(hours=4))


def performance(key: str, ready: int, **more: Any) -> Work:
    """A person's performance of `ask`."""
    return Work(key=key, step="ask", kind="human", ready=ready * HOUR, **more)


@pytest.mark.parametrize(
    ("of", "more", "stopped", "state"),
    [
        ("start_by", {"work": [(2 * HOUR, 3 * HOUR)]}, 2, "stopped"),
        ("start_by", {"since": 2 * HOUR}, 2, "stopped"),
        ("start_by", {"since": 2 * HOUR, "now": "waiting", "work": [(HOUR, 2 * HOUR)]}, 1, "stopped"),
        ("start_by", {}, None, "running"),
        ("start_by", {"done": 3 * HOUR, "end": "done"}, 3, "stopped"),
        ("start_by", {"done": 3 * HOUR, "end": "cancelled"}, 3, "void"),
        ("finish_by", {"work": [(2 * HOUR, 3 * HOUR)]}, None, "running"),
        ("finish_by", {"done": 3 * HOUR, "end": "done"}, 3, "stopped"),
        ("finish_by", {"done": 3 * HOUR, "end": "exception"}, 3, "stopped"),
        ("finish_by", {"done": 3 * HOUR, "end": "skipped"}, 3, "void"),
        ("finish_by", {"done": 3 * HOUR, "end": "expired"}, 3, "void"),
    ],
)
def test_a_promise_on_a_step_runs_from_ready_to_what_was_promised(of, more, stopped, state):
    """Begun, or done; a step that ends otherwise leaves it without a result."""
    record = started("2026-03-02 09:00")
    record.steps = [performance("ask", 1, **more)]
    reading = read_clock(Promised(ASK, "ask", of), record, {}, record.steps[0])

    assert reading is not None
    assert (reading.key, reading.started) == (f"ask.{of}", HOUR)
    assert reading.stopped == (None if stopped is None else stopped * HOUR)
    assert reading.state(4 * HOUR) == state


def test_each_performance_of_a_step_has_a_clock_of_its_own():
    """A repeat is a new clock, whose key names the performance."""
    record = started("2026-03-02 09:00")
    record.steps = [performance("ask", 0, done=HOUR, end="done"), performance("ask-2", 2)]
    readings = [read_clock(Promised(ASK, "ask", "finish_by"), record, {}, work) for work in record.steps]

    assert [(r and r.key, r and r.due) for r in readings] == [
        ("ask.finish_by", 4 * HOUR),
        ("ask-2.finish_by", 6 * HOUR),
    ]
    assert {r.promised.name for r in readings if r} == {"ask.finish_by"}


@pytest.mark.parametrize(
    ("since", "until", "closed", "expected"),
    [
        ("case.started", "ask.done", None, (0, 3, "stopped")),
        ("ask.ready", "ask.begun", None, (1, 2, "stopped")),
        ("ask.done", "tell.done", None, (3, None, "running")),
        ("ask.done", "tell.done", 5, (3, 5, "void")),
        ("tell.ready", "tell.done", None, None),
        ("ask.done", "ask.ready", None, (3, 3, "stopped")),
        ("ask.claimed", "ask.done", None, (1, 3, "stopped")),
    ],
)
def test_a_promise_between_two_events(since, until, closed, expected):
    """It starts with the first event, and stops with the second or, without a result, with the case."""
    record = started("2026-03-02 09:00")
    record.closed = None if closed is None else closed * HOUR
    work = [(2 * HOUR, 3 * HOUR)]
    record.steps = [performance("ask", 1, claimed=HOUR, work=work, done=3 * HOUR, end="done")]
    promised = Promised(ASK, between=Between("reply", since, until, ASK))
    reading = read_clock(promised, record, {})
    read = reading and (
        reading.started // HOUR,
        None if reading.stopped is None else reading.stopped // HOUR,
        reading.state(9 * HOUR),
    )

    assert read == expected


@settings(max_examples=200, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 14 * 24 * 60), max_size=8, unique=True),
    start=st.datetimes(datetime(2026, 3, 20), datetime(2026, 11, 1)),  # noqa: DTZ001 - local, in Berlin
    calendar=st.sampled_from(["office", "night", "daily", ""]),
    minutes=st.integers(1, 60 * 60),
)
def test_what_is_used_and_what_is_left_add_up_however_it_was_stopped(cuts, start, calendar, minutes):
    """At each end of a pause, used plus left is the budget; and a count of each minute agrees."""
    record = started(start.replace(second=0, microsecond=0).isoformat(sep=" "))
    edges = sorted(cut * 60_000_000 for cut in cuts)
    stops = list(zip(edges[::2], edges[1::2], strict=False))
    record.steps = [performance("ask", 0, waits=stops, waits_for=["customer"] * len(stops))]
    budget = working_hours(minutes / 60) if calendar else elapsed(minutes=minutes)
    target = Target(budget, calendar=calendar, pauses=(Pause("customer", elapsed(days=99)),))
    reading = read_clock(Promised(target), record, calendars(record))
    assert reading is not None
    due = reading.due
    assert due is not None
    time, moments = reading.time, [moment for edge in stops for moment in edge]

    assert reading.consumed(due) == reading.budget
    for moment in moments:
        if moment < due:
            left = reading.budget - reading.consumed(moment)
            later = [stop for stop in stops if stop[0] >= moment]
            rest = Reading("rest", reading.promised, time, moment, None, left, tuple(later))
            inside = any(begin <= moment < end for begin, end in stops)
            assert rest.due == due or inside
    end = min(due, 20 * 24 * HOUR)
    counted = sum(
        time.consumed(minute, minute + 60_000_000)
        for minute in range(0, end, 60_000_000)
        if not any(begin <= minute < finish for begin, finish in stops)
    )
    assert abs(counted - reading.consumed(end)) < 60_000_000


def test_a_zone_of_tests_is_the_one_that_people_live_in():
    """The calendars of these tests open at nine in summer and in winter."""
    record = started("2026-03-27 17:00")
    office = calendars(record)["office"].time(working_hours(1))

    assert office.advance(0, 0) == us(record, "2026-03-30 09:00")
    assert record.when(office.advance(0, 0) or 0) - record.started == timedelta(hours=63)
