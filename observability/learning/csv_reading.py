"""CSV logs: a row per event, or per piece of work; the rows of a case may stand anywhere in the file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import groupby
from pathlib import Path
from sqlite3 import OperationalError, connect
from typing import BinaryIO

from observability.learning.log_times import TimeError, Times
from observability.learning.logs import Event, LogError, Remarks, Trace
from observability.learning.mapping import Columns, LogMap, near
from observability.learning.spool import NO_SPACE
from observability.ledger.store import LedgerUnavailableError

_DELIMITERS = ",;\t|"
_BATCH = 5_000
_MADE = "CREATE TABLE event (name, line INTEGER, at INTEGER, activity, transition, resource, instance, segment)"
# SQLite sorts in a temporary file of its own, so that a log of any size fits into memory.
_SORTED = """
    SELECT event.* FROM event JOIN (SELECT name, min(line) AS first FROM event GROUP BY name) USING (name)
    ORDER BY first, line, event.rowid
"""
Row = tuple[str, int, int, str, str | None, str | None, str | None, str | None]


def read_csv(path: Path, stream: BinaryIO, mapping: LogMap, remarks: Remarks) -> Iterator[Trace]:
    """Read the whole log into a temporary file, then give its traces in the order of their first rows.

    Raises:
        LogError: a column or a value is missing or misfits; names the line.
        LedgerUnavailableError: the folder of temporary files is full.
    """
    if mapping.csv is None:
        raise LogError(path, "a CSV log needs a map with [csv] case, activity and time, each the name of a column")
    reader = _Reader(path, mapping.csv, mapping, remarks)
    with closing(connect("")) as sorting:
        try:
            sorting.execute(_MADE)
            for batch in _batches(reader.rows(stream)):
                sorting.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?)", batch)
            rows = sorting.execute(_SORTED)
            for number, (name, group) in enumerate(groupby(rows, key=lambda row: row[0]), 1):
                yield _trace(number, name, list(group))
        except OperationalError as error:
            if "full" in str(error):
                raise LedgerUnavailableError(NO_SPACE) from None
            raise


def _trace(number: int, name: str, rows: list[Row]) -> Trace:
    events = [Event(row[3], row[4], row[2], row[5], row[6]) for row in rows]
    return Trace(number, name, next((row[7] for row in rows if row[7]), None), events)


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    yield batch


class _Reader:
    def __init__(self, path: Path, columns: Columns, mapping: LogMap, remarks: Remarks) -> None:
        self._path, self._columns = path, columns
        self._times = Times(mapping.zone, columns.time_format, remarks.counts)
        self._segment = mapping.segment.attribute if mapping.segment else ""
        self._line = 1

    def rows(self, stream: BinaryIO) -> Iterator[Row]:
        text = io.TextIOWrapper(stream, encoding=self._columns.encoding, newline="")
        try:
            header = text.readline()
            wanted = self._wanted()
            delimiter = self._columns.delimiter or _delimiter(header, list(wanted.values()))
            names = next(csv.reader([header], delimiter=delimiter))
            at = {field: self._column(names, name) for field, name in wanted.items()}
            lines = csv.reader(text, delimiter=delimiter, strict=True)
            for cells in lines:
                self._line = lines.line_num + 1
                if cells:
                    yield from self._events(self._cells(cells, at, len(names)))
        except UnicodeDecodeError:
            raise self._refusal("not such text as the map says; name csv.encoding", beyond=True) from None
        except csv.Error as error:
            raise self._refusal(f"not CSV: {error}", beyond=True) from None

    def _wanted(self) -> dict[str, str]:
        """The columns by what they are for."""
        fields = ("case", "activity", "time", "start", "schedule", "transition", "resource", "instance")
        wanted = {field: str(getattr(self._columns, field)) for field in fields} | {"segment": self._segment}
        return {field: name for field, name in wanted.items() if name}

    def _column(self, names: list[str], name: str) -> int:
        there = names.count(name)
        if there == 1:
            return names.index(name)
        known = [column[:60] for column in names[:40]]
        why = "twice" if there else f"not; {near(name, known)}"
        raise LogError(self._path, f"the map names the column {name!r}, which the log has {why}")

    def _cells(self, cells: list[str], at: Mapping[str, int], columns: int) -> dict[str, str]:
        if len(cells) <= max(at.values()):
            raise self._refusal(f"has {len(cells)} column(s), fewer than the header")
        if any(cell.strip() for cell in cells[columns:]):  # an unquoted comma would move what stands behind it
            why = "quote a value that holds the delimiter"
            raise self._refusal(f"has {len(cells)} column(s), more than the header's {columns}; {why}")
        return {field: cells[number].strip() for field, number in at.items()}

    def _events(self, there: Mapping[str, str]) -> Iterator[Row]:
        for field in ("case", "activity"):
            if not there[field]:
                raise self._refusal(f"its column {getattr(self._columns, field)!r} is empty")
        by_event = not (self._columns.start or self._columns.schedule)
        moments = {"time": there.get("transition") or None} if by_event else {}
        if not by_event:
            moments = {"schedule": "schedule", "start": "start", "time": "complete"}
        filled = {field: meaning for field, meaning in moments.items() if there.get(field)}
        if not filled or (by_event and not there["time"]):
            raise self._refusal(f"its column {self._columns.time!r} is empty; every event needs its time")
        instance = there.get("instance") or (None if by_event else f"line {self._line}")
        for field, meaning in filled.items():
            at = self._time(there[field], field)
            tail = (meaning, there.get("resource") or None, instance, there.get("segment") or None)
            yield (there["case"], self._line, at, there["activity"], *tail)

    def _time(self, text: str, field: str) -> int:
        try:
            return self._times.read(text)
        except TimeError as error:
            raise self._refusal(f"its column {getattr(self._columns, field)!r} {error}") from None

    def _refusal(self, why: str, *, beyond: bool = False) -> LogError:
        """An error at the last line read, or at what follows it."""
        return LogError(self._path, f"{'after ' if beyond else ''}line {self._line}: {why}")


def _delimiter(header: str, wanted: list[str]) -> str:
    """The one with which the header has the most of the columns that the map names."""

    def fits(delimiter: str) -> int:
        return len(set(wanted) & set(next(csv.reader([header], delimiter=delimiter), [])))

    return max(_DELIMITERS, key=fits)
