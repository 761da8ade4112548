"""The rows of a baseline: of each trace, and of each interval of work; first into a file, then into the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection, func, select

from observability.learning.log_times import as_moment
from observability.learning.spool import Spool
from observability.learning.traces import Case
from observability.ledger.keeping import baseline_cases, baseline_intervals

_BATCH = 1_000
_NAME, _PERFORMER = 200, 100


def keep(spool: Spool, case: Case, person: Callable[[str | None], int | None]) -> None:
    """The rows of a case, as JSON values: times stay microseconds until they are written."""
    number, name = case.trace.number, case.trace.name.replace("\0", "")[:_NAME]
    intervals: list[list[Any]] = []
    for item, piece in enumerate(case.pieces, 1):
        who = f"person {person(piece.performer)}" if piece.kind == "human" and piece.performer else piece.performer
        # Of a piece that nobody is seen to work on, one row without a beginning.
        worked: list[tuple[int | None, int | None, str | None]] = [
            (begun, done, ended) for (begun, done), ended in zip(piece.work, piece.ends, strict=True)
        ]
        if piece.since is not None:
            worked.append((piece.since, None, None))
        for place, (begun, done, ended) in enumerate(worked or [(None, piece.done, piece.end)]):
            ready = None if place else piece.ready
            row = [item, piece.step, piece.kind, who and who[:_PERFORMER], ready, begun, done, ended]
            intervals.append(row)
    facts = (case.close, case.reason, case.segment, case.exceptions, case.reworked)
    spool.put(number, name, case.started_at, case.ended_at, *facts, intervals)


def write(connection: Connection, baseline_id: str, spool: Spool) -> None:
    """Write what was kept, on an open transaction.

    Raises:
        LedgerUnavailableError: there was no space to keep it.
    """
    rows = spool.rows()
    while batch := list(islice(rows, _BATCH)):
        connection.execute(baseline_cases.insert(), [_case_row(baseline_id, row) for row in batch])
        intervals = [made for row in batch for made in _interval_rows(baseline_id, row)]
        if intervals:
            connection.execute(baseline_intervals.insert(), intervals)


def shared_names(connection: Connection, baseline_id: str) -> Sequence[tuple[int, int]]:
    """Traces of the same name: of each such name, the first and the last one.

    The database finds them, so that no memory has to hold all names.
    """
    there = baseline_cases.c
    first, last = func.min(there.case_no), func.max(there.case_no)
    named = select(first, last).where(there.baseline_id == baseline_id, there.name != "")
    found = named.group_by(there.name).having(func.count() > 1).order_by(first)
    return [(row[0], row[1]) for row in connection.execute(found)]


def _case_row(baseline_id: str, row: Sequence[Any]) -> Mapping[str, Any]:
    number, name, started, ended, close, reason, segment, exceptions, reworked, _ = row
    return {
        "baseline_id": baseline_id,
        "case_no": number,
        "name": name,
        "started_at": as_moment(started),
        "ended_at": as_moment(ended),
        "close": close,
        "reason": reason,
        "segment": segment,
        "exceptions": exceptions,
        "reworked": reworked,
    }


def _interval_rows(baseline_id: str, row: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    for seq, (item, step, kind, performer, ready, begun, done, ended) in enumerate(row[-1], 1):
        yield {
            "baseline_id": baseline_id,
            "case_no": row[0],
            "seq": seq,
            "item": item,
            "step": step,
            "kind": kind,
            "performer": performer,
            "ready_at": None if ready is None else as_moment(ready),
            "begun_at": None if begun is None else as_moment(begun),
            "done_at": None if done is None else as_moment(done),
            "ended": ended,
        }
