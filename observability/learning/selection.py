"""The closed cases that a report is about, column by column, and how each of them counts as of a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Row, func, select

from observability.ledger.keeping import corrections
from observability.ledger.tables import cases, proposals, steps
from workunits.core.parts import PARTS

SPANS = ("cycle_us", "lead_us", "human_effort_us", "machine_effort_us", "active_us", "external_us", "rework_effort_us")
COUNTS = ("human_touches", "unmeasured", "exceptions", "handoffs_hh", "handoffs_hm", "handoffs_mh", "handoffs_mm")
PART_SPANS = tuple(f"{part}_us" for part in PARTS)
_WHOLE = frozenset((*SPANS, *COUNTS, *PART_SPANS))
_AT_A_TIME = 2000
_COLUMNS = (
    *SPANS,
    *COUNTS,
    *PART_SPANS,
    "reworked",
    "close",
    "sla",
    "segment",
    "closed_at",
    "cost",
    "currency",
    "version",
    "quality",
    "case_id",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a report is about."""

    unit: str
    since: datetime | None = None
    until: datetime | None = None
    """Cases that closed before it."""
    version: str | None = None
    as_of: datetime | None = None
    """Evidence that was recorded later does not count; all of it when omitted."""


@dataclass(frozen=True)
class Closed:
    """Closed cases as columns of equal length, in the order of their closes.

    Beside columns of the table: `reviewed`, the proposals of models on which a person decided who saw them, and
    `overridden`, those of them that were decided otherwise.
    """

    columns: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.columns["cycle_us"])

    def __getitem__(self, name: str) -> NDArray[Any]:
        """One column."""
        return self.columns[name]

    def where(self, chosen: NDArray[np.bool_]) -> Closed:
        """Some of them."""
        return Closed({name: column[chosen] for name, column in self.columns.items()})


@dataclass(frozen=True, slots=True)
class Open:
    """Open cases of the unit, which no figure of closed ones may hide."""

    n: int = 0
    past_due: int = 0
    oldest: datetime | None = None

    def __add__(self, other: Open) -> Open:
        """Both together."""
        begun = [at for at in (self.oldest, other.oldest) if at is not None]
        return Open(self.n + other.n, self.past_due + other.past_due, min(begun, default=None))


def closed_cases(connection: Connection, asked: Asked) -> Closed:
    """Read the cases; `close` is how each counts as of the time that was asked for."""
    wanted = select(*(cases.c[name] for name in _COLUMNS)).where(*conditions(asked), cases.c.close.is_not(None))
    rows = connection.execute(wanted.order_by(cases.c.closed_at, cases.c.case_id))
    # Some at a time: all rows at once are large, and Python would look through them for garbage again and again.
    parts = [_as_columns(some) for some in rows.partitions(_AT_A_TIME)] or [_as_columns([])]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in _COLUMNS}
    found = reviews(connection, asked)
    for place, name in enumerate(("overridden", "reviewed")):
        counts = [found.get(case, (0, 0))[place] for case in columns["case_id"]]
        columns[name] = np.array(counts, dtype=np.int64)
    late = late_closes(connection, asked)
    if late:
        ids, closes = columns["case_id"], columns["close"]
        columns["close"] = _objects([late.get(case, close) for case, close in zip(ids, closes, strict=True)])
    return Closed(columns)


def _as_columns(rows: Sequence[Row[Any]]) -> Mapping[str, NDArray[Any]]:
    columns = zip(*rows, strict=True) if rows else [()] * len(_COLUMNS)
    return {
        name: np.array(values, dtype=np.int64) if name in _WHOLE else _objects(list(values))
        for name, values in zip(_COLUMNS, columns, strict=True)
    }


def open_cases(connection: Connection, asked: Asked, now: datetime) -> Mapping[str | None, Open]:
    """Count the open ones of each segment; late ones are those that were due in the window, and before now."""
    late = func.count().filter(cases.c.due_at < min(now, asked.until or now))
    counted = select(cases.c.segment, func.count(), late, func.min(cases.c.started_at))
    same = [cases.c.unit == asked.unit, cases.c.close.is_(None)]
    if asked.version:
        same.append(cases.c.version == asked.version)
    return {row[0]: Open(*row[1:]) for row in connection.execute(counted.where(*same).group_by(cases.c.segment))}


def task_queues(connection: Connection, asked: Asked) -> Mapping[str | None, Sequence[int]]:
    """How long people's tasks were ready before somebody took them, by the segment of their cases."""
    wanted = (
        select(cases.c.segment, steps.c.queue_us)
        .join(cases, cases.c.case_id == steps.c.case_id)
        .where(*conditions(asked), cases.c.close.is_not(None))
        .where(steps.c.kind == "human", ~steps.c.external, steps.c.queue_us.is_not(None))
    )
    found: dict[str | None, list[int]] = {}
    for segment, queue in connection.execute(wanted):
        found.setdefault(segment, []).append(queue)
    return found


def reviews(connection: Connection, asked: Asked) -> Mapping[str, tuple[int, int]]:
    """Of cases with any: how many proposals were overridden by who saw them, and on how many those decided at all."""
    wanted = (
        select(proposals.c.case_id, func.count().filter(proposals.c.overridden), func.count())
        .join(cases, cases.c.case_id == proposals.c.case_id)
        .where(*conditions(asked), proposals.c.decision.is_not(None))
        .group_by(proposals.c.case_id)
    )
    return {case: (overridden, reviewed) for case, overridden, reviewed in connection.execute(wanted)}


def conditions(asked: Asked) -> list[ColumnElement[bool]]:
    """Which cases a report is about, open ones among them."""
    found = [cases.c.unit == asked.unit]
    if asked.since:
        found.append(cases.c.closed_at >= asked.since)
    if asked.until:
        found.append(cases.c.closed_at < asked.until)
    if asked.version:
        found.append(cases.c.version == asked.version)
    return found


def late_closes(connection: Connection, asked: Asked) -> Mapping[str, str]:
    """How cases count by evidence, the last word of each."""
    wanted = (
        select(corrections.c.case_id, corrections.c.to_close)
        .join(cases, cases.c.case_id == corrections.c.case_id)
        .where(*conditions(asked), corrections.c.kind == "evidence")
    )
    if asked.as_of:
        wanted = wanted.where(corrections.c.recorded_at <= asked.as_of)
    rows = connection.execute(wanted.order_by(corrections.c.recorded_at, corrections.c.at))
    return {row.case_id: row.to_close for row in rows}


def _objects(values: list[Any]) -> NDArray[Any]:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column
