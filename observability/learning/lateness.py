"""What makes a unit's cases late: the lateness of all late cases of a window, shared out among parts and steps.

Each late case's lateness is shared out in proportion to what each part of each step took beyond the median of the
cases that were on time; where nothing did, in proportion to the time itself. All shares add up to it exactly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, select

from observability.learning.explaining import Say, lateness_of, named, seconds, weights
from observability.learning.selection import Asked, conditions, open_cases
from observability.learning.usual import MINIMUM, SAMPLE, Cell, Gathering, Usual, apportion, cells_of, records
from observability.ledger.store import Ledger
from observability.ledger.tables import cases
from workunits.core.record import Microseconds, Record

Code = tuple[str, bool]
"""An exception's code, and whether it is a business exception."""
NONE: Code = ("", True)
"""A case without exceptions."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """What one thing makes of the lateness."""

    lateness: Microseconds
    cases: int
    """Late cases in which it makes some."""


@dataclass(frozen=True, slots=True)
class Lateness:
    """The late cases of a window; each of the four splits adds up to the whole lateness, the largest first."""

    asked: Asked
    closed: int
    """Cases that closed in the window."""
    n: int
    """Of them, the late ones."""
    open_late: int
    """Open cases that are past due; they are not in the splits."""
    total: Microseconds
    on_time: Usual
    """What is usual in cases that kept their promise."""
    cells: Mapping[Cell, Ranked]
    parts: Mapping[str, Ranked]
    steps: Mapping[str, Ranked]
    """The step of time that belongs to none is empty."""
    codes: Mapping[Code, Ranked]
    """A case with several exceptions is shared out evenly among their codes."""

    def sentence(self, say: Say, roles: Mapping[str, str]) -> str:
        """Say what makes the most of it."""
        if not self.n:
            return "No case of the window closed late."
        (step, part), most = next(iter(self.cells.items()), (("", "idle"), Ranked(0, 0)))
        share = round(most.lateness / self.total * 100) if self.total else 0
        counted = f"{most.cases} of {self.n} late case{'' if self.n == 1 else 's'}"
        return f"{share} % of the lateness is {named(step, part, roles)}: {say(most.lateness)}, in {counted}."

    def as_json(self, say: Say, roles: Mapping[str, str]) -> dict[str, Any]:
        """As JSON values."""
        return {
            "unit": self.asked.unit,
            "version": self.asked.version,
            "since": self.asked.since,
            "until": self.asked.until,
            "sentence": self.sentence(say, roles),
            "closed": self.closed,
            "late": self.n,
            "open_late": self.open_late,
            "lateness_seconds": seconds(self.total),
            "on_time": {"n": self.on_time.n, "minimum": MINIMUM, "compared": self.on_time.n >= MINIMUM},
            "shares": [
                {"step": step or None, "part": part, **self._json(one), "median_seconds": self._median((step, part))}
                for (step, part), one in self.cells.items()
            ],
            "parts": [{"part": part, **self._json(one)} for part, one in self.parts.items()],
            "steps": [{"step": step or None, **self._json(one)} for step, one in self.steps.items()],
            "exceptions": [
                {"code": code or None, "business": business, **self._json(one)}
                for (code, business), one in self.codes.items()
            ],
        }

    def _json(self, one: Ranked) -> dict[str, Any]:
        share = one.lateness / self.total if self.total else 0.0
        return {"seconds": seconds(one.lateness), "share": share, "cases": one.cases}

    def _median(self, cell: Cell) -> float | None:
        usual = self.on_time.of(cell)
        return seconds(usual.median) if usual else None


def lateness(ledger: Ledger, asked: Asked) -> Lateness:
    """Share out the lateness of the late cases of a window.

    Raises:
        LedgerUnavailableError.
    """
    with ledger.read() as connection:
        return _lateness(connection, asked)


def _lateness(connection: Connection, asked: Asked) -> Lateness:
    window = conditions(asked)
    closed = select(func.count()).select_from(cases).where(*window, cases.c.close.is_not(None))
    usual = _on_time(connection, asked)
    heaps = [_Heap() for _ in range(4)]
    total = n = 0
    late = (*window, cases.c.close.is_not(None), cases.c.breached_at.is_not(None))
    for record in records(connection, asked.unit, *late):
        amount = lateness_of(record, record.closed or 0)
        total, n = total + amount, n + 1
        cells = cells_of(record)
        shares = apportion(amount, weights(cells, {cell: usual.of(cell) for cell in cells}))
        keyed: tuple[Mapping[Any, int], ...] = (
            shares,
            _added((part, share) for (_, part), share in shares.items()),
            _added((step, share) for (step, _), share in shares.items()),
            apportion(amount, dict.fromkeys(_codes(record), 1)),
        )
        for heap, found in zip(heaps, keyed, strict=True):
            heap.add(found)
    return Lateness(
        asked,
        connection.execute(closed).scalar_one(),
        n,
        sum(there.past_due for there in open_cases(connection, asked, datetime.now(UTC)).values()),
        total,
        usual,
        *(heap.ranked() for heap in heaps),
    )


def _on_time(connection: Connection, asked: Asked) -> Usual:
    """What is usual in the cases that were on time, the newest of them; whenever before the window's end."""
    wider = conditions(Asked(asked.unit, until=asked.until, version=asked.version))
    gathered = Gathering()
    for record in records(connection, asked.unit, *wider, cases.c.sla == "met", limit=SAMPLE):
        gathered.add([work.step for work in record.steps], cells_of(record))
    return gathered.usual()


def _codes(record: Record) -> Sequence[Code]:
    return list(dict.fromkeys((one.code, one.business) for one in record.routes)) or [NONE]


class _Heap:
    """A running sum by key, and how many cases have a share in it."""

    def __init__(self) -> None:
        self._sum: Counter[Any] = Counter()
        self._cases: Counter[Any] = Counter()

    def add(self, shares: Mapping[Any, int]) -> None:
        self._sum.update(shares)
        self._cases.update(key for key, share in shares.items() if share)

    def ranked(self) -> dict[Any, Ranked]:
        return {key: Ranked(amount, self._cases[key]) for key, amount in self._sum.most_common() if amount}


def _added(pairs: Iterable[tuple[Hashable, int]]) -> Mapping[Any, int]:
    total: Counter[Hashable] = Counter()
    for key, amount in pairs:
        total[key] += amount
    return total
