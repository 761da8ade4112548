"""What the four-element test says of a class, as data: for `workunits check` and whatever reads its JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from workunits.core.errors import DefinitionError
from workunits.core.gate import Element, Problem, examine
from workunits.core.gate_workflow import is_workflow
from workunits.core.unit import WorkUnit
from workunits.registry import definition_hash, describe

_WHOLE = frozenset({("outcome", "outcome"), ("logic", "work"), ("structure", "steps"), ("learning", "learning")})
"""Findings that say that a whole element is not there."""


@dataclass(frozen=True)
class Report:
    """One class and what was found."""

    where: str
    """`module:Class`."""
    kind: Literal["unit", "workflow", "class"]
    problems: tuple[Problem, ...]
    unit: type[WorkUnit] | None = None
    """The unit, when it has loaded."""

    @property
    def open(self) -> tuple[Problem, ...]:
        """The design decisions without which it does not load."""
        return tuple(problem for problem in self.problems if not problem.warning)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What does not keep it from loading."""
        return tuple(problem for problem in self.problems if problem.warning)

    @property
    def missing(self) -> list[Element]:
        """The elements that cannot be found at all."""
        return [problem.element for problem in self.open if (problem.element, problem.field) in _WHOLE]

    def as_json(self) -> dict[str, Any]:
        """As an object."""
        return {
            "class": self.where,
            "kind": self.kind,
            "ok": not self.open,
            "definition": definition_hash(self.unit) if self.unit else None,
            "missing": self.missing,
            "problems": self.problems,
            "unit": describe(self.unit) if self.unit else None,
        }


def report_on(cls: type[Any]) -> Report:
    """Examine any class."""
    where = f"{cls.__module__}:{cls.__qualname__}"
    problems = tuple(examine(cls))
    if issubclass(cls, WorkUnit) and cls is not WorkUnit:
        return Report(where, "unit", problems, cls)
    return Report(where, "workflow" if is_workflow(cls) else "class", problems)


def reports_around(modules: Sequence[str], allowed: Iterable[str] | None) -> list[Report]:
    """Where a unit does not load: what is known of it, after the units of all packages that do."""
    from workers.catalog import load_catalog

    found: dict[str, Report] = {}
    refused: dict[str, Report] = {}
    for chosen, installed in ((), ()), ((), allowed), *(((module,), ()) for module in modules):
        try:
            for unit in load_catalog(chosen, installed):
                found.setdefault(unit.unit_name, report_on(unit))
        except DefinitionError as error:
            refused[error.unit] = report_of_refusal(error)
    return [*found.values(), *refused.values()]


def report_of_refusal(error: DefinitionError) -> Report:
    """What is known of a unit that does not load."""
    return Report(error.unit, "unit", error.problems)
