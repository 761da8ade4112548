"""The discrete-event queue: people, their hours, and who takes what when."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from workers.simulating.executing import acts
from workers.simulating.figures import loads
from workers.simulating.plan import (
    Arrival,
    Ask,
    Begins,
    Course,
    Outside,
    Person,
    Planned,
    Silence,
    Spread,
    Turn,
    Work,
    arrivals,
)
from workers.simulating.queueing import HorizonEndsError, NobodyHasRoleError, simulate
from workunits.core.working import DAY, SECOND, Hours

HOUR, MINUTE = 3600 * SECOND, 60 * SECOND
NINE, FIVE = 9 * HOUR, 17 * HOUR
AT_ONCE = timedelta(0)


class Said(BaseModel):
    """An answer."""


def office(days: int, opens: int = NINE, shuts: int = FIVE) -> Hours:
    """Hours of the same each day."""
    return Hours(((day * DAY + opens, day * DAY + shuts) for day in range(days)), 0, days * DAY)


def always(days: int) -> Hours:
    """No nights."""
    return Hours([(0, days * DAY)], 0, days * DAY)


def case(key: str, at: int, *works: Ask | Sequence[Ask]) -> Arrival:
    """A case that asks for one thing after the other, or for several at once."""

    def course() -> Course:
        for work in works:
            yield work if isinstance(work, Sequence) else [work]

    return Arrival("unit", key, at, Said(), course)


def work(minutes: float, role: str = "clerk", step: str = "do") -> Work:
    """A step of somebody's."""
    return Work(step, role, timedelta(minutes=minutes), Said())


def drawn(seed: int, days: int = 20, every: float = 30) -> list[Arrival]:
    """Cases at random: one or two steps of two roles, sometimes at once."""
    dice = Random(seed)  # noqa: S311, simulated
    spread = Spread(timedelta(minutes=20), timedelta(minutes=90))
    found = []
    for n, at in enumerate(arrivals(office(days), 0, days * DAY, timedelta(minutes=every), dice)):
        first, second = (
            Work(step, role, spread.draw(dice), Said()) for step, role in (("a", "clerk"), ("b", "reviewer"))
        )
        found.append(
            case(f"{n:04}", at, *([[first, second]] if dice.random() < 0.3 else [first, second][: dice.randint(1, 2)]))
        )
    return found


TEAM = (
    Person("ann", ("clerk",), office(400)),
    Person("bob", ("clerk", "reviewer"), office(400, NINE, 13 * HOUR)),
    Person("eve", ("reviewer",), office(400, 12 * HOUR, FIVE)),
)


def turns_of(planned: Sequence[Planned], **that: str) -> list[Turn]:
    """The turns with some property, in the order of their begin."""
    every = (turn for one in planned for turn in one.turns)
    found = [turn for turn in every if all(getattr(turn, name) == value for name, value in that.items())]
    return sorted(found, key=lambda turn: (turn.claimed, turn.ready))


@given(st.integers(0, 10_000))
def test_nobody_works_on_two_things_or_outside_their_hours(seed: int) -> None:
    """Whatever comes in: one thing at a time, by someone of the role, in their hours, and all of it is done."""
    arriving = drawn(seed, days=8)

    planned = simulate(arriving, TEAM)

    asked = [ask for one in arriving for asks in one.course() for ask in asks]
    assert len(turns_of(planned)) == len(asked)
    for person in TEAM:
        own = turns_of(planned, who=person.name)
        assert all(earlier.completed <= later.claimed for earlier, later in pairwise(own))
        for turn in own:
            assert turn.role in person.roles
            assert turn.ready + MINUTE <= turn.claimed < turn.completed
            assert person.hours.consumed(turn.claimed, turn.claimed + SECOND) == SECOND
            assert person.hours.consumed(turn.completed - SECOND, turn.completed) == SECOND
            in_the_morning = not person.hours.consumed(turn.claimed - SECOND, turn.claimed)
            assert in_the_morning or not person.hours.off(turn.claimed, turn.completed)


