"""What was usual before: the medians of a baseline's traces, split into parts as cases are.

A log says less than a record. What it cannot say is absent: queue where nothing is put in a queue, touch where no work
begins, and whatever no log has (external wait, failed attempts, off-hours).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, cast

from sqlalchemy import Connection, select

from observability.learning.baseline import Baseline
from observability.learning.usual import SAMPLE, Gathering, Typical, Usual, cells_of
from observability.ledger.keeping import baseline_cases, baseline_intervals
from workunits.core.record import Interval, Record, Work
from workunits.core.spec import Kind

WHOLE = "*"
"""The step under which a version's baseline keeps the parts of whole cases."""
_MICRO = timedelta(microseconds=1)


def past(connection: Connection, baseline: Baseline) -> Usual:
    """The medians over the newest traces of a baseline that have a declared end."""
    if "cells" in baseline.figures:  # of a version: its figures have been split as cases are
        return _of_version(baseline)
    gathered = Gathering()
    for record in _records(connection, baseline):
        gathered.add([work.step for work in record.steps], cells_of(record))
    return gathered.usual(_known(baseline.figures))


def _of_version(baseline: Baseline) -> Usual:
    cells = {
        (step, part): Typical(round(told["median"]), told["n"])
        for step, by_part in baseline.figures["cells"].items()
        for part, told in by_part.items()
    }
    whole = {part: typical.median for (step, part), typical in cells.items() if step == WHOLE}
    return Usual(baseline.n, whole, {cell: typical for cell, typical in cells.items() if cell[0] != WHOLE})


def _known(figures: Mapping[str, Any]) -> Sequence[str]:
    """The parts that the log can say."""
    found = [part for part in ("touch_human", "touch_machine") if figures.get(f"{part}_us")]
    return [*found, *(["queue"] if figures.get("queue_us") else [])]


def _records(connection: Connection, baseline: Baseline) -> Iterator[Record]:
    """Its traces as records."""
    closed = (
        select(baseline_cases.c.case_no, baseline_cases.c.started_at, baseline_cases.c.ended_at)
        .where(baseline_cases.c.baseline_id == baseline.baseline_id, baseline_cases.c.close.is_not(None))
        .order_by(baseline_cases.c.ended_at.desc(), baseline_cases.c.case_no)
        .limit(SAMPLE)
        .subquery()
    )
    there = baseline_intervals.c
    rows = (
        select(baseline_intervals, closed.c.started_at, closed.c.ended_at)
        .join(closed, closed.c.case_no == there.case_no)
        .where(there.baseline_id == baseline.baseline_id)
        .order_by(there.case_no, there.item, there.seq)
    )
    traces = select(closed)
    worked = {
        number: list(some) for number, some in groupby(connection.execute(rows), key=lambda row: int(row.case_no))
    }
    for trace in connection.execute(traces):
        yield _record(baseline, trace.started_at, trace.ended_at, worked.get(trace.case_no, []))


def _record(baseline: Baseline, started: datetime, ended: datetime, rows: Sequence[Any]) -> Record:
    steps = [_work(started, list(some)) for _, some in groupby(rows, key=lambda row: int(row.item))]
    closed = (ended - started) // _MICRO
    return Record(
        unit=baseline.unit, version="", case="", started=started, due=0, close="achieved", closed=closed, steps=steps
    )


def _work(started: datetime, rows: Sequence[Any]) -> Work:
    """A piece of work; from when it was put in the queue, else from when it began."""

    def at(moment: datetime) -> int:
        return (moment - started) // _MICRO

    known = [row for row in rows if row.begun_at is not None and row.done_at is not None]
    work: list[Interval] = [(at(row.begun_at), at(row.done_at)) for row in known]
    moments = [moment for row in rows for moment in (row.ready_at, row.begun_at, row.done_at) if moment is not None]
    return Work(
        key=str(rows[0].item),
        step=rows[0].step,
        kind=cast("Kind", rows[0].kind),
        ready=at(rows[0].ready_at or min(moments)),
        work=work,
        done=at(max(moments)),
    )
