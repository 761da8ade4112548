"""Cases as JSON Lines: a case on each line, with all that the ledger keeps of it, under the ledger's own names."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from observability.export.reading import CASE_COLUMNS, IN_ORDER, CaseFile, columns_of

PARTS = tuple(IN_ORDER)
"""The parts of a case that are told here: all."""
_RENAMED = {"exceptions": "exception_count"}
"""A count in the case's row that would take the name of the rows it counts."""
_OF_CASE = {name: _RENAMED.get(name, name) for name in CASE_COLUMNS}
KEYS = (*_OF_CASE.values(), *PARTS, "input")
"""The keys of a line, in order; each is always there."""
_COLUMNS = {part: columns_of(part) for part in PARTS}


def lines_of(files: Iterable[CaseFile]) -> Iterator[bytes]:
    """Write a line for each case; durations are whole microseconds, times ISO 8601 in UTC."""
    for file in files:
        whole: dict[str, Any] = {key: _value(file.case[name]) for name, key in _OF_CASE.items()}
        for part, columns in _COLUMNS.items():
            whole[part] = [{name: _value(row[name]) for name in columns} for row in file.parts[part]]
        whole["input"] = _value(file.input)
        yield json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _value(value: Any) -> Any:
    """A value as JSON has it, which knows neither times nor what is no number."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {name: _value(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_value(item) for item in value]
    return value
