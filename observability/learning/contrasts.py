"""One measure of two arms: its value in each, the difference with an interval, and how likely chance alone is.

Durations are compared with open cases censored: log-rank test, difference in restricted mean time. Shares by Newcombe's
interval; means, and shares of what a case has several of, by a bootstrap that draws whole days. Curves, tests and
intervals are scipy's and statsmodels'.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from observability.learning.arms import Arm

Kind = Literal["duration", "share", "ratio", "mean"]
DRAWS = 2000
FEWEST = 30
"""Ended cases of each arm below which nothing is decided."""
SEED = 20_120_201
"""The same data always gives the same interval."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a measure takes of an arm's cases."""

    kind: Kind
    lower_is_better: bool
    of: Callable[[Arm], tuple[NDArray[Any], NDArray[Any]]] | None = None
    """Of cases: whether it holds, or its value; and which of them count. Of a ratio: both its numbers."""
    open_too: bool = False
    """Whether it is asked of open cases, too; of closed ones otherwise."""


def _all(arm: Arm) -> NDArray[np.bool_]:
    return np.ones(len(arm), dtype=bool)


def _achieved(arm: Arm) -> NDArray[np.bool_]:
    return np.isin(arm["close"], ("achieved", "achieved_late"))


MEASURED: dict[str, Measured] = {
    "cycle_time": Measured("duration", lower_is_better=True),
    "exception_rate": Measured("share", lower_is_better=True, of=lambda arm: (arm["exceptions"] > 0, _all(arm))),
    "outcome_attainment": Measured("share", lower_is_better=False, of=lambda arm: (_achieved(arm), _all(arm))),
    "on_time": Measured("share", lower_is_better=False, of=lambda arm: (arm["close"] == "achieved", _all(arm))),
    "sla_attainment": Measured(
        "share",
        lower_is_better=False,
        of=lambda arm: (arm["sla"] == "met", np.isin(arm["sla"], ("met", "breached"))),
        open_too=True,
    ),
    "first_pass_yield": Measured(
        "share",
        lower_is_better=False,
        of=lambda arm: (_achieved(arm) & ~arm["reworked"] & (arm["exceptions"] == 0), _all(arm)),
    ),
    "straight_through_rate": Measured("share", lower_is_better=False, of=lambda arm: (arm["touches"] == 0, _all(arm))),
    "rework_rate": Measured("share", lower_is_better=True, of=lambda arm: (arm["reworked"], _all(arm))),
    "override_rate": Measured("ratio", lower_is_better=True, of=lambda arm: (arm["overridden"], arm["reviewed"])),
    "handoffs": Measured("mean", lower_is_better=True, of=lambda arm: (arm["handoffs"], _all(arm))),
    "cost_per_outcome": Measured("mean", lower_is_better=True, of=lambda arm: (arm["cost"], ~np.isnan(arm["cost"]))),
}
"""By the names of `workunits.core.spec.MEASURES`. Cost is compared per closed case: failed ones cost, too."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """A measure in two arms."""

    measure: str
    kind: Kind
    n: tuple[int, int]
    """Cases that count, of each arm: closed ones, for SLA attainment also open ones past due; of a ratio proposals."""
    values: tuple[float | None, float | None]
    """Restricted mean time in seconds, share, ratio, or mean."""
    medians: tuple[float | None, float | None]
    """Of a duration, Kaplan and Meier's; None where too few have ended."""
    p85s: tuple[float | None, float | None]
    difference: float | None
    """The second less the first."""
    low: float | None
    high: float | None
    p_value: float | None
    """Two-sided: how likely so large a difference is by chance alone."""
    lower_is_better: bool
    horizon: float | None = None
    """Of a duration: up to how many seconds times count."""

    @property
    def direction(self) -> int:
        """1 when the second arm looks better, -1 when worse, 0 when neither."""
        if not self.difference:
            return 0
        return 1 if (self.difference < 0) == self.lower_is_better else -1

    @property
    def worst(self) -> float | None:
        """By how much the second may be worse, at the end of its interval."""
        bound = self.high if self.lower_is_better else self.low
        return None if bound is None else max(0.0, bound if self.lower_is_better else -bound)


