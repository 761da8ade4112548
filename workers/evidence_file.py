"""Evidence as people write it: on the command line, or in a CSV file, one piece on each line."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from observability.ledger.evidence import NoSuchCaseError, Told
from workunits.core.errors import BadInput

NEEDED = ("case", "measure", "value", "source")
_WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}


@dataclass(frozen=True, slots=True)
class Bad:
    """A line that was not taken."""

    line: int
    code: str
    message: str
    field: str = ""

    @staticmethod
    def explains(error: Exception) -> bool:
        """Whether an error is the line's own fault; others, such as a database that is down, end the run."""
        return isinstance(error, BadInput | NoSuchCaseError)

    @classmethod
    def of(cls, line: int, error: Exception) -> Bad:
        """Name the line."""
        return cls(line, str(getattr(error, "code", "unknown_case")), str(error), str(getattr(error, "field", "")))


def read_evidence(path: Path) -> Iterator[tuple[int, Told | Bad]]:
    """Read a CSV file line by line.

    Raises:
        BadInput: it lacks a column, or is not UTF-8 text.
        OSError: it cannot be read.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            reader = csv.DictReader(file)
            missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
            if missing:
                raise BadInput(f"the first line names no column {missing[0]}; needed are {', '.join(NEEDED)}")
            for row in reader:
                try:
                    yield reader.line_num, told_of(row)
                except BadInput as error:
                    yield reader.line_num, Bad.of(reader.line_num, error)
        except (UnicodeDecodeError, csv.Error) as error:
            raise BadInput(f"{path} is no CSV file in UTF-8: {type(error).__name__}", field="csv") from None


def told_of(fields: Mapping[str, str | None]) -> Told:
    """One piece of evidence.

    Raises:
        BadInput: names the field.
    """
    given = {name: (fields.get(name) or "").strip() for name in (*NEEDED, "occurred_at")}
    for name in NEEDED:
        if not given[name]:
            raise BadInput("is missing", field=name)
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
