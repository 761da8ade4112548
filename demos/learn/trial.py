"""How the trial is judged: at looks that were fixed before it began, with open cases in it as long as they are open.

The measure is the restricted mean cycle time: the area below the curve of cases still open, up to a horizon. Its
difference has a bootstrap interval by the day of arrival, at a level that counts each look (Bonferroni): looking early
costs some power, and no truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sqlalchemy import select

from observability.ledger.store import Ledger
from observability.ledger.tables import cases

LEVEL = 0.05
FEWEST = 30
"""Closed cases of each version below which nothing is said."""
DRAWS = 2000
_SEED = 7_741
_HOUR = 3600.0
Outcome = Literal["better", "worse", "undecided"]
Times = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Arm:
    """A version at a look."""

    version: str
    closed: int
    open: int
    """They count for as long as they have been open."""
    mean_hours: float
    """Of cycle time, restricted to the horizon."""
    on_time: float
    """The share of its closed cases that kept the promise."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is known at a moment of the trial."""

    at: datetime
    number: int
    of: int
    before: Arm
    after: Arm
    difference_hours: float
    """The new version less the old one."""
    low_hours: float
    high_hours: float
    level: float
    """Of the interval, so that all looks together are wrong at most once in twenty times."""
    outcome: Outcome

    def lines(self) -> Sequence[str]:
        """As text."""
        arms = (
            f"version {arm.version}  {arm.closed} closed, {arm.open} open; mean cycle time {arm.mean_hours:.1f} h, "
            f"{arm.on_time:.0%} on time"
            for arm in (self.before, self.after)
        )
        sure = f"{self.level:.1%} interval {self.low_hours:+.1f} h to {self.high_hours:+.1f} h"
        return [
            f"look {self.number} of {self.of}, {self.at:%Y-%m-%d}",
            *arms,
            f"difference {self.difference_hours:+.1f} h ({sure})",
            f"verdict    {self.outcome}",
        ]


@dataclass(frozen=True, slots=True)
class Trial:
    """What was fixed before anyone looked."""

    unit: str
    since: datetime
    looks: Sequence[datetime]
    horizon: timedelta
    """Longer cycle times count as this long."""

    def look(self, ledger: Ledger, at: datetime) -> Look:
        """Look, at one of the moments that were fixed.

        Raises:
            LedgerUnavailableError.
            ValueError: the moment is not one of them.
        """
        arms = {version: self._times(ledger, version, at) for version in ("1", "2")}
        level = 1 - LEVEL / len(self.looks)
        value, low, high = _difference(arms["1"], arms["2"], self.horizon / timedelta(hours=1), level)
        before, after = (self._arm(ledger, version, times, at) for version, times in arms.items())
        outcome: Outcome = "undecided"
        if min(before.closed, after.closed) >= FEWEST:
            outcome = "better" if high < 0 else "worse" if low > 0 else "undecided"
        number = self.looks.index(at) + 1
        return Look(at, number, len(self.looks), before, after, value, low, high, level, outcome)

    def _times(self, ledger: Ledger, version: str, at: datetime) -> Times:
        """Hours, whether the case had closed, and the day on which it came in; as things stood at a moment."""
        wanted = select(cases.c.started_at, cases.c.closed_at).where(
            cases.c.unit == self.unit,
            cases.c.version == version,
            cases.c.started_at >= self.since,
            cases.c.started_at < at,
        )
        hours, closed, days = [], [], []
        with ledger.read() as connection:
            for started, ended in connection.execute(wanted):
                seen = ended is not None and ended <= at
                hours.append(((ended if seen else at) - started).total_seconds() / _HOUR)
                closed.append(seen)
                days.append(started.date())
        return np.array(hours), np.array(closed, dtype=bool), np.array(days, dtype=object)

    def _arm(self, ledger: Ledger, version: str, times: Times, at: datetime) -> Arm:
        hours, closed, _ = times
        wanted = select(cases.c.sla).where(
            cases.c.unit == self.unit,
            cases.c.version == version,
            cases.c.started_at >= self.since,
            cases.c.closed_at <= at,
        )
        with ledger.read() as connection:
            met = [sla == "met" for sla in connection.execute(wanted).scalars()]
        mean = _restricted_mean(hours, closed, self.horizon / timedelta(hours=1))
        return Arm(version, int(closed.sum()), int((~closed).sum()), mean, sum(met) / len(met) if met else 0.0)


def _restricted_mean(hours: NDArray[Any], closed: NDArray[Any], horizon: float) -> float:
    """The area below the curve of cases still open, up to the horizon."""
    if not closed.any():
        return horizon
    curve: Any = stats.ecdf(stats.CensoredData(uncensored=hours[closed], right=hours[~closed])).sf
    inside = curve.quantiles < horizon
    edges = np.concatenate([[0.0], curve.quantiles[inside], [horizon]])
    heights = np.concatenate([[1.0], curve.probabilities[inside]])
    return float((np.diff(edges) * heights).sum())


def _difference(
    before: Times, after: Times, horizon: float, level: float, *, draws: int = DRAWS
) -> tuple[float, float, float]:
    """The new version's mean less the old one's, with its interval: days are drawn, not cases."""
    days: list[date] = sorted({*before[2].tolist(), *after[2].tolist()})

    place = {day: number for number, day in enumerate(days)}

    def mean(times: Times, weights: NDArray[Any]) -> float:
        taken = np.repeat(np.arange(len(times[0])), weights[[place[day] for day in times[2].tolist()]])
        return _restricted_mean(times[0][taken], times[1][taken], horizon)

    dice = np.random.default_rng(_SEED)
    once = np.ones(len(days), dtype=int)
    drawn = [np.bincount(dice.integers(len(days), size=len(days)), minlength=len(days)) for _ in range(draws)]
    values = [mean(after, weights) - mean(before, weights) for weights in drawn]
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return mean(after, once) - mean(before, once), float(low), float(high)
