"""The threshold: the lowest confidence above which errors are certainly rare enough.

**Bound.** Of n accepted cases k were wrong. The one-sided exact upper bound at confidence 1 - alpha (Clopper and
Pearson 1934) is the largest p with P(Binomial(n, p) <= k) >= alpha, the quantile 1 - alpha of Beta(k + 1, n - k). With
k = 0 it is at most b from n = ln(alpha) / ln(1 - b) on: 299 cases for 1 % at 95 %.

**Many thresholds.** They stand in a grid that is declared before anybody has seen a label, and are tried in a fixed
sequence: a first one, then each next lower one, until one fails. The last that passed is the threshold. Nothing else
is paid for trying many (fixed-sequence testing; Angelopoulos, Bates, Candès, Jordan, Lei 2021, "Learn then test"):

    Let T be the first threshold of the sequence whose true error exceeds the target; a threshold with more error than
    allowed can only be found when T itself passes, for all before it are right and the search ends where one fails.
    T is fixed in advance, the n cases that it accepts are independent, so k is Binomial(n, error(T)), and it passes
    with a probability of at most alpha. So does a wrong threshold, whatever the errors of the others, which need not
    grow as confidence falls.

The sequence is fixed in advance when its first threshold is. Were it the top of the grid, which accepts few cases, the
search would often end there; so `start` takes, on the half of the labels that the calibration was fitted on and that
is judged by nothing, the threshold that most probably passes ("split fixed-sequence testing" in the same paper).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

GRID: tuple[float, ...] = (*(n / 100 for n in range(50, 95, 5)), *(n / 100 for n in range(95, 100)), 0.995, 0.999)
"""Calibrated confidences that are tried; declared here or by whoever asks, never taken from labels."""
CONFIDENCE_LEVEL = 0.95
_MOST = 10_000_000
"""Nobody waits for more cases than that."""
_CLOSE = 1e-12
"""So that a bound is not missed by a rounding of its last bit."""
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Tried:
    """One threshold and what it accepts."""

    threshold: float
    n: int
    wrong: int
    bound: float
    passed: bool


@dataclass(frozen=True, slots=True)
class Search:
    """The thresholds in the order in which they were tried, at least one; only the last one may have failed."""

    tried: tuple[Tried, ...]

    @property
    def found(self) -> Tried | None:
        """The last that passed; None when the first one failed."""
        return next((one for one in reversed(self.tried) if one.passed), None)


def upper_bound(wrong: int, n: int, confidence_level: float = CONFIDENCE_LEVEL) -> float:
    """The one-sided exact upper bound on a share; 1 of nothing."""
    return 1.0 if wrong >= n else float(special.betaincinv(wrong + 1, n - wrong, confidence_level))


def lower_bound(wrong: int, n: int, confidence_level: float = CONFIDENCE_LEVEL) -> float:
    """The one-sided exact lower bound on a share; 0 of nothing."""
    return 0.0 if wrong == 0 else float(special.betaincinv(wrong, n - wrong + 1, 1 - confidence_level))


def needed(target: float, confidence_level: float = CONFIDENCE_LEVEL, *, wrong: int = 0) -> int:
    """How many accepted cases it takes for the bound to be at most the target, with so many wrong among them."""
    return _first(lambda n: upper_bound(wrong, n, confidence_level) <= target + _CLOSE, wrong + 1)


def needed_at(share: float, target: float, confidence_level: float = CONFIDENCE_LEVEL) -> int | None:
    """About how many accepted cases it takes when errors go on as they are; None when no number would do."""
    if share >= target:
        return None
    enough = _first(lambda n: upper_bound(math.ceil(share * n), n, confidence_level) <= target + _CLOSE, 1)
    return enough if enough < _MOST else None


def most_wrong(n: int, target: float, confidence_level: float = CONFIDENCE_LEVEL) -> int:
    """How many of n may be wrong so that the bound is at most the target; -1 when not even none."""
    most = int(stats.binom.ppf(1 - confidence_level, n, target)) + 1
    while most >= 0 and upper_bound(most, n, confidence_level) > target + _CLOSE:
        most -= 1
    return most


def lowest(
    confidences: Floats,
    wrong: Bools,
    *,
    target: float,
    confidence_level: float = CONFIDENCE_LEVEL,
    grid: Sequence[float] = GRID,
    first: float | None = None,
) -> Search:
    """Look for the lowest threshold whose bound on the error among accepted cases is at most the target.

    Args:
        confidences: Calibrated ones of the labels; what has none is not given, it is never accepted.
        wrong: Which were wrong.
        target: The largest error allowed, above 0 and below 1.
        confidence_level: Of the bound.
        grid: The thresholds, declared in advance.
        first: Where to begin, fixed without a look at these labels; the highest of the grid when omitted.
    """
    made: list[Tried] = []
    for threshold in sorted((t for t in grid if first is None or t <= first), reverse=True):
        accepted = confidences >= threshold
        n, errors = int(accepted.sum()), int(wrong[accepted].sum())
        bound = upper_bound(errors, n, confidence_level)
        made.append(Tried(threshold, n, errors, bound, bound <= target + _CLOSE))
        if not made[-1].passed:
            break
    return Search(tuple(made))


def start(
    confidences: Floats,
    wrong: Bools,
    *,
    target: float,
    confidence_level: float = CONFIDENCE_LEVEL,
    grid: Sequence[float] = GRID,
) -> float:
    """Choose where the search begins: where it most probably passes, by labels that are not judged.

    Errors are smoothed (Jeffreys: half a case more of each kind), so that few cases without an error are not taken
    for certainty. Where no threshold accepts enough cases to pass at all, it is the one with the lowest bound.
    """
    thresholds = np.array(sorted(grid, reverse=True))
    accepted = confidences[None, :] >= thresholds[:, None]
    n, errors = accepted.sum(axis=1), (accepted & wrong[None, :]).sum(axis=1)
    allowed = [most_wrong(int(one), target, confidence_level) for one in n]
    passes: Any = stats.binom.cdf(allowed, n, (errors + 0.5) / (n + 1.0))
    if not passes.any():
        bounds = [upper_bound(int(some), int(all_), confidence_level) for some, all_ in zip(errors, n, strict=True)]
        return float(thresholds[int(np.argmin(bounds))])
    return float(thresholds[int(np.argmax(passes))])


def _first(enough: Any, low: int) -> int:
    """The smallest number from `low` on that is enough, by doubling and halving."""
    high = max(low, 1)
    while not enough(high) and high < _MOST:
        low, high = high, high * 2
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low
