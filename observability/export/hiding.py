"""An export without personal data: names become aliases, what people wrote and personal fields stay behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from observability.export.reading import CaseFile, Row
from observability.ledger.forgetting import CLOCK_TOLD, LISTED, NAMED
from workunits.core.personal import personal_fields, without_personal
from workunits.core.unit import WorkUnit

NAMES: Mapping[str, tuple[str, ...]] = {**NAMED, "evidence": ("recorded_by",)}
"""Where the rows of a case name people."""
WRITTEN: Mapping[str, tuple[str, ...]] = {
    "cases": ("why", "cancelled_by"),
    "incidents": ("why",),
    "evidence": ("source",),
    "corrections": ("why",),
    "clock_entries": CLOCK_TOLD,
}
"""Where they hold what people wrote."""


class Hiding:
    """Takes personal data out of the cases of one export."""

    def __init__(self, units: Iterable[type[WorkUnit]]) -> None:
        """Begin an export; the aliases count from 1.

        Args:
            units: Those that are known here; their case types say which fields of an input are personal.
        """
        self._types = {unit.unit_name: unit.case_type for unit in units}
        self._aliases: dict[str, str] = {}

    def apply(self, file: CaseFile) -> CaseFile:
        """A copy of a case without personal data; the same person has the same alias in all cases."""
        case = self._hidden("cases", file.case)
        model = self._types.get(case["unit"])
        if model is not None:
            personal = personal_fields(model)
            case["facts"] = {name: value for name, value in case["facts"].items() if name not in personal}
        # Of a unit that is not known here, nobody can say which fields are personal.
        given = without_personal(model, file.input) if model is not None else None
        parts = {part: [self._hidden(part, row) for row in rows] for part, rows in file.parts.items()}
        return replace(file, case=case, parts=parts, input=given)

    def _hidden(self, part: str, row: Row) -> Row:
        named: dict[str, Any] = {name: self._alias(row[name]) for name in NAMES.get(part, ())}
        named |= {name: [self._alias(one) for one in row[name]] for name in LISTED.get(part, ())}
        return row | named | dict.fromkeys(WRITTEN.get(part, ()))

    def _alias(self, name: str | None) -> str | None:
        return name and self._aliases.setdefault(name, f"person-{len(self._aliases) + 1}")
