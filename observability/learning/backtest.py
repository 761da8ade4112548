"""How good forecasts would have been: made at moments of the past, with what was known then, and compared.

At each moment every open case is forecast whose due time has passed by now, for of the others it is not known yet.
Beside it stands a forecast that looks at the due time alone: it knows how long the case has been open and how much
time is left, and not where the case is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from observability.learning.estimates import Rate, rate
from observability.learning.forecast import NOWHERE, columns_of, microseconds
from observability.learning.stays import NEVER, Outlook, Stays
from observability.ledger.store import Ledger
from observability.ledger.tables import cases, steps

ORIGINS = 40
"""Moments at which forecasts are made, evenly over the time in which cases closed."""
PER_ORIGIN = 150
"""Cases that are forecast at each, evenly over the open ones."""
NEWEST = 20_000
"""Cases that are looked at."""
BINS = 10
_WARMUP = 0.2
"""The share of the closes before the first moment: with none there is nothing to learn from."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bin:
    """Forecasts of about the same probability, and how often the promise was broken."""

    low: float
    high: float
    forecast: float
    """Their mean."""
    broken: Rate


@dataclass(frozen=True, slots=True)
class Backtest:
    """How good forecasts of a unit would have been; scores are Brier's: 0 is perfect, less is better."""

    unit: str
    n: int
    """Forecasts."""
    cases: int
    """Different cases: several forecasts of one case are not independent."""
    moments: int
    silent: int
    """Cases of which nothing was forecast, for too little was known."""
    brier: float | None
    brier_due_only: float | None
    """Of the forecast that looks at the due time alone, for the same cases at the same moments."""
    brier_share: float | None
    """Of a forecast that always says the share that was broken."""
    bins: Sequence[Bin]

    @property
    def skill(self) -> float | None:
        """By how much it is better than the due time alone: 1 is perfect, 0 no better, negative is worse."""
        return 1 - self.brier / self.brier_due_only if self.brier is not None and self.brier_due_only else None

    def as_json(self) -> Mapping[str, Any]:
        """As JSON values."""
        names = ("unit", "n", "cases", "moments", "silent", "brier", "brier_due_only", "brier_share", "skill", "bins")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class _Past:
    """All that is known today of a unit's cases."""

    stays: Mapping[str, Stays]
    """By step; the cases as a whole under `NOWHERE`."""
    case: Mapping[str, NDArray[np.int64]]
    """The number of each stay's case."""
    due: NDArray[np.int64]
    """By the number of the case."""
    broken: NDArray[np.bool_]


def backtest(ledger: Ledger, unit: str, now: datetime) -> Backtest:
    """Forecast the past of a unit.

    Raises:
        LedgerUnavailableError.
    """
    with ledger.read() as connection:
        past = _read(connection, unit)
    made: list[tuple[int, float, float]] = []
    silent = 0
    moments = _moments(past.stays[NOWHERE])
    for moment in moments:
        for case, said, due_only in _forecasts(past, moment, microseconds(now)):
            if said is None or due_only is None:
                silent += 1
            else:
                made.append((case, said, due_only))
    number = np.array([case for case, _, _ in made], dtype=np.int64)
    forecasts, alone = (np.array([one[place] for one in made], dtype=np.float64) for place in (1, 2))
    broken = past.broken[number].astype(np.float64) if made else np.array([], dtype=np.float64)
    return Backtest(
        unit=unit,
        n=len(made),
        cases=len(set(number.tolist())),
        moments=len(moments),
        silent=silent,
        brier=_brier(forecasts, broken),
        brier_due_only=_brier(alone, broken),
        brier_share=_brier(np.full(len(broken), broken.mean()), broken) if len(broken) else None,
        bins=list(_bins(forecasts, broken)),
    )


