"""A machine step: has its performer run by the platform, and reads what came of it."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic.dataclasses import dataclass
from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception
from temporalio.exceptions import TimeoutError as StepTimeoutError

from .errors import BadInput
from .proposal import Asked, Offered
from .record import TIMING, Failure, Microseconds, Work
from .sealed import require_open
from .strict_json import VALUE_LIMIT, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .course import Course
    from .spec import Step

HEARTBEAT = timedelta(seconds=30)
"""A step that may run longer is heard from this often, or is given to another worker."""
TASK_LIMIT = 2 * 1024 * 1024
"""Bytes that one workflow task may send; over 4 MB the server terminates the case."""


@dataclass(slots=True, kw_only=True)
class Said:
    """What came of a step: its output, or why there is none."""

    out: str | None = None
    """The output as JSON."""
    code: str = ""
    """The business exception, or the kind of technical failure."""
    business: bool = False
    evidence: str | None = None
    """What a business exception brought with it, as JSON."""
    why: str | None = None
    """The reason of an operator who let it fail."""


class Since(NamedTuple):
    """When a try of a step began, how many attempts earlier tries had taken, and what its performer is told."""

    at: Microseconds
    attempts: int = 0
    asked: Asked | None = None


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


class Machines:
    """Has machine steps tried, and knows how many run."""

    def __init__(self) -> None:
        """Start with none."""
        self.running = 0
        self.undoable = 0
        """How many of them could be undone."""
        self._room = Room()

    async def attempt(self, course: Course, step: Step[Any, Any], work: Work, what: BaseModel, since: Since) -> Said:
        """Have a step tried, as often as it may be."""
        size = len(what.model_dump_json().encode())
        if size > VALUE_LIMIT:
            work.done, work.end, work.code = course.at(), "failed", "too_large"
            return Said(code="too_large")
        await self._room.make(size)
        undoable = int(step.compensated_by is not None)
        self.running += 1
        self.undoable += undoable
        try:
            return await perform_machine_step(course, step, work, what, since)
        finally:
            self.running -= 1
            self.undoable -= undoable


async def perform_machine_step(course: Course, step: Step[Any, Any], work: Work, what: BaseModel, since: Since) -> Said:
    """Have a machine step performed and write its times on `work`."""
    try:
        raw = await _execute(step, work, [what] if since.asked is None else [what, since.asked])
    except FailureError as error:
        if is_cancelled_exception(error):
            work.done, work.end = course.at(), "cancelled"
            raise
        return _failed(course, step, work, error, since)
    require_open(raw)
    timing = raw.payload.metadata.get(TIMING)
    if timing is None:
        return _foreign(course, step, work, raw)
    _write_times(course, step, work, json.loads(timing), since)
    work.end = "done"
    return Said(out=raw.payload.data.decode())


async def _execute(step: Step[Any, Any], work: Work, given: Sequence[BaseModel]) -> RawValue:
    summary = f"{work.kind}: {step.name}"
    retry = RetryPolicy(maximum_attempts=step.attempts, maximum_interval=timedelta(minutes=1))
    if step.inline:
        local: RawValue = await workflow.execute_local_activity(
            step.activity,
            args=given,
            result_type=RawValue,
            activity_id=work.key,
            start_to_close_timeout=step.timeout,
            retry_policy=retry,
            summary=summary,
        )
        return local
    regular: RawValue = await workflow.execute_activity(
        step.activity,
        args=given,
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
        parse(Offered if step.kind == "hybrid" else step.gives, raw.payload.data, limit=VALUE_LIMIT)
    except BadInput:
        work.end, work.code = "failed", "bad_result"
        return Said(code="bad_result")
    work.end = "done"
    return Said(out=raw.payload.data.decode())


def _failed(course: Course, step: Step[Any, Any], work: Work, error: FailureError, since: Since) -> Said:
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
        _write_times(course, step, work, failure.timing, since)
    else:
        work.retry.append((since.at, course.at()))
        work.attempts = since.attempts + step.attempts
        work.done = course.at()
    work.end, work.code = "exception" if business else "failed", code
    return Said(code=code, business=business, evidence=failure.evidence if business else None)


def _write_times(course: Course, step: Step[Any, Any], work: Work, timing: list[Microseconds], since: Since) -> None:
    """Lay a performer's durations after the try's start.

    Durations and not times: a worker's clock may be wrong, and an inline step stops the workflow's own.
    """
    attempt, retried, waited, worked = timing
    began = since.at + retried + waited
    if step.inline:
        course.pass_time(began + worked)
    work.done = course.at()
    began = min(began, work.done)
    if retried:
        work.retry.append((since.at, min(since.at + retried, began)))
    work.attempts = since.attempts + attempt
    work.work.append((began, min(began + worked, work.done)))
