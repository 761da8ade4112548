"""What the people of open tasks are asked: the step's input, what led here, and what an answer looks like."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from temporalio.exceptions import ApplicationError

from .lifecycle import Task
from .machine import Said
from .proposal import Offered, hash_of, worth
from .spec import Step


class Questions:
    """Holds the questions of this run; they are asked again when the case goes on in a new one."""

    def __init__(self, steps: Mapping[str, Step[Any, Any]]) -> None:
        """Know the unit's steps."""
        self._steps = steps
        self._asked: dict[str, tuple[str, Said | None, Offered | None]] = {}

    def ask(self, task_id: str, what: str, because: Said | None, shown: Offered | None = None) -> None:
        """Keep a question, and the proposal that whoever answers it sees."""
        self._asked[task_id] = what, because, shown

    def withdraw(self, task_id: str) -> None:
        """Show nothing any more of what was proposed."""
        if task_id in self._asked:  # else: it is yet to be asked again in this run
            what, because, _ = self._asked[task_id]
            self._asked[task_id] = what, because, None

    def of(self, task: Task | None) -> dict[str, Any]:
        """The task, the step's input, and what led here.

        Raises:
            ApplicationError: `unknown_task`.
        """
        if task is None or not task.is_open:
            raise ApplicationError("there is no such open task in this case", type="unknown_task", non_retryable=True)
        what, because, shown = self._asked[task.id]
        step = self._steps[task.step]
        return {
            "task": task.model_dump(mode="json"),
            "asked": json.loads(what),
            "evidence": json.loads(because.evidence) if because and because.evidence else None,
            "proposal": _told(step, shown) if shown is not None else None,
            "answer_schema": step.gives.model_json_schema(),
            "waits": list(step.waits),
            "exceptions": [exception.code for exception in step.raises],
            "skippable": step.if_skipped is not None,
            "forwardable": step.forwardable,
        }


def _told(step: Step[Any, Any], shown: Offered) -> dict[str, Any]:
    """A proposal as the person sees it; how far to trust it is said by the calibrated confidence alone."""
    return {
        "output": shown.output,
        "hash": hash_of(step, shown),
        "confidence": worth(shown.standing.points, shown.confidence),
        "raw": shown.confidence,
        "alternatives": shown.alternatives,
        "evidence": shown.evidence,
        "executor": shown.executor,
        "level": shown.standing.level,
        "reasons": list(step.autonomy.reasons) if step.autonomy else [],
    }
