"""A machine step: has its performer run by the platform, and reads what came of it."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError
from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception
from temporalio.exceptions import TimeoutError as StepTimeoutError

from .errors import BadInput
from .kept import Kept
from .record import TIMING, Failure, Microseconds, Work
from .sealed import require_open
from .strict_json import VALUE_LIMIT, parse

if TYPE_CHECKING:
    from .course import Course
    from .spec import Step

HEARTBEAT = timedelta(seconds=30)
"""A step that may run longer is heard from this often, or is given to another worker."""
TASK_LIMIT = 2 * 1024 * 1024
"""Bytes that one workflow task may send; over 4 MB the server terminates the case."""


class Said(Kept):
    """What came of a step: its output, or why there is none."""

    out: str | None = None
    """The output as JSON."""
    code: str = ""
    """The business exception, or the kind of technical failure."""
    business: bool = False
    evidence: str | None = None
    """What a business exception brought with it, as JSON."""


class Room:
    """Keeps what one workflow task sends within its limit."""

    def __init__(self) -> None:
        """Start empty."""
        self._sent = 0
        self._task = -1

    async def make(self, size: int) -> None:
        """Wait until a workflow task has room for `size` more bytes."""
        while True:
            task = workflow.info().get_current_history_length()
            if task != self._task:
                self._task, self._sent = task, 0
            if not self._sent or self._sent + size <= TASK_LIMIT:
                self._sent += size
                return
            await asyncio.sleep(0.001)


async def perform_machine_step(course: Course, step: Step[Any, Any], work: Work, what: BaseModel) -> Said:
    """Have a machine step performed and write its times on `work`."""
    try:
        raw = await _execute(step, work, what)
    except FailureError as error:
        if is_cancelled_exception(error):
            work.done, work.end = course.at(), "cancelled"
            raise
        return _failed(course, step, work, error)
    require_open(raw)
    timing = raw.payload.metadata.get(TIMING)
    if timing is None:
        return _foreign(course, step, work, raw)
    _write_times(course, step, work, json.loads(timing))
    work.end = "done"
    return Said(out=raw.payload.data.decode())


async def _execute(step: Step[Any, Any], work: Work, what: BaseModel) -> RawValue:
    summary = f"{step.kind}: {step.name}"
    retry = RetryPolicy(maximum_attempts=step.attempts, maximum_interval=timedelta(minutes=1))
    if step.inline:
        local: RawValue = await workflow.execute_local_activity(
            step.activity,
            what,
            result_type=RawValue,
            activity_id=work.key,
            start_to_close_timeout=step.timeout,
            retry_policy=retry,
            summary=summary,
        )
        return local
    regular: RawValue = await workflow.execute_activity(
        step.activity,
        what,
        result_type=RawValue,
        activity_id=work.key,
        start_to_close_timeout=step.timeout,
        heartbeat_timeout=HEARTBEAT if step.timeout > HEARTBEAT else None,
        retry_policy=retry,
        summary=summary,
    )
    return regular


def _foreign(course: Course, step: Step[Any, Any], work: Work, raw: RawValue) -> Said:
    """A result that no performer of ours sent, such as an operator's: checked here, its times unknown."""
    work.done = course.at()
    try:
        parse(step.gives, raw.payload.data, limit=VALUE_LIMIT)
    except BadInput:
        work.end, work.code = "failed", "bad_result"
        return Said(code="bad_result")
    work.end = "done"
    return Said(out=raw.payload.data.decode())


def _failed(course: Course, step: Step[Any, Any], work: Work, error: FailureError) -> Said:
    # An inline step's failure arrives bare, a regular one's wrapped in an ActivityError.
    cause = error.cause if isinstance(error, ActivityError) else error
    failure, code = Failure(), type(cause).__name__
    if isinstance(cause, ApplicationError):
        code = cause.type or code
        require_open(*cause.details)
        try:
            failure = Failure.model_validate(cause.details[0] if cause.details else {})
        except ValidationError:
            failure = Failure()
    elif isinstance(cause, StepTimeoutError):
        code = f"timeout_{cause.type.name.lower()}" if cause.type else "timeout"
    business = failure.business and code in {raised.code for raised in step.raises}
    if failure.timing:
        _write_times(course, step, work, failure.timing)
    else:
        work.retry.append((work.ready, course.at()))
        work.attempts = step.attempts
        work.done = course.at()
    work.end, work.code = "exception" if business else "failed", code
    return Said(code=code, business=business, evidence=failure.evidence if business else None)


def _write_times(course: Course, step: Step[Any, Any], work: Work, timing: list[Microseconds]) -> None:
    """Lay a performer's durations after the step's start.

    Durations and not times: a worker's clock may be wrong, and an inline step stops the workflow's own.
    """
    attempt, retried, waited, worked = timing
    began = work.ready + retried + waited
    if step.inline:
        course.pass_time(began + worked)
    work.done = course.at()
    began = min(began, work.done)
    if retried:
        work.retry.append((work.ready, min(work.ready + retried, began)))
    work.attempts = attempt
    work.work.append((began, min(began + worked, work.done)))
