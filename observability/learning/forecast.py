"""Which open cases will break their promise: for each the probability, from the step in which it is now."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock, Thread
from typing import Any, Literal

import numpy as np
from sqlalchemy import Connection, Select, and_, or_, select

from observability.learning.stays import NEVER, Outlook, Stays
from observability.ledger.store import Ledger, LedgerError
from observability.ledger.tables import cases, steps

KEPT = 600.0
"""Seconds for which what was read of a step is kept: curves move slowly, and a list needs them at once."""
SAMPLE = 5_000
"""The newest stays whose case has closed, from which the beginning of the window is taken."""
_OLDEST = 0.1
"""The share of them that began before the window: a few that took very long would make it as long."""
NOWHERE = ""
"""The step of a case that is between two steps: its stay began with the case."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)
Basis = Literal["version", "unit", "passed"]


@dataclass(frozen=True, slots=True)
class Forecast:
    """An open case and its probability."""

    case: str
    unit: str
    version: str
    key: str
    step: str | None
    """The step that it came to last of those that are open; None between two steps."""
    since: datetime
    """Since when it is there."""
    due: datetime
    probability: float | None
    """None: too little data; 1 when the due time has passed."""
    basis: Basis | None
    """Whether the cases of the version or of all versions say so, or the due time has passed."""
    n: int = 0
    """Stays that had been as long."""
    closes: int = 0
    """Of them, those whose case has closed."""

    def as_json(self, now: datetime) -> dict[str, Any]:
        """As JSON values."""
        return {
            "case": self.case,
            "unit": self.unit,
            "version": self.version,
            "step": self.step,
            "since": self.since,
            "due": self.due,
            "left_seconds": (self.due - now) / timedelta(seconds=1),
            "breach_probability": self.probability,
            "basis": self.basis,
            "n": self.n,
            "closes": self.closes,
        }


class Forecaster:
    """Forecasts over one ledger; what it has read of a step is kept for some time."""

    def __init__(self, ledger: Ledger) -> None:
        """Know the ledger; nothing is read yet."""
        self._ledger = ledger
        self._stays: dict[tuple[str, str], Stays] = {}
        self._until: dict[tuple[str, str], float] = {}
        self._reading = Lock()

    def of(self, connection: Connection, unit: str | None, now: datetime) -> list[Forecast]:
        """The open cases of a unit, or of all, the most probable breach first; those without a forecast come last."""
        wanted = select(*_CASE).where(cases.c.close.is_(None), cases.c.due_at.is_not(None))
        wanted = wanted.where(cases.c.unit == unit) if unit else wanted
        found = list(self._forecasts(connection, wanted, now, self._read))
        return sorted(
            found, key=lambda one: (-1 if one.probability is None else one.probability, -microseconds(one.due))
        )[::-1]

    def of_these(self, connection: Connection, ids: Sequence[str], now: datetime) -> Mapping[str, Forecast]:
        """The open ones among some cases."""
        wanted = select(*_CASE).where(cases.c.case_id.in_(ids), cases.c.close.is_(None), cases.c.due_at.is_not(None))
        return {one.case: one for one in self._forecasts(connection, wanted, now, self._read)}

    def at_once(self, connection: Connection, ids: Sequence[str], now: datetime) -> Mapping[str, Forecast]:
        """The open ones among some cases, by what is known already; what is not is read in the background."""
        wanted = select(*_CASE).where(cases.c.case_id.in_(ids), cases.c.close.is_(None), cases.c.due_at.is_not(None))
        missing: set[tuple[str, str]] = set()

        def known(_: Connection, unit: str, step: str) -> Stays | None:
            if time.monotonic() >= self._until.get((unit, step), 0.0):
                missing.add((unit, step))
            return self._stays.get((unit, step))

        found = {one.case: one for one in self._forecasts(connection, wanted, now, known)}
        if missing and self._reading.acquire(blocking=False):
            Thread(target=self._refresh, args=(missing,), daemon=True).start()
        return found

    def wait(self) -> None:
        """Wait until nothing is read in the background."""
        with self._reading:
            pass

    def _refresh(self, missing: set[tuple[str, str]]) -> None:
        """Read what is missing; the lock is held, so that no two read at once."""
        try:
            with self._ledger.read() as connection:
                for unit, step in sorted(missing):
                    self._read(connection, unit, step)
        except LedgerError:
            pass  # the list says so itself; the next one tries again
        finally:
            self._reading.release()

    def _read(self, connection: Connection, unit: str, step: str) -> Stays:
        place = unit, step
        if time.monotonic() >= self._until.get(place, 0.0):
            self._stays[place] = stays_of(connection, unit, step)
            self._until[place] = time.monotonic() + KEPT
        return self._stays[place]

    def _forecasts(self, connection: Connection, wanted: Select[Any], now: datetime, stays: Any) -> Iterator[Forecast]:
        """Each case with the step that it came to last."""
        found = wanted.subquery()
        there = and_(steps.c.case_id == found.c.case_id, steps.c.done_at.is_(None))
        rows = connection.execute(
            select(found, steps.c.step, steps.c.ready_at).join(steps, there, isouter=True).order_by(found.c.case_id)
        )
        last: dict[str, Any] = {}
        for row in rows:
            before = last.get(row.case_id)
            if before is None or (before.ready_at, before.step) < (row.ready_at, row.step):
                last[row.case_id] = row
        outlooks: dict[tuple[str, str], Outlook | None] = {}
        for row in last.values():
            place = row.unit, row.step or NOWHERE
            if row.due_at > now and place not in outlooks:
                known: Stays | None = stays(connection, *place)
                outlooks[place] = Outlook(known, microseconds(now)) if known else None
            yield _forecast(row, now, outlooks.get(place))


