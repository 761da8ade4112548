"""What is usual in a unit: the medians of each part, of the whole case and of each step, over closed cases."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, select

from observability.ledger.tables import cases
from workunits.core.parts import PARTS, slices
from workunits.core.record import Interval, Microseconds, Record

MINIMUM = 10
"""Closed cases from which on a median says something."""
SAMPLE = 2_000
"""The newest closed cases that are looked at: how it went years ago is not what is usual."""
NOWHERE = ""
"""The step of time that belongs to none."""
_AT_A_TIME = 200

Cell = tuple[str, str]
"""A step, and a part of its time."""
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Typical:
    """A median in microseconds, and the number of cases that it is of."""

    median: Microseconds
    n: int


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual."""

    n: int
    """Cases."""
    parts: Mapping[str, Microseconds] = field(default_factory=dict)
    """The median of each part; only parts that are known."""
    cells: Mapping[Cell, Typical] = field(default_factory=dict)
    """By step and part, over the cases in which the step was performed; only where these are enough."""
    asked: bool = True
    """Whether there was a ledger to ask."""

    def part(self, part: str) -> Microseconds | None:
        """The median of a part; None where there is nothing to compare with."""
        return self.parts.get(part) if self.n >= MINIMUM else None

    def of(self, cell: Cell) -> Typical | None:
        """What is usual of a step's part: of a step that is rarely performed, no time at all."""
        return self.cells.get(cell, Typical(0, self.n)) if self.n >= MINIMUM else None


UNASKED = Usual(0, asked=False)


class Gathering:
    """Cases that are looked at one after the other; eight bytes are kept of each figure."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.n = 0
        self._parts: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))
        self._cells: defaultdict[Cell, array[int]] = defaultdict(lambda: array("q"))
        self._performed: Counter[str] = Counter()

    def add(self, steps: Collection[str], cells: Mapping[Cell, Microseconds]) -> None:
        """Add a case: the steps that were performed in it, and its time."""
        self.n += 1
        self._performed.update({NOWHERE, *steps})
        by_part: Counter[str] = Counter()
        for cell, spent in cells.items():
            self._cells[cell].append(spent)
            by_part[cell[1]] += spent
        for part, spent in by_part.items():
            self._parts[part].append(spent)

    def usual(self, known: Iterable[str] = PARTS) -> Usual:
        """The medians of what was added."""
        return Usual(
            self.n,
            {part: _median(self._parts[part], self.n) for part in known} if self.n else {},
            {
                cell: Typical(_median(spent, n), n)
                for cell, spent in self._cells.items()
                if (n := self._performed[cell[0]]) >= MINIMUM
            },
        )


def usual_of(connection: Connection, unit: str, version: str, *, but: str = "") -> Usual:
    """What is usual in a version of a unit.

    Args:
        connection: To the ledger.
        unit: The unit.
        version: Its version.
        but: A case that is left out: it is compared with the others.
    """
    gathered = Gathering()
    closed = (cases.c.close.is_not(None), cases.c.version == version, cases.c.case_id != but)
    for record in records(connection, unit, *closed, limit=SAMPLE):
        gathered.add([work.step for work in record.steps], cells_of(record))
    return gathered.usual()


def records(
    connection: Connection, unit: str, *conditions: ColumnElement[bool], limit: int | None = None
) -> Iterator[Record]:
    """The records of a unit's cases, those that closed last first, some in memory at a time."""
    wanted = select(cases.c.record).where(cases.c.unit == unit, cases.c.record.is_not(None), *conditions)
    wanted = wanted.order_by(cases.c.closed_at.desc(), cases.c.case_id).limit(limit)
    for (record,) in connection.execute(wanted.execution_options(yield_per=_AT_A_TIME)):
        if record is not None:
            yield Record.model_validate(record)


def cells_of(record: Record, off: Iterable[Interval] = (), now: datetime | None = None) -> Mapping[Cell, Microseconds]:
    """A case's time by step and part; together the elapsed time."""
    found: Counter[Cell] = Counter()
    end = record.closed if record.closed is not None else record.offset(now) if now else 0
    for piece in slices(record, end, tuple(off)):
        found[NOWHERE if piece.work is None else record.steps[piece.work].step, piece.part] += piece.length
    return found


def apportion(total: int, by: Mapping[K, int]) -> Mapping[K, int]:
    """Share a whole number out in proportion to weights, by the largest remainder: the shares add up to it exactly."""
    whole = sum(by.values())
    if not whole:
        return {}
    shares = {key: total * weight // whole for key, weight in by.items()}
    left = total - sum(shares.values())
    for key in sorted(by, key=lambda key: -(total * by[key] % whole))[:left]:
        shares[key] += 1
    return shares


def _median(spent: array[int], n: int) -> Microseconds:
    """The smallest value that half do not exceed, of so many cases; those that have none of it have zero."""
    place = (n - 1) // 2 - (n - len(spent))
    return sorted(spent)[place] if place >= 0 else 0