def _moments(whole: Stays) -> Sequence[int]:
    """Evenly from when enough has closed to when the last one did."""
    closes = np.sort(whole.closed[whole.closed != NEVER])
    if not len(closes):
        return []
    first, last = int(closes[int(len(closes) * _WARMUP)]), int(closes[-1])
    return [first + (last - first) * place // ORIGINS for place in range(ORIGINS)] if first < last else []


def _forecasts(past: _Past, moment: int, now: int) -> Iterator[tuple[int, float | None, float | None]]:
    """The forecasts at a moment: the number of the case, what is said of it, and what the due time alone says."""
    outlooks = {step: Outlook(stays, moment) for step, stays in past.stays.items()}
    started = past.stays[NOWHERE].ready
    for case, step, ready, version in _spread(_open_at(past, moment, now)):
        due = int(past.due[case])
        said = outlooks[step].breach(version, ready, due)
        alone = outlooks[NOWHERE].breach(version, int(started[case]), due)
        yield case, said and said[0].probability, alone and alone[0].probability


def _open_at(past: _Past, moment: int, now: int) -> list[tuple[int, str, int, str]]:
    """The cases that were open then and whose outcome is known now, each with the step that it had come to last."""
    last: dict[int, tuple[int, str, str]] = {}
    for step, stays in past.stays.items():
        number = past.case[step]
        due = past.due[number]
        chosen = (
            (stays.ready < moment) & (stays.left > moment) & (stays.closed > moment) & (due > moment) & (due <= now)
        )
        for place in np.flatnonzero(chosen).tolist():
            case, ready = int(number[place]), int(stays.ready[place])
            # A step says more than the case as a whole, which comes first and began no later.
            if case not in last or (ready, step) > last[case][:2]:
                last[case] = ready, step, str(stays.version[place])
    return [(case, step, ready, version) for case, (ready, step, version) in sorted(last.items())]


def _spread(found: list[tuple[int, str, int, str]]) -> Sequence[tuple[int, str, int, str]]:
    return (
        [found[len(found) * place // PER_ORIGIN] for place in range(PER_ORIGIN)] if len(found) > PER_ORIGIN else found
    )


def _read(connection: Connection, unit: str) -> _Past:
    """The newest cases of a unit with all their stays."""
    columns = (cases.c.case_id, cases.c.started_at, cases.c.closed_at, cases.c.version, cases.c.due_at)
    wanted = select(*columns, cases.c.breached_at).where(cases.c.unit == unit, cases.c.due_at.is_not(None))
    found = connection.execute(wanted.order_by(cases.c.started_at.desc(), cases.c.case_id).limit(NEWEST)).all()
    number = {row.case_id: place for place, row in enumerate(found)}
    rows: dict[str, list[tuple[Any, ...]]] = {
        NOWHERE: [(row.started_at, row.closed_at, row.closed_at, row.version) for row in found]
    }
    of: dict[str, list[int]] = {NOWHERE: list(range(len(found)))}
    performed = select(steps.c.case_id, steps.c.step, steps.c.ready_at, steps.c.done_at).join(
        cases, cases.c.case_id == steps.c.case_id
    )
    for row in connection.execute(performed.where(cases.c.unit == unit)):
        place = number.get(row.case_id)
        if place is not None:
            case = found[place]
            rows.setdefault(row.step, []).append((row.ready_at, row.done_at, case.closed_at, case.version))
            of.setdefault(row.step, []).append(place)
    return _Past(
        stays={step: columns_of(some) for step, some in rows.items()},
        case={step: np.array(some, dtype=np.int64) for step, some in of.items()},
        due=np.array([microseconds(row.due_at) for row in found], dtype=np.int64),
        broken=np.array([row.breached_at is not None for row in found], dtype=np.bool_),
    )


def _brier(said: Floats, broken: Floats) -> float | None:
    return float(((said - broken) ** 2).mean()) if len(said) else None


def _bins(said: Floats, broken: Floats) -> Iterator[Bin]:
    """The reliability curve: equal widths; empty ones are left out."""
    places = np.minimum((said * BINS).astype(np.int64), BINS - 1)
    for place in range(BINS):
        inside = places == place
        counted = rate(int(broken[inside].sum()), int(inside.sum()))
        if counted is not None:
            yield Bin(place / BINS, (place + 1) / BINS, float(said[inside].mean()), counted)