def _forecast(row: Any, now: datetime, outlook: Outlook | None) -> Forecast:
    since = row.ready_at or row.started_at
    whole = (row.case_id, row.unit, row.version, row.business_key, row.step, since, row.due_at)
    if row.due_at <= now:
        return Forecast(*whole, 1.0, "passed")
    said = None if outlook is None else outlook.breach(row.version, microseconds(since), microseconds(row.due_at))
    if said is None:
        return Forecast(*whole, None, None)
    chance, basis = said
    return Forecast(*whole, chance.probability, basis, chance.n, chance.closes)


_CASE = (
    cases.c.case_id,
    cases.c.unit,
    cases.c.version,
    cases.c.business_key,
    cases.c.started_at,
    cases.c.due_at,
)


def stays_of(connection: Connection, unit: str, step: str) -> Stays:
    """The stays in a step that began in the window, and nothing of older ones: whoever is left of those took long.

    Args:
        connection: To the ledger.
        unit: The unit.
        step: The step; `NOWHERE` for cases as a whole.
    """
    if step == NOWHERE:
        begin, left = cases.c.started_at, cases.c.closed_at
        wanted = select(begin, left, cases.c.closed_at, cases.c.version).where(cases.c.unit == unit)
    else:
        begin, left = steps.c.ready_at, steps.c.done_at
        wanted = select(begin, left, cases.c.closed_at, cases.c.version)
        wanted = wanted.join(cases, cases.c.case_id == steps.c.case_id)
        wanted = wanted.where(steps.c.step == step, cases.c.unit == unit)
    newest = wanted.where(cases.c.close.is_not(None)).order_by(left.desc()).limit(SAMPLE)
    begun = sorted(row[0] for row in connection.execute(newest))
    if len(begun) == SAMPLE:
        window = begun[int(SAMPLE * _OLDEST)]
        wanted = wanted.where(begin >= window, or_(left >= window, left.is_(None)))
    return columns_of(connection.execute(wanted).all())


def columns_of(rows: Sequence[Any]) -> Stays:
    """Rows of (ready, left, closed, version) as columns."""
    ready, left, closed = (
        np.array([NEVER if row[place] is None else microseconds(row[place]) for row in rows], dtype=np.int64)
        for place in range(3)
    )
    return Stays(ready, left, closed, np.array([row[3] for row in rows], dtype=object))


def microseconds(moment: datetime) -> int:
    """A moment as microseconds since 1970."""
    return (moment - _EPOCH) // _MICRO
