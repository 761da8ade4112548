"""The mix of what comes in: how many proposals of which raw confidence and segment; and whether it has changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy import stats

BINS = 10
"""Of raw confidence: equally wide; a last one counts those that told none."""
_FEWEST = 5.0
"""Expected in a cell; what is rarer joins its neighbour, as the chi-squared test asks."""


class Mix(BaseModel):
    """Counts by confidence and by segment, as plain JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    confidences: tuple[int, ...] = (0,) * (BINS + 1)
    segments: Mapping[str, int] = {}

    @property
    def n(self) -> int:
        """How many there are."""
        return sum(self.confidences)


class Shift(BaseModel):
    """How one mix differs from another."""

    model_config = ConfigDict(frozen=True)

    p_value: float
    """Of chi-squared on the table of both."""
    distance: float
    """The share that would have to change its place for the two to be alike (total variation), 0 to 1."""


def mix_of(proposals: Iterable[tuple[float | None, str]]) -> Mix:
    """Count proposals by raw confidence and segment."""
    confidences, segments = [0] * (BINS + 1), Counter[str]()
    for confidence, segment in proposals:
        confidences[BINS if confidence is None else min(int(confidence * BINS), BINS - 1)] += 1
        segments[segment] += 1
    return Mix(confidences=tuple(confidences), segments=dict(sorted(segments.items())))


def shift_of_confidences(before: Mix, after: Mix) -> Shift:
    """How the spread of raw confidences differs."""
    return _shift(before.confidences, after.confidences)


def shift_of_segments(before: Mix, after: Mix) -> Shift:
    """How the shares of the segments differ; a segment that one of them lacks counts there as none."""
    names = sorted({*before.segments, *after.segments}, key=lambda name: (before.segments.get(name, 0), name))
    return _shift(
        [before.segments.get(name, 0) for name in names],
        [after.segments.get(name, 0) for name in names],
    )


def _shift(before: Iterable[int], after: Iterable[int]) -> Shift:
    first, second = np.array(list(before), dtype=float), np.array(list(after), dtype=float)
    if not first.sum() or not second.sum():
        return Shift(p_value=1.0, distance=0.0)
    distance = float(np.abs(first / first.sum() - second / second.sum()).sum() / 2)
    table = _joined(np.vstack([first, second]))
    if table.shape[1] < 2:  # noqa: PLR2004  # one cell is all of it
        return Shift(p_value=1.0, distance=distance)
    return Shift(p_value=float(stats.chi2_contingency(table).pvalue), distance=distance)


def _joined(table: np.ndarray) -> np.ndarray:
    """Join neighbouring columns until enough is expected in each cell."""
    totals = table.sum(axis=1, keepdims=True)
    columns: list[np.ndarray] = []
    open_column = np.zeros((2, 1))
    for place in range(table.shape[1]):
        open_column = open_column + table[:, [place]]
        if (totals * open_column.sum() / totals.sum()).min() >= _FEWEST:
            columns.append(open_column)
            open_column = np.zeros((2, 1))
    if columns:
        columns[-1] = columns[-1] + open_column
    else:
        columns.append(open_column)
    return np.hstack(columns)
