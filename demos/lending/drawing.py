"""What is drawn from the bank's log: arrivals, amounts, working times and customers' waits, from its aggregates alone.

Values are drawn by the inverse of the distribution function, a straight line between two kept quantiles. What lies
beyond the outermost of them, one in a hundred on each side, is drawn as the outermost.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from demos.lending.aggregates.reading import DAYS, LEVELS, WORKING_DAYS
from workers.simulating.plan import moment, since_1970

AGGREGATES = Path(__file__).parent / "aggregates" / "loans-2012.json"


@dataclass(frozen=True, slots=True)
class Spread:
    """How values of the log are spread."""

    n: int
    mean: float
    at: tuple[float, ...]
    """The quantiles at `LEVELS`."""

    def draw(self, dice: Random) -> float:
        """Draw a value."""
        return float(np.interp(dice.random(), LEVELS, self.at))

    def quantile(self, share: float) -> float:
        """The value that so many do not exceed."""
        return float(np.interp(share, LEVELS, self.at))


class Bank:
    """The aggregates of the bank's log."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        """Take them as the JSON file has them."""
        self.told = told

    def spread(self, *path: str) -> Spread:
        """One of the distributions, by its place in the file."""
        found: Any = self.told
        for name in path:
            found = found[name]
        return Spread(found["n"], found["mean"], tuple(found["at"]))

    def touch(self, item: str, dice: Random, *, sitting: bool = False) -> timedelta:
        """Draw what people spent on a work item in all of a case, or in one sitting: whole seconds, at least one."""
        of = "touch_seconds" if sitting else "touch_seconds_of_a_case"
        return timedelta(seconds=max(1, round(self.spread("work", item, of).draw(dice))))

    def arrivals(self, since: int, zone: ZoneInfo, scale: float, dice: Random) -> Iterator[int]:
        """Draw moments at which applications come in, day by day without end, nights and weekends included.

        Args:
            since: A midnight, in microseconds since 1970.
            zone: Whose hours are meant.
            scale: The share of the bank's applications.
            dice: Decides.
        """
        told, days = self.told["arrivals"], self.spread("arrivals", "per_working_day")
        mean = sum(told["mean_per_day"][day] for day in DAYS[:WORKING_DAYS]) / WORKING_DAYS
        day = moment(since).astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
        while True:
            weekday = day.weekday()
            whole = told["mean_per_day"][DAYS[weekday]] * days.draw(dice) / mean
            n = sum(dice.random() < scale for _ in range(round(whole)))
            hours = told["hours"]["working_days" if weekday < WORKING_DAYS else "weekends"]
            drawn = dice.choices(range(24), hours, k=n)
            yield from sorted(since_1970((day.replace(hour=hour) + _within(dice)).astimezone(UTC)) for hour in drawn)
            day = _next(day)


def _within(dice: Random) -> timedelta:
    return timedelta(seconds=dice.randrange(3600))


def _next(day: datetime) -> datetime:
    return day + timedelta(days=1)  # on local clocks: a midnight again, also where clocks change


@cache
def bank() -> Bank:
    """The bank of the committed aggregates."""
    return Bank(json.loads(AGGREGATES.read_text(encoding="utf-8")))
