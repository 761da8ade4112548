"""Drift: weekly values of a unit on an individuals chart, and the weeks that are no longer chance.

Limits are the mean ± 2.66 mean moving ranges. A week beyond them signals, and so do eight in a row on one side of the
mean. Only whole weeks count, Monday to Monday in UTC, and a week without a closed case has no value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from observability.learning.selection import Asked, Closed, closed_cases
from workunits.core.unit import WorkUnit

FACTOR = 2.66
"""Three standard deviations, in mean moving ranges of two (3 / 1.128)."""
RUN = 8
"""So many in a row on one side are no chance."""
FEWEST = 8
"""Weeks from which on limits say something."""
_SECOND = 1_000_000
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Point:
    """One week."""

    week: datetime
    """Its Monday, 00:00 UTC."""
    value: float
    n: int
    """Cases."""
    signal: Literal["", "beyond", "run"] = ""
    """`beyond` the limits, or the week that makes a `run` of eight or goes on with it."""
    side: Literal["above", "below", "on"] = "on"
    """Of the mean."""
    run: int = 0
    """How many in a row, with it, are on that side."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Weekly values of one measure; durations in seconds, shares from 0 to 1."""

    measure: str
    points: Sequence[Point]
    mean: float | None
    """None, as the limits are: there are too few weeks."""
    low: float | None
    high: float | None

    @property
    def signals(self) -> Sequence[Point]:
        """The weeks that signal."""
        return [point for point in self.points if point.signal]

    def shifted_since(self, since: datetime) -> Point | None:
        """The week that makes a run of eight that all began after a moment: a single odd week is no shift."""
        runs = zip(self.points, self.points[RUN - 1 :], strict=False)
        return next((last for first, last in runs if last.run >= RUN and first.week >= since), None)

    def as_json(self) -> Mapping[str, Any]:
        """As JSON values."""
        return {**asdict(self), "weeks": len(self.points), "enough": self.mean is not None}


def charts(connection: Connection, unit: str, now: datetime, version: str | None = None) -> Mapping[str, Chart]:
    """The charts of a unit by measure, over its closed cases up to the present week."""
    closed = closed_cases(connection, Asked(unit, until=monday(now), version=version))
    return {measure: chart(measure, *weekly(closed, tell)) for measure, tell in _MEASURES.items()}


def shifts(connection: Connection, unit: type[WorkUnit], since: datetime, now: datetime) -> Mapping[str, Point]:
    """The shifts since a moment of the measures that the unit declares; of cycle time where none has a chart.

    The others would signal by chance now and then: the more charts, the more often one does.
    """
    made = charts(connection, unit.unit_name, now)
    declared = [measure.name for measure in unit.learning.measures if measure.name in made] or ["cycle_time"]
    found = {name: made[name].shifted_since(since) for name in dict.fromkeys(declared)}
    return {name: point for name, point in found.items() if point is not None}


def chart(measure: str, weeks: Sequence[datetime], values: Sequence[float], counts: Sequence[int]) -> Chart:
    """Make the chart of weekly values in their order."""
    if len(values) < FEWEST:
        points = [Point(*one) for one in zip(weeks, values, counts, strict=True)]
        return Chart(measure, points, None, None, None)
    line = np.asarray(values, dtype=np.float64)
    mean, moving = float(line.mean()), float(np.abs(np.diff(line)).mean())
    low, high = mean - FACTOR * moving, mean + FACTOR * moving
    points, run, before = [], 0, "on"
    for week, value, count in zip(weeks, values, counts, strict=True):
        side: Literal["above", "below", "on"] = "above" if value > mean else "below" if value < mean else "on"
        run = 0 if side == "on" else run + 1 if side == before else 1
        before = side
        signal: Literal["", "beyond", "run"] = "beyond" if not low <= value <= high else "run" if run >= RUN else ""
        points.append(Point(week, value, count, signal, side, run))
    return Chart(measure, points, mean, low, high)


def weekly(
    closed: Closed, tell: Callable[[Closed], float | None]
) -> tuple[Sequence[datetime], Sequence[float], Sequence[int]]:
    """The value of each week in which cases closed, with its Monday and the number of cases."""
    starts = np.array([monday(at) for at in closed["closed_at"].tolist()], dtype=object)
    weeks, values, counts = [], [], []
    for week in sorted(set(starts.tolist())):
        some = closed.where(np.asarray(starts == week, dtype=np.bool_))
        value = tell(some)
        if value is not None:
            weeks.append(week)
            values.append(value)
            counts.append(len(some))
    return weeks, values, counts


def monday(at: datetime) -> datetime:
    """The begin of a moment's week."""
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())


def _median(closed: Closed) -> float | None:
    return float(np.median(closed["cycle_us"])) / _SECOND if len(closed) else None


def _share(chosen: Callable[[Closed], Bools]) -> Callable[[Closed], float | None]:
    return lambda closed: float(chosen(closed).mean()) if len(closed) else None


def _attained(closed: Closed) -> float | None:
    promised = np.isin(closed["sla"], ("met", "breached"))
    return float((closed["sla"][promised] == "met").mean()) if promised.any() else None


_MEASURES: Mapping[str, Callable[[Closed], float | None]] = {
    "cycle_time": _median,
    "exception_rate": _share(lambda closed: closed["exceptions"] > 0),
    "on_time": _share(lambda closed: np.asarray(closed["close"] == "achieved", dtype=np.bool_)),
    "outcome_attainment": _share(lambda closed: np.isin(closed["close"], ("achieved", "achieved_late"))),
    "rework_rate": _share(lambda closed: closed["reworked"].astype(bool)),
    "sla_attainment": _attained,
    "straight_through_rate": _share(lambda closed: closed["human_touches"] == 0),
}
"""By the names of `workunits.core.spec.MEASURES`; a duration by its weekly median."""
