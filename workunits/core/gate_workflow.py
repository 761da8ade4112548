"""What a plain Temporal workflow gives away about the unit that could be made of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .gate_code import names_in_code
from .gate_facts import fact, name_of


def is_workflow(cls: type[Any]) -> bool:
    """Whether it is a Temporal workflow."""
    return fact(cls, "__temporal_workflow_definition") is not None


def clues(cls: type[Any]) -> dict[str, str]:
    """For each element what the workflow's own code suggests to ask; empty when the class is no workflow."""
    definition = fact(cls, "__temporal_workflow_definition")
    if definition is None:
        return {}
    found = {"logic": " Its run() is where to begin"}
    result = fact(definition, "ret_type")
    if result is not None and result is not type(None):
        found["outcome"] = f" Its run() gives {name_of(result)}: what is true of it when the work is done?"
    names = names_in_code(cls)
    asked = []
    if names & {"execute_activity", "execute_activity_method", "execute_local_activity", "start_activity"}:
        asked.append(" Each activity that it executes becomes a step")
    waits = _named([*(fact(definition, "signals") or ()), *(fact(definition, "updates") or ())])
    if waits:
        asked.append(f" It waits for {waits}: who sends that, and which role answers for it?")
    if asked:
        found["structure"] = ".".join(asked)
    return found


def _named(names: Iterable[object]) -> str:
    return " and ".join(sorted(name for name in names if isinstance(name, str)))