@given(st.integers(0, 10_000))
def test_a_role_is_served_in_the_order_of_asking(seed: int) -> None:
    """Where a role's people have that role alone and the same hours, tasks begin in the order in which they came."""
    team = [Person(name, ("clerk",), office(400)) for name in ("ann", "bob")]
    arriving = [case(f"{n}", one.at, work(15)) for n, one in enumerate(drawn(seed, days=5, every=10))]

    ready = [turn.ready for turn in turns_of(simulate(arriving, team))]

    assert len(ready) == len(arriving)
    assert ready == sorted(ready)


def test_the_same_seed_gives_the_same_and_another_one_another() -> None:
    """Nothing but the seed decides; the order in which arrivals are handed over does not."""
    first, again, other = simulate(drawn(1), TEAM), simulate(drawn(1)[::-1], TEAM), simulate(drawn(2), TEAM)

    assert [one.turns for one in first] == [one.turns for one in again]
    assert [one.turns for one in first] != [one.turns for one in other]


def test_waiting_times_are_those_of_queueing_theory() -> None:
    """Erlang's formula for three people without nights, Little's law, and a utilisation of rate times work."""
    days, mean, every = 300, 40.0, 18.0
    people = [Person(f"p{n}", ("clerk",), always(days + 100)) for n in range(3)]
    dice = Random(5)  # noqa: S311
    arriving = [
        case(f"{n:06}", at, work(dice.expovariate(1 / mean) + 1 / 60))
        for n, at in enumerate(arrivals(always(days), 0, days * DAY, timedelta(minutes=every), dice))
    ]

    planned = simulate(arriving, people, notice=AT_ONCE)

    (load,) = loads(planned, people, 0, days * DAY)
    offered = mean / every
    busy = offered / 3
    queued = offered**3 / math.factorial(3) / (1 - busy)
    waits = queued / (sum(offered**k / math.factorial(k) for k in range(3)) + queued)
    assert load.utilisation == pytest.approx(busy, rel=0.02)
    assert load.mean_wait_seconds / 60 == pytest.approx(waits * mean / (3 - offered), rel=0.06)
    assert _mean_waiting(turns_of(planned), days * DAY) == pytest.approx(load.mean_queue, rel=0.001)


def _mean_waiting(turns: Sequence[Turn], until: int) -> float:
    """How many wait, on average: counted moment by moment."""
    changes = Counter[int]()
    for turn in turns:
        changes[turn.ready] += 1
        changes[turn.claimed] -= 1
    area, waiting, last = 0, 0, 0
    for at in sorted(changes):
        area += waiting * (at - last)
        waiting, last = waiting + changes[at], at
    return area / until


def test_more_people_make_the_queue_shorter() -> None:
    """Capacity counts: with a second clerk tasks wait less, with a third no more."""
    arriving = [case(f"{n:04}", one.at, work(25)) for n, one in enumerate(drawn(3, every=25))]

    waits = []
    for count in (1, 2, 3):
        people = [Person(f"p{n}", ("clerk",), office(400)) for n in range(count)]
        waits.append(loads(simulate(arriving, people), people, 0, 20 * DAY)[0].mean_wait_seconds)

    assert waits[0] > 3 * waits[1] > 0
    assert waits[1] >= waits[2]


def test_what_does_not_fit_into_a_day_is_begun_on_the_next() -> None:
    """At a quarter to five nobody begins half an hour's work; what no day is long enough for is begun at nine."""
    ann = Person("ann", ("clerk",), office(9))
    late, long = case("1", FIVE - 16 * MINUTE, work(30)), case("2", DAY + FIVE, work(10 * 60))

    (first,), (second,) = (one.turns for one in simulate([late, long], [ann]))

    assert (first.claimed, first.completed) == (DAY + NINE, DAY + NINE + 30 * MINUTE)
    assert (second.claimed, second.completed) == (2 * DAY + NINE, 3 * DAY + NINE + 2 * HOUR)


