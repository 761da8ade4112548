"""What follows a machine step's last attempt, when its unit declares an incident: the case waits for an operator."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from temporalio import workflow

from .approving import approval
from .incidents import Incident, settle, tell_from_holds
from .machine import Said, Since
from .record import Microseconds, Routed, Work
from .routes import rule_for

if TYPE_CHECKING:
    from pydantic import BaseModel

    from .course import Course
    from .spec import Step


async def perform_or_wait(course: Course, step: Step[Any, Any], work: Work, what: BaseModel) -> Said:
    """Have a machine step performed; where it declares an incident and fails for good, wait for what is decided.

    Args:
        course: The case.
        step: The step.
        work: The record of this performance, which earlier runs of the case may have begun.
        what: Its input.
    """
    incident = course.record.incident(f"{course.record.case}/{work.key}")
    since = Since(work.ready, asked=approval(course, step))
    while True:
        if incident is not None:
            # It may have been decided before: messages of a run's first task come before the work.
            await _decided(course, incident, work)
            if incident.state != "retrying":
                return course.desk.answers.pop(f"{course.record.case}/{work.key}")
            since = Since(course.at(), incident.attempts, since.asked)
        said = await course.machines.attempt(course, step, work, what, since)
        failed = said.out is None and not said.business
        if incident is None and (not failed or step.after == "fail" or rule_for(course.unit, step, said)):
            return said
        incident = _open(course, step, work, said) if incident is None else _tried(course, incident, work, said)
        if not failed:
            return said
        _hold(work, course.at())


def let_go(work: Work, at: Microseconds) -> None:
    """End the hold of a step's work."""
    if work.since is not None:
        work.held.append((work.since, max(at, work.since)))
        work.since = work.now = None


async def _decided(course: Course, incident: Incident, work: Work) -> None:
    """Wait for an operator, or until the case is ended meanwhile."""
    try:
        await workflow.wait_condition(lambda: incident.state != "open")
    except asyncio.CancelledError:
        # Not `finally`: a worker that drops a case from its memory ends this elsewhere, where no clock is.
        let_go(work, course.at())
        raise
    let_go(work, course.at())


def _open(course: Course, step: Step[Any, Any], work: Work, said: Said) -> Incident:
    at = course.at()
    incident = Incident(key=work.key, step=step.name, code=said.code, at=at, attempts=work.attempts)
    tell_from_holds([incident], course.unit.promised)
    course.record.incidents.append(incident)
    course.record.routes.append(Routed(at=at, key=work.key, code=said.code, business=False, to="incident"))
    course.desk.changed = True
    return incident


def _tried(course: Course, incident: Incident, work: Work, said: Said) -> Incident:
    """It is resolved only now, when the step has really succeeded."""
    succeeded = said.out is not None or said.business
    settle(incident, course.at(), succeeded=succeeded)
    incident.attempts = work.attempts
    if not succeeded:
        incident.code = said.code
    course.desk.changed = True
    return incident


def _hold(work: Work, at: Microseconds) -> None:
    """Nobody works on it until someone has decided: that time is idle."""
    ended = max((b for _, b in (*work.work, *work.retry, *work.held)), default=at)
    work.since, work.now = min(ended, at), "suspended"
    work.done = work.end = work.code = None
