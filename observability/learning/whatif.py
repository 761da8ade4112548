"""What the cycle times of the same cases would have been without some of their time, and how sure that is.

Time counts as removable only where nothing else was going on in the case: what ran beside it would have gone on.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
from scipy import stats

from observability.learning.estimates import CONFIDENCE
from observability.learning.usual import NOWHERE, Cell
from workunits.core.parts import slices
from workunits.core.record import Interval, Microseconds, Record, Work

DRAWS = 2_000
_SEED = 7_741
"""The same cases always give the same interval."""
_FEWEST_DAYS = 2


@dataclass(frozen=True, slots=True)
class Told:
    """One closed case, as advice needs it."""

    record: Record
    cycle: Microseconds
    spent: Mapping[Cell, Microseconds]
    alone: Mapping[Cell, Microseconds]
    """Of that, the time in which no other performance was under way."""

    @property
    def case(self) -> str:
        """Its id."""
        return self.record.case

    @property
    def day(self) -> date:
        """The day of its close, by which cases are resampled."""
        return (self.record.started + timedelta(microseconds=self.cycle)).date()

    @property
    def performed(self) -> frozenset[str]:
        """The steps that were performed in it."""
        return frozenset(work.step for work in self.record.steps)


@dataclass(frozen=True, slots=True)
class Effect:
    """What would be saved, over all the cases that were looked at; microseconds of cycle time."""

    mean: float
    """Of a case."""
    low: float | None
    """The interval of 95 %, bootstrapped by the day of the close; None: all closed on one day."""
    high: float | None
    median_before: float
    median_after: float
    n: int
    draws: int = field(default=DRAWS)

    def as_json(self) -> Mapping[str, Any]:
        """As JSON values."""
        return asdict(self)


def told_of(record: Record) -> Told:
    """Split a closed case's time, and see what of it stood alone."""
    spent: Counter[Cell] = Counter()
    alone: Counter[Cell] = Counter()
    for piece in slices(record):
        work = None if piece.work is None else record.steps[piece.work]
        cell = NOWHERE if work is None else work.step, piece.part
        spent[cell] += piece.length
        if not any(_beside(other, (piece.begin, piece.end), record) for other in record.steps if other is not work):
            alone[cell] += piece.length
    return Told(record, record.closed or 0, spent, alone)


def effect(cases: Sequence[Told], saved: Sequence[Microseconds]) -> Effect:
    """What saving so much of each case comes to.

    Args:
        cases: All that are looked at, those without a saving among them.
        saved: Of each.
    """
    cycles, savings = (np.array(values, dtype=np.float64) for values in ([one.cycle for one in cases], saved))
    low, high = _interval(cases, savings)
    before, after = float(np.median(cycles)), float(np.median(cycles - savings))
    return Effect(float(savings.mean()), low, high, before, after, len(cases))


def beyond(case: Told, cell: Cell, limit: Microseconds) -> Microseconds:
    """How much shorter a case would be with a cell's time at a limit."""
    return min(case.alone.get(cell, 0), max(0, case.spent.get(cell, 0) - limit))


def _interval(cases: Sequence[Told], savings: Any) -> tuple[float | None, float | None]:
    """Cases that close on one day share what happened on it: days are drawn, not cases."""
    days = sorted({case.day for case in cases})
    if len(days) < _FEWEST_DAYS:
        return None, None
    place = {day: number for number, day in enumerate(days)}
    of = np.array([place[case.day] for case in cases])
    sums, counts = np.bincount(of, weights=savings), np.bincount(of).astype(np.float64)
    if not sums.any():
        return 0.0, 0.0

    def mean(some: Any, many: Any, axis: int = -1) -> Any:
        return some.sum(axis=axis) / many.sum(axis=axis)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        drawn: Any = stats.bootstrap(
            (sums, counts),
            mean,
            paired=True,
            vectorized=True,
            n_resamples=DRAWS,
            confidence_level=CONFIDENCE,
            method="percentile",
            rng=np.random.default_rng(_SEED),
        )
    return float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)


def _beside(other: Work, span: Interval, record: Record) -> bool:
    """Whether another performance was under way in a slice."""
    end = other.done if other.done is not None else record.closed or 0
    return other.ready < span[1] and end > span[0]


def following(record: Record) -> Iterator[tuple[Work, str]]:
    """Each performance of a step and where the case went from it: the next step, or how it closed."""
    ordered = sorted(record.steps, key=lambda work: (work.ready, work.key))
    for place, work in enumerate(ordered):
        later = (other for other in ordered[place + 1 :] if work.done is None or other.ready >= work.done)
        then = next(later, None)
        yield work, then.step if then is not None else f"close: {record.close}"
