"""Which part of which step takes longer than it should: than in the baseline, in other segments, or at its peers.

A difference has to be more than chance: each test's probability counts times the number of tests (Bonferroni), so that
a unit in which all is alike gets no advice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from observability.learning.usual import NOWHERE, Cell
from observability.learning.whatif import Told
from workunits.core.record import Microseconds

LEVEL = 0.05
OFTEN = 10
"""Cases with the step, on either side of a comparison."""
_COMPARED = ("queue", "touch_human", "touch_machine", "retry", "external_wait")
"""Rework and idle time belong to the whole course, and off-hours to the calendar."""
_PEERS = ("queue",)
"""Of two different steps only their queues are alike: both wait for somebody to begin."""
Values = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a baseline says of each step's parts."""

    name: str
    cells: Mapping[str, Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Excess:
    """One part of one step that takes longer than it should; microseconds."""

    cell: Cell
    segment: str | None
    median: Microseconds
    limit: Microseconds
    """The median of what it is compared with."""
    against: str
    """`baseline`, `segments` (the same step in the others) or `steps` (others of the same executor kind)."""
    n: int
    peers: int
    p_value: float
    """Corrected for the number of comparisons."""


@dataclass(frozen=True, slots=True)
class _Trial:
    cell: Cell
    segment: str | None
    against: str
    own: Values
    others: Values


def excesses(seen: Sequence[Told], limits: Limits | None) -> Sequence[Excess]:
    """Those that are more than chance; of several about one cell and segment, the best founded comparison."""
    heaps = _heaps(seen)
    trials = [*_by_segment(heaps), *([] if limits else _by_step(heaps, seen))]
    from_baseline = list(_over_baseline(heaps, limits)) if limits else []
    tests = len(trials) + len(from_baseline)
    found = [excess for trial in trials if (excess := _judged(trial, tests))]
    found += [excess for excess in starmap(_corrected, ((one, tests) for one in from_baseline)) if excess]
    # A segment that stands out explains the whole: what all have in common is advised only where no segment does.
    segmented = {excess.cell for excess in found if excess.segment}
    return [excess for excess in found if excess.segment or excess.cell not in segmented]


def _heaps(seen: Sequence[Told]) -> Mapping[tuple[str, str, str | None], Values]:
    """The times of each step and part by segment, over the cases with that step."""
    heaps: dict[tuple[str, str, str | None], list[int]] = {}
    for case in seen:
        for step in case.performed - {NOWHERE}:
            for part in _COMPARED:
                heaps.setdefault((step, part, case.record.segment), []).append(case.spent.get((step, part), 0))
    return {key: np.array(values, dtype=np.int64) for key, values in heaps.items()}


def _whole(heaps: Mapping[tuple[str, str, str | None], Values]) -> Mapping[Cell, Values]:
    cells = dict.fromkeys((step, part) for step, part, _ in heaps)
    return {cell: np.concatenate([v for (*of, _), v in heaps.items() if tuple(of) == cell]) for cell in cells}


def _by_segment(heaps: Mapping[tuple[str, str, str | None], Values]) -> Iterator[_Trial]:
    for (step, part, segment), own in heaps.items():
        rest = [v for (s, p, other), v in heaps.items() if (s, p) == (step, part) and other != segment]
        if segment is not None and rest:
            yield from _worth(_Trial((step, part), segment, "segments", own, np.concatenate(rest)))


def _by_step(heaps: Mapping[tuple[str, str, str | None], Values], seen: Sequence[Told]) -> Iterator[_Trial]:
    kinds = {work.step: "outside" if work.external else work.kind for case in seen for work in case.record.steps}
    whole = _whole(heaps)
    for (step, part), own in whole.items():
        rest = [v for (s, p), v in whole.items() if s != step and p == part and kinds[s] == kinds[step]]
        if part in _PEERS and rest:
            yield from _worth(_Trial((step, part), None, "steps", own, np.concatenate(rest)))


def _worth(trial: _Trial) -> Iterator[_Trial]:
    if min(len(trial.own), len(trial.others)) >= OFTEN and trial.own.any():
        yield trial


def _over_baseline(heaps: Mapping[tuple[str, str, str | None], Values], limits: Limits) -> Iterator[Excess]:
    for (step, part), own in _whole(heaps).items():
        told = limits.cells.get(step, {}).get(part)
        if told is None or told.get("high") is None or len(own) < OFTEN:
            continue
        # Against the upper end of the baseline's own interval: its median is an estimate too.
        above = int((own > told["high"]).sum())
        p_value = float(stats.binomtest(above, len(own), 0.5, alternative="greater").pvalue)
        yield Excess((step, part), None, _median(own), round(told["median"]), "baseline", len(own), told["n"], p_value)


def _judged(trial: _Trial, tests: int) -> Excess | None:
    tested: Any = stats.mannwhitneyu(trial.own, trial.others, alternative="greater")
    median, limit = _median(trial.own), _median(trial.others)
    sizes = len(trial.own), len(trial.others)
    return _corrected(
        Excess(trial.cell, trial.segment, median, limit, trial.against, *sizes, float(tested.pvalue)), tests
    )


def _corrected(excess: Excess, tests: int) -> Excess | None:
    p_value = min(1.0, excess.p_value * tests)
    if p_value >= LEVEL or excess.median <= excess.limit:
        return None
    told = {name: getattr(excess, name) for name in ("cell", "segment", "median", "limit", "against", "n", "peers")}
    return Excess(**told, p_value=p_value)


def _median(values: Values) -> Microseconds:
    return int(np.quantile(values, 0.5, method="inverted_cdf"))