def test_a_course_is_told_how_it_went_and_may_branch() -> None:
    """What is asked at once is waited for together; a party outside takes nobody's time."""
    told: list[Sequence[Turn]] = []

    def course() -> Course:
        said = yield [work(10, step="a"), work(20, "reviewer", "b"), Outside("c", "customer", "cy", AT_ONCE, Said())]
        told.append(said)
        yield []
        if said[-1].step == "b":
            told.append((yield [work(5, step="d")]))

    planned = simulate([Arrival("unit", "1", 12 * HOUR, Said(), course)], TEAM)

    assert [[turn.step for turn in said] for said in told] == [["c", "a", "b"], ["d"]]
    assert planned[0].ends == told[1][0].completed == 12 * HOUR + (1 + 20 + 1 + 5) * MINUTE


def test_what_cannot_be_planned_is_said() -> None:
    """A role that nobody has, and a calendar that ends too early, are named."""
    with pytest.raises(NobodyHasRoleError, match="'boss', which the step 'do'"):
        simulate([case("1", 0, work(1, "boss"))], TEAM)
    with pytest.raises(HorizonEndsError, match="calendar of ann ends"):
        simulate([case("1", FIVE, work(1))], [Person("ann", ("clerk",), office(1))])


@given(st.integers(1, 500), st.floats(1.5, 8))
def test_durations_have_the_median_and_the_percentile_that_were_stated(minutes: int, tail: float) -> None:
    """Half of what is drawn lies below the median, one in twenty above the 95th percentile."""
    spread = Spread(timedelta(minutes=minutes), timedelta(minutes=minutes * tail))
    dice = Random(7)  # noqa: S311

    found = sorted(spread.draw(dice) for _ in range(2000))

    assert found[1000] / spread.median == pytest.approx(1, rel=0.12 * tail**0.5)
    assert 60 <= sum(one > spread.p95 for one in found) <= 140


def test_a_case_begins_another_one_that_competes_for_the_same_people() -> None:
    """It comes in when the first one gets there, and waits for whoever is busy; the first one does not wait for it."""

    def first() -> Course:
        yield [work(30)]
        yield [Begins(lambda at: case("later", at + 5 * MINUTE, work(10)))]
        yield [work(60)]

    people = [Person("ada", ("clerk",), office(1))]
    one, other = simulate([Arrival("unit", "one", NINE, Said(), first)], people, notice=AT_ONCE)
    assert [turn.completed for turn in one.turns] == [NINE + 30 * MINUTE, NINE + 90 * MINUTE]
    assert other.arrival.at == NINE + 35 * MINUTE
    assert other.turns[0].claimed == NINE + 90 * MINUTE


def test_what_nobody_answers_ends_by_itself_and_takes_nobodys_time() -> None:
    """The clerk is free meanwhile; nobody starts or completes it, it expires."""
    silent = case("silent", NINE, Silence("answer", "customer", timedelta(hours=2)), work(10))
    other = case("other", NINE, work(10))
    first, second = simulate([silent, other], [Person("ada", ("clerk",), office(1))], notice=AT_ONCE)
    by_key = {one.arrival.key: one for one in (first, second)}
    expired = by_key["silent"].turns[0]
    assert (expired.who, expired.gives, expired.completed) == ("", None, NINE + 2 * HOUR)
    assert [act.action for act in acts(by_key["silent"].turns)] == ["expire", "start", "complete"]
    assert by_key["other"].turns[0].claimed == NINE


def test_work_that_is_longer_than_a_day_rests_overnight() -> None:
    """It is stopped when the day is over and begun again on the next one; its intervals are its working time."""
    (long,) = simulate([case("long", NINE, work(10 * 60))], [Person("ada", ("clerk",), office(3))], notice=AT_ONCE)
    (turn,) = long.turns
    assert turn.breaks == ((FIVE, DAY + NINE),)
    assert [(act.action, act.at) for act in acts(long.turns)] == [
        ("start", NINE),
        ("stop", FIVE),
        ("start", DAY + NINE),
        ("complete", DAY + NINE + 2 * HOUR),
    ]
