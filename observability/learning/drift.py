"""Drift: weekly values of a unit on an individuals chart, and the weeks that are no longer chance.

Limits are the mean ± 2.66 mean moving ranges. A week beyond them signals, and so do eight in a row on one side of the
mean. Only whole weeks count, Monday to Monday in UTC, and a week without a closed case has no value. Mean and limits
are those of the weeks of the baseline, and only later weeks signal; without a baseline all weeks make them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from observability.learning.baseline import Baseline
from observability.learning.selection import Asked, Closed, closed_cases
from observability.ledger.tables import cases
from workunits.core.unit import WorkUnit

FACTOR = 2.66
"""Three standard deviations, in mean moving ranges of two (3 / 1.128)."""
RUN = 8
"""So many in a row on one side are no chance."""
FEWEST = 8
"""Weeks from which on limits say something."""
SLA = "sla_attainment"
_SECOND = 1_000_000
Bools = NDArray[np.bool_]
Weeks = tuple[Sequence[datetime], Sequence[float], Sequence[int]]
"""Mondays, the value of each week, and its number of cases."""


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
    began: datetime | None = None
    """The Monday of the first of them."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What a baseline says of one measure."""

    values: Sequence[float]
    """Of the whole weeks in its window, of its version's cases."""
    since: datetime
    """When it was frozen: weeks from then on are held against it."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Weekly values of one measure; durations in seconds, shares from 0 to 1."""

    measure: str
    points: Sequence[Point]
    mean: float | None
    """None, as the limits are: there are too few weeks."""
    low: float | None
    high: float | None
    basis: int = 0
    """Weeks that they are made of."""

    @property
    def signals(self) -> Sequence[Point]:
        """The weeks that signal."""
        return [point for point in self.points if point.signal]

    def shifted_since(self, since: datetime, side: str = "") -> Point | None:
        """The week that makes a run of eight, all of them after a moment, on a side: a single odd week is no shift."""
        runs = zip(self.points, self.points[RUN - 1 :], strict=False)
        found = (last for first, last in runs if last.run >= RUN and first.week >= since)
        return next((last for last in found if last.side == (side or last.side)), None)

    def as_json(self) -> Mapping[str, Any]:
        """As JSON values."""
        return {**asdict(self), "weeks": len(self.points), "enough": self.mean is not None}


def charts(
    connection: Connection, unit: str, now: datetime, version: str | None = None, *, baseline: Baseline | None = None
) -> Mapping[str, Chart]:
    """The charts of a unit by measure, over its cases up to the present week.

    Args:
        connection: To the ledger.
        unit: The unit.
        now: Its week is not over, and does not count.
        version: Cases of it alone.
        baseline: What weeks are held against; all of them against each other when omitted.
    """
    drawn = _series(connection, Asked(unit, until=monday(now), version=version))
    if baseline is None:
        return {measure: chart(measure, *weeks) for measure, weeks in drawn.items()}
    own, since = _window(connection, baseline), baseline.frozen_at
    return {measure: chart(measure, *weeks, Basis(own[measure], since)) for measure, weeks in drawn.items()}


def shifts(connection: Connection, unit: type[WorkUnit], baseline: Baseline, now: datetime) -> Mapping[str, Point]:
    """The shifts since a baseline of the measures that the unit declares; of cycle time where none has a chart.

    The others would signal by chance now and then: the more charts, the more often one does.
    """
    made = charts(connection, unit.unit_name, now, baseline=baseline)
    declared = [measure.name for measure in unit.learning.measures if measure.name in made] or ["cycle_time"]
    found = {name: made[name].shifted_since(baseline.frozen_at) for name in dict.fromkeys(declared)}
    return {name: point for name, point in found.items() if point is not None}


