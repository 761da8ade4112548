"""Four eyes: who may not do a task, because they performed what it checks or decide beside it."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from temporalio import workflow

from .proposal import AGAIN

if TYPE_CHECKING:
    from .lifecycle import Task
    from .record import Record
    from .spec import Step

_PERFORMED = ("done", "exception", "skipped")
"""Ends of a task that are somebody's deed; who only held one that was cancelled or expired has performed nothing."""
_AGAIN_COUNTS = "whoever is asked again is one of the two"
_DELEGATES_COUNT = "whoever a task was delegated to has performed it"
"""Cases in which somebody acted before there were these go on with them, as their histories say."""


def excluded(record: Record, task: Task, step: Step[Any, Any]) -> list[str]:
    """Who may not do a task: who performed what it checks, and who votes beside it."""
    if not step.excludes and task.vote is None:
        return []
    checked = {other.name for other in step.excludes}
    # By the record: tasks that have ended do not travel into the next run.
    performed = [
        work
        for work in record.steps
        if work.end in _PERFORMED and (work.step in checked or _is_of(task.vote, work.key))
    ]
    names = {name for work in performed for name in (work.by, work.acting_for) if name}
    return sorted(names | _delegates(record, [work.key for work in performed], names))


def _is_of(vote: str | None, key: str) -> bool:
    """Whether a performance belongs to a set of decisions, of which nobody may take two."""
    if vote in (key, key.rpartition("-v")[0]):
        return True
    # What was decided after a decoy that nobody noticed is the first of two decisions, too.
    return vote == key.removesuffix(AGAIN) and workflow.patched(_AGAIN_COUNTS)


def _delegates(record: Record, keys: Collection[str], names: Collection[str]) -> set[str]:
    """Who else did these: the record of the work names whoever signed it off, not who handed it back to them."""
    others: dict[str, set[str]] = {key: set() for key in keys}
    for acted in record.actions:
        if acted.task in others and acted.action == "resolve":
            others[acted.task] |= {name for name in (acted.by, acted.acting_for) if name and name not in names}
        elif acted.task in others and acted.state == "ready":
            others[acted.task].clear()  # whoever has it next does it anew
    found = set().union(*others.values())
    return found if found and workflow.patched(_DELEGATES_COUNT) else set()
