"""Every microsecond of a case is in exactly one part, against a count that goes minute by minute."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from workunits.core.parts import PARTS, parts, slices
from workunits.core.record import Record, Work

END = 40
"""Minutes of the case; a work may reach beyond it, as an inline step does whose worker's watch is fast."""


@st.composite
def works(draw):
    """One performance of a step, in whole minutes, as the core writes them."""
    minute = st.integers(0, END + 5)
    ready = draw(minute)
    done = draw(st.none() | st.integers(ready, END + 10))
    kind = draw(st.sampled_from(["human", "automated", "ai"]))
    last = END + 10 if done is None else done
    span = st.tuples(st.integers(ready, last), st.integers(ready, last)).map(sorted).map(tuple)
    return Work(
        key="k",
        step="s",
        kind=kind,
        ready=ready,
        done=done,
        work=draw(st.lists(span, max_size=2)),
        since=draw(st.none() | st.integers(ready, last)) if kind == "human" and done is None else None,
        retry=draw(st.lists(span, max_size=2)) if kind != "human" else [],
        external=kind == "human" and draw(st.booleans()),
        redo_of=draw(st.sampled_from([None, "k"])),
    )


def record(steps, closed=END):
    """A case of those steps."""
    return Record(
        unit="u", version="1", case="c", started=datetime(2026, 1, 1, tzinfo=UTC), due=9, closed=closed, steps=steps
    )


hours = st.lists(st.tuples(st.integers(-5, END + 5), st.integers(-5, END + 5)).map(sorted).map(tuple), max_size=3)
"""Off-hours, which may overlap, and reach beyond the case."""


def what_it_is(work: Work, minute: int, end: int) -> set[str]:
    """All parts that a minute of one performance could count as, from the words of semantics section 0."""

    def within(interval):
        return interval[0] <= minute < interval[1]

    until = end if work.done is None else work.done
    if not within((work.ready, until)) and not any(map(within, [*work.work, *work.retry])):
        return set()
    found = set()
    if work.redo_of and within((work.ready, until)):
        found.add("rework")
    if work.external:
        return found | ({"external_wait"} if within((work.ready, until)) else set())
    working = list(work.work) + ([(work.since, until)] if work.since is not None else [])
    if any(map(within, working)):
        found.add("touch_human" if work.kind == "human" else "touch_machine")
    if any(map(within, work.retry)):
        found.add("retry")
    has_ended = work.kind != "human" and work.done is not None
    over = max((b for _, b in working), default=until) if has_ended else until
    if within((work.ready, over)):
        found.add("queue")
    return found


def counted(steps, end=END, off=()):
    """Minute by minute, the first part in the order of precedence."""
    total = Counter(dict.fromkeys(PARTS, 0))
    for minute in range(end):
        candidates = set().union(*(what_it_is(work, minute, end) for work in steps))
        candidates |= {"off_hours"} if any(a <= minute < b for a, b in off) else set()
        total[next((part for part in PARTS if part in candidates), "idle")] += 1
    return dict(total)


@given(st.lists(works(), max_size=6))
@example([])
@example([Work(key="k", step="s", kind="human", ready=0, done=0)])
@example([Work(key="k", step="s", kind="human", ready=3, done=END + 9, external=True, redo_of="k")])
def test_the_parts_of_any_works_add_up_and_follow_the_precedence(steps):
    """Whatever overlaps whatever: the sum is the elapsed time, and each minute has the first part that applies."""
    split = parts(record(steps))

    assert sum(split.values()) == END
    assert split == counted(steps)


@given(st.lists(works(), max_size=4), st.integers(0, END))
def test_an_open_case_is_split_up_to_now(steps, now):
    """The same at any moment of its life."""
    split = parts(record(steps, closed=None), now)

    assert sum(split.values()) == now
    assert split == counted(steps, now)


