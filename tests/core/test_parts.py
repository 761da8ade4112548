"""Every microsecond of a case is in exactly one part, against a count that goes minute by minute."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from workunits.core.parts import PARTS, parts
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
    over = max((b for _, b in working), default=until) if work.kind != "human" else until
    if within((work.ready, over)):
        found.add("queue")
    return found


def counted(steps, end=END):
    """Minute by minute, the first part in the order of precedence."""
    total = Counter(dict.fromkeys(PARTS, 0))
    for minute in range(end):
        candidates = set().union(*(what_it_is(work, minute, end) for work in steps))
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
