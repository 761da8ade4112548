"""A calibration applied: arithmetic of the standard library alone, the same in every replay.

Additions, one multiplication and one division of doubles give the same bits on every machine; a logarithm or an
exponential would not.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

Points = Sequence[tuple[float, float]]
"""Raw and calibrated confidence, by the raw one; both grow."""


def apply(points: Points, raw: float) -> float:
    """Tell the calibrated confidence: on the line between two points, and level beyond the first and the last.

    Args:
        points: At least one.
        raw: What the model told.
    """
    after = bisect_right(points, raw, key=lambda point: point[0])
    if after == 0:
        return points[0][1]
    if after == len(points):
        return points[-1][1]
    (left, low), (right, high) = points[after - 1], points[after]
    return low + (high - low) * (raw - left) / (right - left)
