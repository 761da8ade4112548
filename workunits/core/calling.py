"""A step that another unit performs: a case of its own, with its own outcome, promise and record.

Its time is this case's time: what the other case says of its own parts counts here as the same parts.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError
from temporalio import workflow
from temporalio.common import RawValue, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, ChildWorkflowError, FailureError, is_cancelled_exception

from .machine import Said
from .parts import slices
from .record import START_MEMO, Closed, StartNote, Work
from .sealed import require_open

if TYPE_CHECKING:
    from .course import Course
    from .record import Microseconds, Record
    from .spec import Step

NOT_STARTED = "unit_not_started"
"""The code when there is a case with that key already."""
FOREIGN = "unit_result_invalid"
"""The code when what came back is no close of a unit."""
LONGEST_KEY = 200
"""Characters of a business key."""
LONGEST_SPANS = 200
"""Parts of its time that a case tells the one that called it."""
_TOLERANCE = timedelta(seconds=1)
_CAUGHT_UP = "caller-catches-up"


async def have_unit_perform(course: Course, step: Step[Any, Any], work: Work, what: BaseModel) -> Said:
    """Have another unit perform a step, and read how its case closed."""
    key = step.case_key(what) if step.case_key is not None else f"{course.record.key or course.record.case}-{work.key}"
    if not 0 < len(key) <= LONGEST_KEY:
        work.done, work.end, work.code = course.at(), "failed", NOT_STARTED
        return Said(code=NOT_STARTED, why=f"its key would have {len(key)} characters, and may have 1 to {LONGEST_KEY}")
    work.child = f"{step.calls}:{key}"
    note = StartNote(key=key, by=f"case {course.record.case}"[:200], asked_at=course.record.when(work.ready))
    course.desk.changed = True
    course.machines.running += 1
    try:
        raw: RawValue = await workflow.execute_child_workflow(
            step.calls,
            what,
            id=work.child,
            result_type=RawValue,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            memo={START_MEMO: note.model_dump(mode="json")},
            parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL,
            static_summary=f"unit: {step.name}",
        )
    except FailureError as error:
        work.done = course.at()
        task = asyncio.current_task()
        if is_cancelled_exception(error) and task is not None and (task.cancelling() or course.branches.is_stopped()):
            work.end = "cancelled"
            raise
        return _failed(work, error)
    finally:
        course.machines.running -= 1
    require_open(raw)
    closed = _read(raw.payload.data)
    if closed is not None:
        await _catch_up(course, work, closed)
    work.done = course.at()
    return _closed(step, work, closed)


def spans_of(record: Record) -> list[tuple[str, Microseconds, Microseconds]]:
    """How a case spent its time, for the one that called it; nothing when that would be long."""
    spent = [(piece.part, piece.begin, piece.end) for piece in slices(record) if piece.begin < piece.end]
    return spent if len(spent) <= LONGEST_SPANS else []


def _read(data: bytes) -> Closed | None:
    try:
        return Closed.model_validate_json(data)
    except ValidationError:
        return None


async def _catch_up(course: Course, work: Work, closed: Closed) -> None:
    """Go on no earlier than the other case ended: in skipped time its clock may be ahead, in real time none is."""
    ended = work.ready + (closed.spans[-1][2] if closed.spans else 0)
    behind = timedelta(microseconds=ended - course.at())
    if behind > _TOLERANCE and workflow.patched(_CAUGHT_UP):
        await workflow.sleep(behind)


def _closed(step: Step[Any, Any], work: Work, closed: Closed | None) -> Said:
    if closed is None:
        work.end, work.code = "failed", FOREIGN
        return Said(code=FOREIGN)
    try:
        out = step.gives.model_validate(closed.result) if closed.result is not None else None
    except ValidationError:
        work.end, work.code = "failed", FOREIGN
        return Said(code=FOREIGN)
    _count_time(work, closed)
    if closed.close in ("achieved", "achieved_late") and out is not None:
        work.end = "done"
        return Said(out=out.model_dump_json())
    # A result with a missed outcome is a miss all the same: a rule of this unit says what follows.
    work.end, work.code = "exception", closed.reason or closed.close
    return Said(code=work.code, business=True)


def _count_time(work: Work, closed: Closed) -> None:
    """Lay the other case's parts over the time of this step."""
    end = work.done or work.ready
    begin = max(work.ready, end - (closed.spans[-1][2] if closed.spans else 0))
    work.inside = [
        (part, min(begin + a, end), min(begin + b, end)) for part, a, b in closed.spans if begin + a < end and a < b
    ]


def _failed(work: Work, error: FailureError) -> Said:
    cause = error.cause if isinstance(error, ChildWorkflowError) else error
    code = NOT_STARTED
    if isinstance(cause, ApplicationError):
        code = cause.type or "unit_failed"
    elif isinstance(error, ChildWorkflowError):
        code = "unit_cancelled" if is_cancelled_exception(error) else "unit_failed"
    work.end, work.code = "failed", code
    return Said(code=code)
