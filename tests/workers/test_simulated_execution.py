"""Plans that are executed: what the records say is what was computed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from tests.conftest import Bench
from tests.lab.contracts import Decision, Request
from workers.simulating.executing import Executor, OtherwiseError, next_monday
from workers.simulating.plan import Arrival, Course, Person, Spread, Work, arrivals, moment
from workers.simulating.queueing import simulate
from workunits.core.working import DAY, SECOND, Hours
from workunits.testing import Skipper

GRANT = Decision(decision="grant")
SPREAD = Spread(timedelta(minutes=90), timedelta(hours=5))
CLOSE_TO = 2 * SECOND
"""How far a case's own clock may be off at its start: as long as the engine takes to note that it was asked for."""


def incoming(begin: int, seed: str, unit: str, steps: list[tuple[str, str]]) -> list[Arrival]:
    """Cases that compete for one clerk and one expert, all steps at once."""
    dice = Random(seed)  # noqa: S311, simulated

    def course(key: str) -> Course:
        mine = Random(key)  # noqa: S311
        yield [Work(step, role, SPREAD.draw(mine), GRANT) for step, role in steps]

    days = office(begin)
    return [
        Arrival(unit, f"{seed}-{n}", at, Request(request=f"{seed}-{n}"), lambda n=n: course(f"{seed}-{n}"))  # type: ignore[misc]
        for n, at in enumerate(arrivals(days, begin, begin + 3 * DAY, timedelta(hours=1.4), dice))
    ]


def office(begin: int) -> Hours:
    """Nine to five, each day."""
    nine, five = 9 * 3600 * SECOND, 17 * 3600 * SECOND
    return Hours(((begin + n * DAY + nine, begin + n * DAY + five) for n in range(60)), begin, begin + 60 * DAY)


async def test_a_record_says_what_the_plan_says(bench: Bench) -> None:
    """Two tasks at once, executed up to a midnight and then on: who, claimed and completed are those of the plan."""
    begin = next_monday(datetime.now(UTC))
    people = [Person("ann", ("clerk",), office(begin)), Person("eve", ("expert",), office(begin))]
    plan = simulate(incoming(begin, "simulated", "pair", [("left", "clerk"), ("right", "expert")]), people)
    said: list[Any] = []

    executor, skipper = Executor(bench.cases, Skipper(bench.lab._env), on_done=said.append), Skipper(bench.lab._env)
    night = next(end for one in plan if (end := begin + (one.arrival.at - begin) // DAY * DAY + DAY) <= one.ends)
    early = await executor.execute(plan, until=night)
    still_open = [one for one in early if one.view.is_open]
    clocks = [await skipper.now(bench.handle(one.view.case)) for one in still_open]
    done = await executor.execute(plan)

    assert len(plan) > 5
    assert [one.planned for one in early] == [one for one in plan if one.arrival.at < night]
    assert [one.view.is_open for one in early] == [one.planned.ends >= night for one in early]
    assert 0 < len(still_open) < len(early) < len(plan)
    assert all(timedelta(0) <= clock - moment(night) < timedelta(seconds=20) for clock in clocks)
    assert len(said) == len(early) + len(plan)
    assert [one.planned for one in done] == plan
    assert len({(turn.who, moment(turn.claimed).date()) for one in plan for turn in one.turns}) > 3
    for one in done:
        record = one.view.record
        assert record is not None
        assert record.close in {"achieved", "achieved_late"}
        started = round(one.view.started.timestamp() * SECOND)
        assert abs(started - one.planned.arrival.at) < CLOSE_TO
        for turn in one.planned.turns:
            step = next(step for step in record.steps if step.step == turn.step)
            assert step.by == turn.who
            assert step.claimed is not None
            assert step.done is not None
            assert (started + step.claimed, started + step.done) == (turn.claimed, turn.completed)


async def test_a_case_that_goes_otherwise_than_planned_is_named(bench: Bench) -> None:
    """A plan without a step that its case asks for, one with a step too many, and one whose time has passed."""
    begin = next_monday(datetime.now(UTC))
    executor = Executor(bench.cases, Skipper(bench.lab._env))

    async def go(seed: str, unit: str, steps: list[tuple[str, str]], since: int = begin) -> None:
        people = [Person("ann", ("clerk",), office(since)), Person("eve", ("expert",), office(since))]
        await executor.execute(simulate(incoming(since, seed, unit, steps), people)[:1])

    with pytest.raises(OtherwiseError, match="asks for the step 'right', which its plan does not have"):
        await go("short", "pair", [("left", "clerk")])
    with pytest.raises(OtherwiseError, match=r"closed as .*, and its plan still has the step 'left'"):
        await go("long", "plain", [("decide", "clerk"), ("left", "clerk")])
    with pytest.raises(OtherwiseError, match="begin the plan later"):
        await go("past", "plain", [("decide", "clerk")], since=begin - 21 * DAY)