def chart(
    measure: str,
    weeks: Sequence[datetime],
    values: Sequence[float],
    counts: Sequence[int],
    basis: Basis | None = None,
) -> Chart:
    """Make the chart of weekly values in their order."""
    line = np.asarray(values if basis is None else _held(weeks, values, basis), dtype=np.float64)
    if len(line) < FEWEST:
        points = [Point(*one) for one in zip(weeks, values, counts, strict=True)]
        return Chart(measure, points, None, None, None)
    mean, moving = float(line.mean()), float(np.abs(np.diff(line)).mean())
    low, high = mean - FACTOR * moving, mean + FACTOR * moving
    points, run, before, began = [], 0, "on", None
    for week, value, count in zip(weeks, values, counts, strict=True):
        side: Literal["above", "below", "on"] = "above" if value > mean else "below" if value < mean else "on"
        if basis and week < basis.since:  # how it was before is no news
            points.append(Point(week, value, count, "", side))
            continue
        run = 0 if side == "on" else run + 1 if side == before else 1
        before, began = side, week if run <= 1 else began
        signal: Literal["", "beyond", "run"] = "beyond" if not low <= value <= high else "run" if run >= RUN else ""
        points.append(Point(week, value, count, signal, side, run, began))
    return Chart(measure, points, mean, low, high, len(line))


def _held(weeks: Sequence[datetime], values: Sequence[float], basis: Basis) -> Sequence[float]:
    """The weeks that limits are made of: the baseline's, and where it has too few the first ones after it.

    No later ones, ever: limits that moved along with the weeks would hide whatever goes on for long.
    """
    after = [value for week, value in zip(weeks, values, strict=True) if week >= basis.since]
    return [*basis.values, *after[: max(0, FEWEST - len(basis.values))]]


def _series(connection: Connection, asked: Asked) -> Mapping[str, Weeks]:
    closed = closed_cases(connection, asked)
    return {measure: weekly(closed, tell) for measure, tell in _MEASURES.items()} | {SLA: attained(connection, asked)}


def _window(connection: Connection, baseline: Baseline) -> Mapping[str, Sequence[float]]:
    """The values of the whole weeks in which a baseline's cases closed, before it was frozen."""
    begin, end = baseline.window_from, monday(min(baseline.window_to, baseline.frozen_at))
    asked = Asked(baseline.unit, until=end, version=baseline.mapping.get("version"))
    return {
        measure: [value for week, value in zip(weeks, values, strict=True) if week >= begin]
        for measure, (weeks, values, _) in _series(connection, asked).items()
    }


def weekly(closed: Closed, tell: Callable[[Closed], float | None]) -> Weeks:
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


def attained(connection: Connection, asked: Asked) -> Weeks:
    """The SLA attainment of each week: promises met by a close in it, and those that were broken in it.

    A promise is broken when its due time passes, whether the case is open or closed by now: so a case that is left
    hanging counts at once, and no week is another one later.
    """
    columns = cases.c.closed_at, cases.c.due_at, cases.c.breached_at, cases.c.sla
    wanted = select(*columns).where(cases.c.unit == asked.unit)
    wanted = wanted.where(cases.c.close.is_(None) | cases.c.sla.in_(("met", "breached")))
    if asked.version:
        wanted = wanted.where(cases.c.version == asked.version)
    told: dict[datetime, list[bool]] = {}
    for closed, due, breached, sla in connection.execute(wanted):
        met = sla == "met" and closed is not None
        at = closed if met else breached or due
        if at is not None and (asked.until is None or at < asked.until):
            told.setdefault(monday(at), []).append(met)
    weeks = sorted(told)
    return weeks, [sum(told[week]) / len(told[week]) for week in weeks], [len(told[week]) for week in weeks]


def monday(at: datetime) -> datetime:
    """The begin of a moment's week."""
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())


def _median(closed: Closed) -> float | None:
    return float(np.median(closed["cycle_us"])) / _SECOND if len(closed) else None


def _share(chosen: Callable[[Closed], Bools]) -> Callable[[Closed], float | None]:
    return lambda closed: float(chosen(closed).mean()) if len(closed) else None


def _overridden(closed: Closed) -> float | None:
    reviewed = int(closed["reviewed"].sum())
    return float(closed["overridden"].sum() / reviewed) if reviewed else None


_MEASURES: Mapping[str, Callable[[Closed], float | None]] = {
    "cycle_time": _median,
    "exception_rate": _share(lambda closed: closed["exceptions"] > 0),
    "on_time": _share(lambda closed: np.asarray(closed["close"] == "achieved", dtype=np.bool_)),
    "outcome_attainment": _share(lambda closed: np.isin(closed["close"], ("achieved", "achieved_late"))),
    "override_rate": _overridden,
    "rework_rate": _share(lambda closed: closed["reworked"].astype(bool)),
    "straight_through_rate": _share(lambda closed: closed["human_touches"] == 0),
}
"""Of closed cases, by the names of `workunits.core.spec.MEASURES`; a duration by its weekly median."""
