"""The bank's log in aggregates: recomputed from a small log made by hand; nothing of a single case is committed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from demos.lending.aggregates.reading import FEWEST, LEVELS, aggregates, quantiles
from demos.lending.drawing import AGGREGATES, Bank, Spread, bank
from observability.learning.logs import LogError
from observability.learning.mapping import parse_map
from tests.observability.old_process import MAP
from workers.simulating.plan import moment, since_1970

ZONE = "Europe/Amsterdam"
MONDAY = datetime(2011, 10, 3, 9, tzinfo=ZoneInfo(ZONE))
CASES = 24


def event(activity: str, transition: str, at: datetime, who: str) -> str:
    """One event of an XES log."""
    return (
        f'<event><string key="concept:name" value="{activity}"/>'
        f'<string key="lifecycle:transition" value="{transition}"/>'
        f'<string key="org:resource" value="{who}"/><date key="time:timestamp" value="{at.isoformat()}"/></event>'
    )


def trace(number: int) -> str:
    """A case of a log: it waits for so many minutes, is worked on for so many seconds, and ends an hour later."""
    at = MONDAY + timedelta(days=number % 2, minutes=number)
    begun = at + timedelta(minutes=number)
    done = begun + timedelta(seconds=10 * (number + 1))
    ends = ("A_APPROVED", "A_DECLINED", "A_DECLINED", "")[number % 4]
    events = [
        event("A_SUBMITTED", "COMPLETE", at, "112"),
        event("W_Check", "SCHEDULE", at, "112"),
        event("W_Check", "START", begun, f"person-{number % 3}"),
        event("W_Check", "COMPLETE", done, f"person-{number % 3}"),
        *([event(ends, "COMPLETE", at + timedelta(hours=1), "112")] if ends else []),
    ]
    name = f'<string key="concept:name" value="L-{number}"/><string key="AMOUNT" value="{1000 * (number + 1)}"/>'
    return f"<trace>{name}{''.join(events)}</trace>"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """The aggregates of a small log."""
    log = tmp_path_factory.mktemp("log") / "small.xes"
    log.write_text(f'<log xes.version="1.0">{"".join(map(trace, range(CASES)))}</log>', encoding="utf-8")
    return aggregates(log, parse_map(MAP, "map.toml"), ZONE)


def test_cases_and_their_ends_are_counted(told: Mapping[str, Any]) -> None:
    """A quarter is approved, a half declined, a quarter open; open ones are in no cycle time of closed ones."""
    assert told["cases"]["n"] == CASES
    assert {end: found["n"] for end, found in told["cases"]["ends"].items()} == {
        "approved": 6,
        "declined": 12,
        "open": 6,
    }
    assert told["cycle_seconds"]["closed"] is None  # 18 are fewer than are told of
    assert told["cycle_seconds"]["open_counted_as_censored"]["ended"] == 18


def test_touch_queue_and_performers_of_a_work_item(told: Mapping[str, Any]) -> None:
    """What the log was made from comes out: 10 to 240 seconds of work after 0 to 23 minutes, by three people."""
    item = told["work"]["check"]
    assert item["touch_seconds"]["mean"] == 125.0
    assert item["touch_seconds"]["at"][LEVELS.index(0.5)] == 125.0
    assert item["queue_seconds"]["mean"] == 60 * 11.5
    assert (item["performers"], item["performers_per_working_day"]) == (3, 3.0)
    assert item["touch_hours"] == pytest.approx(CASES * 125 / 3600, abs=0.001)
    assert told["people"]["hours_of_starts"][9] == 1.0


def test_arrivals_are_told_by_day_and_hour(told: Mapping[str, Any]) -> None:
    """Twelve on the Monday and twelve on the Tuesday, all between nine and ten."""
    assert told["arrivals"]["mean_per_day"]["monday"] == 12.0
    assert told["arrivals"]["mean_per_day"]["wednesday"] is None
    assert told["arrivals"]["hours"]["working_days"][9] == 1.0


def test_few_values_have_no_quantiles() -> None:
    """Below the fewest they would come close to telling rows."""
    assert quantiles([1.0] * (FEWEST - 1)) is None
    assert quantiles([1.0] * FEWEST) is not None


def test_an_empty_log_is_refused(tmp_path: Path) -> None:
    """There is nothing to add up."""
    log = tmp_path / "empty.xes"
    log.write_text('<log xes.version="1.0"/>', encoding="utf-8")
    with pytest.raises(LogError, match="nothing to add up"):
        aggregates(log, parse_map(MAP, "map.toml"), ZONE)


def test_what_is_committed_names_its_source_and_holds_no_case() -> None:
    """The citation and the window are there; no list is longer than the levels, or the hours of a day."""
    told = json.loads(AGGREGATES.read_text(encoding="utf-8"))
    assert "van Dongen" in told["about"]["source"]
    assert told["about"]["doi"] == "10.4121/uuid:3926db30-f712-4394-aebc-75976070e91f"
    assert told["about"]["window"]["from"].startswith("2011-09-30")
    assert told["cases"]["n"] == 13087
    assert AGGREGATES.stat().st_size < 40_000
    assert set(_lengths(told)) == {24, len(LEVELS)}


def _lengths(value: Any) -> list[int]:
    if isinstance(value, dict):
        return [length for inside in value.values() for length in _lengths(inside)]
    return [len(value)] if isinstance(value, list) else []


def test_what_is_drawn_is_spread_as_what_it_is_drawn_from() -> None:
    """The median of many draws is the kept one, and none lies beyond the outermost quantiles."""
    spread = bank().spread("work", "assess_application", "touch_seconds_of_a_case")
    dice = Random(1)  # noqa: S311
    drawn = sorted(spread.draw(dice) for _ in range(4000))
    assert drawn[2000] == pytest.approx(spread.quantile(0.5), rel=0.05)
    assert drawn[0] == pytest.approx(spread.at[0])
    assert drawn[-1] == pytest.approx(spread.at[-1])


def test_arrivals_keep_the_pace_and_the_hours_of_the_bank() -> None:
    """Of a sixteenth of the applications some 37 a week come in, most of them by day."""
    begin = since_1970(datetime(2027, 1, 4, tzinfo=ZoneInfo("Europe/Berlin")))
    drawn = bank().arrivals(begin, ZoneInfo("Europe/Berlin"), 1 / 16, Random(2))  # noqa: S311
    some = [next(drawn) for _ in range(400)]
    weeks = (moment(some[-1]) - moment(begin)) / timedelta(days=7)
    assert 400 / weeks == pytest.approx(37.7, rel=0.15)
    assert some == sorted(some)
    by_day = sum(8 <= moment(at).astimezone(ZoneInfo("Europe/Berlin")).hour < 22 for at in some)
    assert by_day > 340


def test_a_value_between_two_levels_lies_on_the_line_between_them() -> None:
    """The median of a straight distribution is its middle."""
    straight = Spread(100, 0.5, LEVELS)
    assert straight.quantile(0.5) == 0.5
    assert Bank({"x": {"n": 1, "mean": 1.0, "at": [2.0] * len(LEVELS)}}).spread("x").draw(Random(1)) == 2.0  # noqa: S311
