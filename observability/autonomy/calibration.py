"""Calibration: what share of proposals of a raw confidence is right, by labels that nothing else is judged by.

Isotonic regression (`scipy.optimize.isotonic_regression`): the growing curve nearest to what was seen, so a higher raw
confidence is never turned into a lower one. The bound on errors does not depend on the curve being right, only the
names of the thresholds do: it is judged on other labels.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.optimize import isotonic_regression

from observability.autonomy.applying import apply

BINS = 10
"""Of the calibration error: equally wide."""
FEWEST = 30
"""Labels that a curve is fitted to."""
_DIGITS = 6
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Calibration(BaseModel):
    """A curve from raw to calibrated confidence, as plain JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    """The hash of the points: two curves of one version are the same."""
    points: tuple[tuple[float, float], ...] = Field(min_length=1)
    n: int
    """The labels that it was fitted to."""

    @model_validator(mode="after")
    def _whole(self) -> Calibration:
        raws = [raw for raw, _ in self.points]
        curve = [calibrated for _, calibrated in self.points]
        if any(one >= other for one, other in pairwise(raws)) or curve != sorted(curve):
            raise ValueError("points have to grow")
        if self.version != version_of(self.points):
            raise ValueError("version is not the hash of the points")
        return self

    def of(self, raw: float) -> float:
        """The calibrated confidence."""
        return apply(self.points, raw)

    def of_all(self, raws: Floats) -> Floats:
        """The calibrated confidence of each, by the same arithmetic as `apply`, so to the last bit what `of` says."""
        places, curve = np.array(self.points, dtype=np.float64).T
        if len(places) == 1:
            return np.full(len(raws), curve[0])
        after = np.clip(np.searchsorted(places, raws, side="right"), 1, len(places) - 1)
        left, right, low, high = places[after - 1], places[after], curve[after - 1], curve[after]
        between = low + (high - low) * (raws - left) / (right - left)
        found = np.where(raws < places[0], curve[0], np.where(raws >= places[-1], curve[-1], between))
        return np.asarray(found, dtype=np.float64)


def version_of(points: Sequence[tuple[float, float]]) -> str:
    """Name a curve by its points."""
    told = json.dumps([[float(number) for number in point] for point in points], separators=(",", ":"))
    return "isotonic-" + hashlib.sha256(told.encode()).hexdigest()[:16]


def fit(raws: Floats, wrong: Bools) -> Calibration:
    """Fit a curve.

    Args:
        raws: Raw confidences, at least one.
        wrong: Which were wrong.
    """
    places, inverse, counts = np.unique(np.round(raws, _DIGITS), return_inverse=True, return_counts=True)
    right = np.bincount(inverse, weights=~wrong) / counts
    fitted = isotonic_regression(right, weights=counts)
    curve = np.round(np.clip(fitted.x, 0.0, 1.0), _DIGITS)
    # Of a level stretch its two ends are enough.
    blocks = list(zip(fitted.blocks[:-1].tolist(), fitted.blocks[1:].tolist(), strict=True))
    ends = sorted({place for begin, end in blocks for place in (begin, end - 1)})
    points = _grounded([(float(places[place]), float(curve[place])) for place in ends])
    return Calibration(version=version_of(points), points=points, n=len(raws))


def _grounded(points: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Worth nothing below the lowest confidence that was labelled: nobody has seen one that was less sure."""
    lowest = points[0][0]
    step = 10.0**-_DIGITS
    ground = dict.fromkeys((0.0, round(lowest - step, _DIGITS)), 0.0) if lowest >= step else {}
    return (*ground.items(), *points)


def brier(confidences: Floats, wrong: Bools) -> float:
    """The mean squared distance between confidence and what came: 0 is perfect, always saying one half gives 0.25."""
    return float(np.mean((confidences - ~wrong) ** 2))


def calibration_error(confidences: Floats, wrong: Bools, bins: int = BINS) -> float:
    """The expected calibration error: how far confidence and the share of right ones lie apart, bin by bin.

    Bins are equally wide and count by their cases. With few cases it is above 0 also for a perfect curve.
    """
    places = np.minimum((confidences * bins).astype(int), bins - 1)
    apart = np.bincount(places, weights=confidences - ~wrong, minlength=bins)
    return float(np.abs(apart).sum() / len(confidences))
