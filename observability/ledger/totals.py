"""Cumulative totals: what the metrics endpoint exports, kept in the same transaction as the rows that they count.

A total is never less than before. Rows of cases may be rewritten, corrected or pruned; what they counted stays.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, String, Table, case, select
from sqlalchemy.dialects import postgresql, sqlite

from observability.ledger.columns import column, maybe, metadata
from observability.ledger.moment import Moment
from observability.metrics.contract import BY_NAME, OTHER

COUNT, SUM = "count", "sum"
_FIT = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
_MICRO = 1_000_000

totals = Table(
    "totals",
    metadata,
    column("metric", String(80), "The metric, as docs/metrics.md has it.", primary_key=True),
    column("labels", String(700), "The values of its labels in their order, as a JSON list.", primary_key=True),
    column("part", String(8), "`count`; of a histogram also `sum`, and the upper bound of a bucket.", primary_key=True),
    column("amount", BigInteger, "How many; of seconds and money, millionths."),
    maybe("example", String(400), "A case that was counted here last."),
    maybe("example_trace", String(32), "The trace that started it."),
    maybe("example_us", BigInteger, "What was observed of it, in microseconds."),
    maybe("example_at", Moment, "When."),
    comment="What the metrics endpoint exports: cumulative totals of first closes, and of what happened on the way.",
)

Series = tuple[str, tuple[str, ...], str]
"""Metric, label values, part."""


@dataclass(frozen=True, slots=True)
class Example:
    """A case that stands for a bucket."""

    case: str
    trace: str | None
    micros: int
    at: datetime


class Tally:
    """What one transaction adds."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.amounts: Counter[Series] = Counter()
        self.examples: dict[Series, Example] = {}

    def count(self, metric: str, *labels: object, by: int = 1) -> None:
        """Add to a counter; of seconds and money, millionths."""
        if by > 0:
            self.amounts[f"workunit_{metric}_total", tuple(map(fit, labels)), COUNT] += by

    def observe(self, metric: str, micros: int, *labels: object, example: Example) -> None:
        """Add an observation to a histogram, such as `cycle_time_seconds`; in millionths."""
        name, values = f"workunit_{metric}", tuple(map(fit, labels))
        known = BY_NAME[name]
        bucket = name, values, known.parts[bisect_left(known.buckets, micros / _MICRO)]
        self.amounts[name, values, COUNT] += 1
        self.amounts[name, values, SUM] += max(0, micros)
        self.amounts[bucket] += 1
        self.examples[bucket] = example


def fit(label: object) -> str:
    """A label's value that no scrape stumbles over; names of ours are all of this form."""
    text = str(label)
    return text if _FIT.fullmatch(text) else OTHER


def add(connection: Connection, tally: Tally) -> None:
    """Add a tally to the totals."""
    if not tally.amounts:
        return
    insert: Any = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(totals)
    new = insert.excluded
    is_newer = new.example.is_not(None)
    changed = {
        name: case((is_newer, new[name]), else_=totals.c[name])
        for name in ("example", "example_trace", "example_us", "example_at")
    }
    upsert = insert.on_conflict_do_update(
        index_elements=["metric", "labels", "part"], set_={"amount": totals.c.amount + new.amount, **changed}
    )
    connection.execute(upsert, list(_rows(tally)))


def read(connection: Connection) -> Iterator[tuple[Series, int, Example | None]]:
    """All totals as they stand."""
    for row in connection.execute(select(totals).order_by(totals.c.metric, totals.c.labels)):
        example = None
        if row.example is not None:
            example = Example(row.example, row.example_trace, row.example_us, row.example_at)
        yield (row.metric, tuple(json.loads(row.labels)), row.part), row.amount, example


def _rows(tally: Tally) -> Iterable[Mapping[str, Any]]:
    for series, amount in sorted(tally.amounts.items()):
        metric, labels, part = series
        example = tally.examples.get(series)
        yield {
            "metric": metric,
            "labels": json.dumps(labels),
            "part": part,
            "amount": amount,
            "example": example.case if example else None,
            "example_trace": example.trace if example else None,
            "example_us": example.micros if example else None,
            "example_at": example.at if example else None,
        }
