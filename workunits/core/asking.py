"""A human step: asks a person, or several, waits durably, and reads what came of it."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from temporalio import workflow

from .ended import Ended
from .errors import NoQuorum
from .lifecycle import Task
from .machine import Said

if TYPE_CHECKING:
    from .course import Course
    from .proposal import Offered
    from .spec import Step

EXPIRED = "expired"
"""The code of a step that nobody answered and another step takes over."""
_SILENT_VOTES = "a vote that nobody gives is silence"
"""Cases whose votes had expired before there was this went on without a quorum, as their histories say."""


async def ask(
    course: Course, step: Step[Any, Any], key: str, what: str, *, redo_of: str | None, because: Said | None
) -> Said:
    """Have a human step performed.

    Args:
        course: The case.
        step: The step.
        key: Of this performance.
        what: Its input as JSON.
        redo_of: The performance that it repeats.
        because: The exception that led here.

    Raises:
        Ended: nobody answered in time, or an admin cancelled the task.
    """
    if step.votes is not None:
        return await _ask_several(course, step, key, what, redo_of=redo_of, because=because)
    return await ask_one(course, step, key, what, redo_of=redo_of, because=because)


async def ask_one(
    course: Course,
    step: Step[Any, Any],
    key: str,
    what: str,
    *,
    redo_of: str | None,
    because: Said | None,
    shown: Offered | None = None,
    vote: str | None = None,
) -> Said:
    """Ask one person; the arguments are those of `ask`.

    Args:
        course: The case.
        step: The step.
        key: Of this performance.
        what: Its input as JSON.
        redo_of: The performance that it repeats.
        because: The exception that led here.
        shown: The proposal that the person sees.
        vote: The set that it belongs to, of which nobody may do two.

    Raises:
        Ended: nobody answered in time, or an admin cancelled the task.
    """
    work = course.work_on(step, key, redo_of, kind="human")
    task = course.desk.open(step, work, what, because, vote=vote, shown=shown)
    await workflow.wait_condition(lambda: not task.is_open)
    said = course.desk.answers.pop(task.id, None)
    if said is not None:
        return said
    if task.state == "cancelled":
        raise Ended("cancelled", "task_cancelled", f"{key}: its task was cancelled")
    return _expired(step, key)


def _expired(step: Step[Any, Any], key: str) -> Said:
    """What follows when nobody answered, by the step's own policy."""
    if step.by_default is not None:
        return Said(out=step.by_default.model_dump_json())
    if step.instead is not None:
        return Said(code=EXPIRED)
    raise Ended("expired", "no_answer", f"{key}: no {step.role} answered in time")


async def _ask_several(
    course: Course, step: Step[Any, Any], key: str, what: str, *, redo_of: str | None, because: Said | None
) -> Said:
    """Open a task for each vote; as soon as a quorum agrees, the others are asked no more."""
    votes = step.votes
    assert votes is not None  # noqa: S101 - the caller looked
    desk = course.desk
    works = [course.work_on(step, f"{key}-v{number}", redo_of) for number in range(1, votes.of + 1)]
    # One that was given before the case went on in a new run is not asked for again.
    tasks = [desk.open(step, work, what, because, vote=key) for work in works if work.done is None]
    ids = [f"{course.record.case}/{work.key}" for work in works]
    await workflow.wait_condition(lambda: _verdict(course, step, ids) is not None or not _open(tasks))
    said = _verdict(course, step, ids)
    desk.cancel(course.end_of_task(), _open(tasks))
    for task_id in ids:
        desk.answers.pop(task_id, None)
    if said is not None:
        return said
    # Whoever did not answer might have made the quorum, so this is silence, of which the step says what follows.
    if any(work.end == "expired" for work in works) and workflow.patched(_SILENT_VOTES):
        return _expired(step, key)
    return Said(code=NoQuorum.code, business=True)


def _open(tasks: list[Task]) -> list[Task]:
    return [task for task in tasks if task.is_open]


def _verdict(course: Course, step: Step[Any, Any], ids: list[str]) -> Said | None:
    """The answer that a quorum gave, or the exception that one of them met; None while it is undecided."""
    given = [course.desk.answers[task_id] for task_id in ids if task_id in course.desk.answers]
    met = next((said for said in given if said.out is None), None)
    if met is not None or step.votes is None:
        return met
    counted: Counter[str] = Counter()
    for said in given:
        vote = json.dumps(step.votes.on(step.gives.model_validate_json(said.out or "")), sort_keys=True, default=str)
        counted[vote] += 1
        if counted[vote] >= step.votes.quorum:
            return said
    return None
