"""What the people of open tasks are asked: the step's input, what led here, and what an answer looks like."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from temporalio.exceptions import ApplicationError

from .lifecycle import Task
from .machine import Said
from .spec import Step


class Questions:
    """Holds the questions of this run; they are asked again when the case goes on in a new one."""

    def __init__(self, steps: Mapping[str, Step[Any, Any]]) -> None:
        """Know the unit's steps."""
        self._steps = steps
        self._asked: dict[str, tuple[str, Said | None]] = {}

    def ask(self, task_id: str, what: str, because: Said | None) -> None:
        """Keep a question."""
        self._asked[task_id] = what, because

    def of(self, task: Task | None) -> dict[str, Any]:
        """The task, the step's input, and what led here.

        Raises:
            ApplicationError: `unknown_task`.
        """
        if task is None or not task.is_open:
            raise ApplicationError("there is no such open task in this case", type="unknown_task", non_retryable=True)
        what, because = self._asked[task.id]
        step = self._steps[task.step]
        return {
            "task": task.model_dump(mode="json"),
            "asked": json.loads(what),
            "evidence": json.loads(because.evidence) if because and because.evidence else None,
            "answer_schema": step.gives.model_json_schema(),
            "waits": list(step.waits),
            "exceptions": [exception.code for exception in step.raises],
            "skippable": step.if_skipped is not None,
            "forwardable": step.forwardable,
        }
