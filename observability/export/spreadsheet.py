"""Cases, their steps or their events as CSV (RFC 4180), safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from typing import Any, Literal

from observability.export.events import NEEDED, Event, events_of
from observability.export.reading import CASE_COLUMNS, CaseFile, Row, columns_of

Table = Literal["cases", "steps", "events"]
PARTS: dict[str, tuple[str, ...]] = {"cases": (), "steps": ("steps",), "events": NEEDED}
"""The parts of a case that each table is made from."""
_IDENTITY = ("case_id", "unit", "version", "business_key")
"""What the rows of steps and events begin with."""
_STEP_COLUMNS = tuple(name for name in columns_of("steps") if name != "intervals")
_EVENT_COLUMNS = tuple(field.name for field in fields(Event))
_DURATION = "_us"
_FORMULA = frozenset("=+-@\t\r\n＝＋－＠")  # noqa: RUF001, spreadsheets take the wide signs for the narrow ones


def header(table: Table) -> list[str]:
    """The names of a table's columns; durations are in seconds."""
    of_row = {"cases": CASE_COLUMNS, "steps": (*_IDENTITY, *_STEP_COLUMNS), "events": (*_IDENTITY, *_EVENT_COLUMNS)}
    return [_column(name) for name in of_row[table]]


def rows_of(files: Iterable[CaseFile], table: Table) -> Iterator[bytes]:
    """Write a table piece by piece, its header first; UTF-8, lines end with CR LF."""
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(header(table))
    for file in files:
        writer.writerows(_rows(file, table))
        yield _taken(text)
    yield _taken(text)


def _rows(file: CaseFile, table: Table) -> Iterator[list[Any]]:
    case = file.case
    if table == "cases":
        yield _cells(case, CASE_COLUMNS)
        return
    identity = _cells(case, _IDENTITY)
    if table == "steps":
        for step in file.parts["steps"]:
            yield [*identity, *_cells(step, _STEP_COLUMNS)]
    else:
        for event in events_of(file):
            yield [*identity, *(_cell(name, getattr(event, name)) for name in _EVENT_COLUMNS)]


def _cells(row: Row, columns: Sequence[str]) -> list[Any]:
    return [_cell(name, row[name]) for name in columns]


def _column(name: str) -> str:
    return f"{name.removesuffix(_DURATION)}_seconds" if name.endswith(_DURATION) else name


def _cell(name: str, value: Any) -> Any:
    """A value as a cell; a text that a spreadsheet would take for a formula gets an apostrophe in front."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{Decimal(value).scaleb(-6):.6f}" if name.endswith(_DURATION) else value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    text = str(value)
    return f"'{text}" if text[:1] in _FORMULA else text


def _taken(text: StringIO) -> bytes:
    piece = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return piece