@dataclass(frozen=True, slots=True)
class Part:
    """What a measure takes of one arm, case by case."""

    values: NDArray[Any]
    counts: NDArray[Any]
    """For how much each counts: one, or of a ratio the number below the line."""
    days: NDArray[Any]

    @property
    def n(self) -> int:
        """What counts, in all."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """Of one of them."""
        return float(self.values.sum() / self.counts.sum())


def contrast(name: str, first: Arm, second: Arm, alpha: float) -> Contrast:
    """Compare two arms in one measure.

    Args:
        name: Of `MEASURED`.
        first: As it stood, by `Arm.at`.
        second: As it stood.
        alpha: The interval covers the difference but for so large a part.
    """
    measured = MEASURED[name]
    if measured.of is None:
        return _durations(name, first, second, alpha)
    parts = []
    for arm in (first, second) if measured.open_too else (first.done, second.done):
        values, counts = measured.of(arm)
        some = counts > 0
        parts.append(Part(values[some].astype(float), counts[some].astype(float), arm["day"][some]))
    if min(len(part.values) for part in parts) == 0:
        return _nothing(name, measured, (parts[0].n, parts[1].n))
    return (_shares if measured.kind == "share" else _means)(name, measured, parts, alpha)


def holm(found: Mapping[str, Contrast], alpha: float) -> list[str]:
    """Those whose difference is beyond chance, all of them together (Holm 1979)."""
    enough = {name: one.p_value for name, one in found.items() if one.p_value is not None and min(one.n) >= FEWEST}
    certain: set[str] = set()
    for name, p_value in sorted(enough.items(), key=lambda one: one[1]):
        if p_value > alpha / (len(enough) - len(certain)):
            break
        certain.add(name)
    return [name for name in enough if name in certain]


def _nothing(name: str, measured: Measured, n: tuple[int, int]) -> Contrast:
    none = (None, None)
    better = measured.lower_is_better
    return Contrast(name, measured.kind, n, none, none, none, None, None, None, None, better)


def _durations(name: str, first: Arm, second: Arm, alpha: float) -> Contrast:
    n = int(first["ended"].sum()), int(second["ended"].sum())
    if min(n) == 0:
        return _nothing(name, MEASURED[name], n)
    horizon = float(min(first["time"].max(), second["time"].max()))
    means, variances = zip(*(_restricted(arm, horizon) for arm in (first, second)), strict=True)
    difference = means[1] - means[0]
    half = stats.norm.ppf(1 - alpha / 2) * np.sqrt(sum(variances))
    test = stats.logrank(_censored(first), _censored(second))
    quantiles = [_quantiles(arm) for arm in (first, second)]
    return Contrast(
        name,
        "duration",
        n,
        means,
        (quantiles[0][0], quantiles[1][0]),
        (quantiles[0][1], quantiles[1][1]),
        difference,
        float(difference - half),
        float(difference + half),
        float(test.pvalue),
        lower_is_better=True,
        horizon=horizon,
    )


def _restricted(arm: Arm, horizon: float) -> tuple[float, float]:
    """Restricted mean time up to a horizon, and its variance (Klein and Moeschberger 2003, section 4.5)."""
    from statsmodels.duration.survfunc import SurvfuncRight

    curve = SurvfuncRight(arm["time"], arm["ended"].astype(int))
    times = np.concatenate([[0.0], np.minimum(curve.surv_times, horizon), [horizon]])
    areas = np.concatenate([[1.0], curve.surv_prob]) * np.diff(times)
    left = areas[::-1].cumsum()[::-1]
    events, at_risk = curve.n_events, curve.n_risk
    some = at_risk > events
    variance = np.sum(left[1:][some] ** 2 * events[some] / (at_risk[some] * (at_risk[some] - events[some])))
    return float(left[0]), float(variance)


def _censored(arm: Arm) -> Any:
    return stats.CensoredData(uncensored=arm["time"][arm["ended"]], right=arm["time"][~arm["ended"]])


def _quantiles(arm: Arm) -> tuple[float | None, float | None]:
    curve: Any = stats.ecdf(_censored(arm)).sf
    found = []
    for share in (0.5, 0.15):
        below = np.flatnonzero(curve.probabilities <= share + 1e-12)
        found.append(float(curve.quantiles[below[0]]) if below.size else None)
    return found[0], found[1]


def _shares(name: str, measured: Measured, parts: list[Part], alpha: float) -> Contrast:
    from statsmodels.stats.proportion import confint_proportions_2indep
    from statsmodels.stats.proportion import test_proportions_2indep as test_shares

    one, two = parts
    counts, n = (int(one.values.sum()), int(two.values.sum())), (one.n, two.n)
    order = counts[1], n[1], counts[0], n[0]
    with np.errstate(divide="ignore", invalid="ignore"):  # where all or none of an arm are so
        low, high = confint_proportions_2indep(*order, method="newcomb", compare="diff", alpha=alpha)
        same = sum(counts) in (0, sum(n))
        p_value = 1.0 if same else float(test_shares(*order, method="score", compare="diff").pvalue)
    values = counts[0] / n[0], counts[1] / n[1]
    none = (None, None)
    difference, better = values[1] - values[0], measured.lower_is_better
    return Contrast(name, "share", n, values, none, none, difference, float(low), float(high), p_value, better)


def _means(name: str, measured: Measured, parts: list[Part], alpha: float) -> Contrast:
    """By days, since cases of a day share its people: a day is drawn with all its cases."""
    n, kind = (parts[0].n, parts[1].n), measured.kind
    values = parts[0].mean, parts[1].mean
    (sums_a, counts_a), (sums_b, counts_b) = (_by_day(part) for part in parts)
    difference, better, none = values[1] - values[0], measured.lower_is_better, (None, None)
    if min(len(sums_a), len(sums_b)) < 2:  # noqa: PLR2004 - one day says nothing of how days differ
        return Contrast(name, kind, n, values, none, none, difference, None, None, None, better)
    rng = np.random.default_rng(SEED)
    drawn = [_drawn(rng, *of) for of in ((sums_a, counts_a), (sums_b, counts_b))]
    differences = drawn[1] - drawn[0]
    low, high = np.quantile(differences, [alpha / 2, 1 - alpha / 2])
    beyond = min(float((differences <= 0).mean()), float((differences >= 0).mean()))
    p_value = min(1.0, 2 * max(beyond, 1 / DRAWS))
    return Contrast(name, kind, n, values, none, none, difference, float(low), float(high), p_value, better)


def _by_day(part: Part) -> tuple[NDArray[Any], NDArray[Any]]:
    _, place = np.unique(part.days, return_inverse=True)
    return np.bincount(place, weights=part.values), np.bincount(place, weights=part.counts)


def _drawn(rng: np.random.Generator, sums: NDArray[Any], counts: NDArray[Any]) -> NDArray[Any]:
    chosen = rng.integers(0, len(sums), size=(DRAWS, len(sums)))
    drawn: NDArray[Any] = sums[chosen].sum(axis=1) / counts[chosen].sum(axis=1)
    return drawn
