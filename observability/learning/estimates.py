"""Estimates with their uncertainty: quantiles, quantiles of censored times, and shares; intervals are of 95 %."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
QUANTILES = {"median": 0.5, "p85": 0.85, "p95": 0.95}
_CLOSE = 1e-12
"""So that 1 - 0.85 and 0.15 are the same."""
Number = int | float
Values = Sequence[Number] | NDArray[Any]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and the interval around it; a bound is None where so few values cannot give one."""

    value: Number | None
    """None: so many are open that the quantile lies beyond what was seen."""
    low: Number | None
    high: Number | None


@dataclass(frozen=True, slots=True)
class Spread:
    """How values are spread."""

    n: int
    median: Estimate
    p85: Estimate
    p95: Estimate


@dataclass(frozen=True, slots=True)
class Censored(Spread):
    """The same, estimated from times of which some had not ended."""

    ended: int


@dataclass(frozen=True, slots=True)
class Rate:
    """A share, with Wilson's interval."""

    count: int
    n: int
    share: float
    low: float
    high: float


def spread(values: Values) -> Spread | None:
    """Quantiles: the smallest value that so many do not exceed, between exact binomial order statistics.

    Args:
        values: Whole numbers stay whole.

    Returns:
        None without values.
    """
    from scipy import stats  # by whoever needs it: a process that never estimates is smaller and begins sooner

    if not len(values):
        return None
    ordered = np.sort(np.asarray(values))
    found = {}
    for name, p in QUANTILES.items():
        value = np.quantile(ordered, p, method="inverted_cdf")
        bounds: Any = stats.quantile_test(ordered, p=p).confidence_interval(CONFIDENCE)  # its stubs say float
        found[name] = Estimate(*(_plain(number) for number in (value, bounds.low, bounds.high)))
    return Spread(n=len(ordered), **found)


def censored(times: Sequence[int], ended: Sequence[int]) -> Censored | None:
    """Kaplan-Meier quantiles; the intervals are where the log-log band of the curve crosses them.

    Args:
        times: How long each took, or has been open.
        ended: Which of them ended.

    Returns:
        None when none ended.
    """
    from scipy import stats

    durations, closed = np.asarray(times), np.asarray(ended, dtype=bool)
    if not closed.any():
        return None
    curve: Any = stats.ecdf(stats.CensoredData(uncensored=durations[closed], right=durations[~closed])).sf
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # Before the first end and after the last there is no band: scipy warns, and gives NaN.
        warnings.simplefilter("ignore", RuntimeWarning)
        band = curve.confidence_interval(CONFIDENCE, method="log-log")
    found = {}
    for name, p in QUANTILES.items():
        curves = (curve.probabilities, band.low.probabilities, band.high.probabilities)
        found[name] = Estimate(*(_crossing(curve.quantiles, survival, 1 - p) for survival in curves))
    return Censored(n=len(durations), ended=int(closed.sum()), **found)


def rate(count: int, n: int) -> Rate | None:
    """A share; None of nothing."""
    from scipy import stats

    if not n:
        return None
    bounds = stats.binomtest(count, n).proportion_ci(CONFIDENCE, method="wilson")
    return Rate(count, n, count / n, float(bounds.low), float(bounds.high))


def as_json(value: Any) -> Any:
    """Figures as JSON values."""
    if isinstance(value, Spread | Rate):
        return asdict(value)
    if isinstance(value, Mapping):
        return {key: as_json(inside) for key, inside in value.items()}
    return value


def _crossing(times: Any, survival: Any, at: float) -> Number | None:
    below = np.flatnonzero(survival <= at + _CLOSE)
    return _plain(times[below[0]]) if below.size else None


def _plain(number: Any) -> Number | None:
    if np.isnan(number):
        return None
    return int(number) if float(number).is_integer() else float(number)