def test_the_order_of_precedence_is_that_of_semantics_section_0():
    """Rework, touch human, touch machine, retry, external wait, off-hours, queue, idle."""
    everything = [
        Work(key="a", step="a", kind="automated", ready=0, done=35, redo_of="a"),
        Work(key="b", step="b", kind="human", ready=0, done=36, work=[(0, 36)]),
        Work(key="c", step="c", kind="ai", ready=0, done=37, work=[(0, 37)]),
        Work(key="d", step="d", kind="ai", ready=0, done=38, retry=[(0, 38)], work=[(38, 38)]),
        Work(key="e", step="e", kind="human", ready=0, done=39, external=True),
        Work(key="f", step="f", kind="human", ready=0, done=40),
    ]
    order = ["rework", "touch_human", "touch_machine", "retry", "external_wait", "queue", "idle"]
    for minutes, first in enumerate(order):
        expected = dict.fromkeys(PARTS, 0) | {first: 35 + minutes if minutes < 6 else 41}
        for later, part in enumerate(order[minutes + 1 :], start=36 + minutes):
            expected[part] = 1 if later <= 41 else 0
        assert parts(record(everything[minutes:], closed=41)) == expected


def test_a_machine_step_that_has_ended_is_idle_until_the_case_takes_its_result():
    """Nobody waits for a worker any more."""
    work = Work(key="k", step="s", kind="automated", ready=5, done=30, work=[(10, 20)])

    assert parts(record([work])) == dict.fromkeys(PARTS, 0) | {"idle": 25, "queue": 5, "touch_machine": 10}


@given(st.lists(works(), max_size=6), hours)
def test_off_hours_take_the_time_in_which_it_would_only_wait(steps, off):
    """After an external wait and before queue and idle; and the working time is the rest of the elapsed time."""
    pieces = list(slices(record(steps), off=off))
    worked = sum(piece.length for piece in pieces if not piece.off)

    assert parts(record(steps), off=off) == counted(steps, off=off)
    assert worked == sum(1 for minute in range(END) if not any(a <= minute < b for a, b in off))


@given(st.lists(works(), max_size=6), hours)
def test_every_slice_belongs_to_the_first_performance_that_is_in_its_part(steps, off):
    """The slices follow each other without a gap; idle time belongs to none, and every other time to one."""
    at = 0
    for piece in slices(record(steps), off=off):
        assert piece.begin == at
        at = piece.end
        minute = piece.begin
        here = [what_it_is(work, minute, END) for work in steps]
        of_part = [place for place, found in enumerate(here) if piece.part in found]
        if piece.part == "rework":
            assert piece.work is not None
            inside = what_is_inside(here[piece.work] - {"rework"}, off=piece.off)
            assert piece.work in of_part
            assert piece.inside == inside
            assert all(
                PARTS.index(what_is_inside(here[place] - {"rework"}, off=piece.off)) >= PARTS.index(inside)
                for place in of_part
            )
        elif piece.part == "off_hours":
            assert piece.work == next((place for place, found in enumerate(here) if "queue" in found), None)
        else:
            assert piece.work == (of_part[0] if of_part else None)
    assert at == END


def what_is_inside(found, *, off):
    """What a repeat is in, apart from being one."""
    first = next((part for part in PARTS if part in found), "idle")
    return "off_hours" if off and first in ("queue", "idle") else first


def test_the_slices_of_a_case_that_was_done_by_hand():
    """A repeat is split inside by what was done in it; off-hours count apart from what they stand for."""
    steps = [
        Work(key="k", step="k", kind="human", ready=0, done=10, work=[(4, 10)]),
        Work(key="k-2", step="k", kind="human", ready=12, done=40, work=[(30, 40)], redo_of="k"),
    ]
    found = [
        (one.begin, one.end, one.part, one.inside, one.work, one.off) for one in slices(record(steps), off=[(2, 20)])
    ]

    assert found == [
        (0, 2, "queue", "queue", 0, False),
        (2, 4, "off_hours", "off_hours", 0, True),
        (4, 10, "touch_human", "touch_human", 0, True),
        (10, 12, "off_hours", "off_hours", None, True),
        (12, 20, "rework", "off_hours", 1, True),
        (20, 30, "rework", "queue", 1, False),
        (30, 40, "rework", "touch_human", 1, False),
    ]
