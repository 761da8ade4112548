"""Evidence as people write it: on the command line, or in a CSV file, one piece on each line."""

from __future__ import annotations

import csv
import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from observability.ledger.evidence import Told
from workunits.core.errors import BadInput

NEEDED = ("case", "measure", "value", "source")
_KNOWN = (*NEEDED, "occurred_at")
_WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}


@dataclass(frozen=True, slots=True)
class Bad:
    """A line that was not taken."""

    line: int
    code: str
    message: str
    field: str = ""

    @classmethod
    def of(cls, line: int, error: Exception) -> Bad:
        """Name the line."""
        return cls(
            line, str(getattr(error, "code", "") or "unknown_unit"), str(error), str(getattr(error, "field", ""))
        )


def read_evidence(path: Path) -> list[tuple[int, Told | Bad]]:
    """Read a CSV file to its end, so that nothing is kept of one that breaks off.

    Returns:
        Each line's number in the file, and what it tells.

    Raises:
        BadInput: it lacks a column or has one too many, or is not UTF-8 text.
        OSError: it cannot be read.
    """
    found: list[tuple[int, Told | Bad]] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            reader = csv.DictReader(file, strict=True)
            names = [name.strip() for name in reader.fieldnames or ()]
            _check_columns(names)
            reader.fieldnames = names
            for row in reader:
                try:
                    _check_width(row, len(names))
                    found.append((reader.line_num, told_of(row)))
                except BadInput as error:
                    found.append((reader.line_num, Bad.of(reader.line_num, error)))
        except (UnicodeDecodeError, csv.Error) as error:
            raise BadInput(f"{path} is no CSV file in UTF-8: {error}", field="--csv") from None
    return found


def _check_columns(names: list[str]) -> None:
    missing = [name for name in NEEDED if name not in names]
    if missing:
        why = f"the first line names no column {missing[0]}; needed are {', '.join(NEEDED)}, separated by commas"
        raise BadInput(why, field="--csv")
    strange = [name for name in names if name not in _KNOWN]
    if strange:  # a misspelt occurred_at would date all evidence today
        near = difflib.get_close_matches(strange[0], _KNOWN, n=1)
        remedy = f"did you mean {near[0]}?" if near else "take it out"
        raise BadInput(f"column {names.index(strange[0]) + 1} is none of {', '.join(_KNOWN)}; {remedy}", field="--csv")


def _check_width(row: Mapping[str | None, str | list[str] | None], columns: int) -> None:
    """Refuse what a decimal comma moves one column on: `1,5` would be told as 1, with 5 as its source."""
    surplus = row.get(None) or ()  # where the reader leaves what is beyond the header
    if any(cell.strip() for cell in surplus):
        why = f"there are {columns + len(surplus)}, more than the {columns} columns; quote a value that has a comma"
        raise BadInput(why, field="cells")


def told_of(fields: Mapping[str, str | None]) -> Told:
    """One piece of evidence.

    Raises:
        BadInput: names the field.
    """
    given = {name: " ".join((fields.get(name) or "").split()) for name in _KNOWN}
    for name, text in given.items():
        if name in NEEDED and not text:
            raise BadInput("is missing", field=name)
        if not text.isprintable():
            raise BadInput("should have no control characters", field=name)
    return Told(given["case"], given["measure"], _number(given["value"]), given["source"], _time(given["occurred_at"]))


def _number(text: str) -> float:
    try:
        value = _WORDS[text.lower()] if text.lower() in _WORDS else float(text)
    except ValueError:
        raise BadInput("should be a number, or yes or no", field="value") from None
    if not math.isfinite(value):
        raise BadInput("should be a finite number", field="value")
    return value


def _time(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput("should be a time such as 2026-01-31T12:00:00Z", field="occurred_at") from None
    if moment.tzinfo is None:
        raise BadInput("should have a zone, such as 2026-01-31T12:00:00Z", field="occurred_at")
    return moment
