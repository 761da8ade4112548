"""Compensation: what a case has done is undone, the last thing first, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, Field

from .ended import Ended
from .incidents import close_incidents
from .spec import Close

if TYPE_CHECKING:
    from .course import Course


class Ending(BaseModel):
    """How a case will close once all is undone; carried into its next run, which does not begin the work again."""

    close: Close
    reason: str
    why: str
    times: dict[str, int]
    """How often each step has been performed."""
    compensations: int = Field(default=0, exclude_if=lambda number: not number)
    """How many compensations the procedure had asked for before."""

    @classmethod
    def of(cls, ended: Ended, times: dict[str, int], compensations: int) -> Self:
        """What a rule that undoes has said."""
        return cls(close=ended.close, reason=ended.reason, why=ended.why, times=times, compensations=compensations)

    def as_ended(self) -> Ended:
        """What ends the case."""
        return Ended(self.close, self.reason, self.why)


def end_the_rest(course: Course) -> None:
    """End tasks and incidents of what will not be done any more.

    In a later run of the case people and operators may already be at what undoes it: that goes on.
    """
    undoing = {work.key for work in course.record.steps if work.undoes}
    desk, at = course.desk, course.at()
    desk.cancel(at, [task for task in desk.open_tasks() if desk.work_of(task).key not in undoing])
    close_incidents([incident for incident in course.record.incidents if incident.key not in undoing], at)


async def compensate(course: Course) -> None:
    """Perform the compensation of each step that is done and declares one, in reverse order of completion.

    One that fails for good does not keep the others from being undone.

    Raises:
        Ended: a compensation failed and no rule took over.
    """
    failed: Ended | None = None
    for key in _covered(course):
        step, out = course.step_of(key), course.done[key].out or ""
        assert step.compensated_by is not None  # noqa: S101 - by which it is covered
        try:
            await course.take_over(
                step.compensated_by, step.gives.model_validate_json(out), key=f"{key}-undo", undoes=key
            )
        except Ended as ended:
            failed = failed or ended
    if failed is not None:
        raise failed


def _covered(course: Course) -> list[str]:
    """The performances that this compensation undoes: in a later run of the case, those that it undid before.

    What was done since then stands: the procedure comes here again on its way to where it was.
    """
    course.compensations += 1
    if course.compensations > len(course.undone):
        past = {key for each in course.undone for key in each} | {w.key for w in course.record.steps if w.undoes}
        course.undone.append(
            [
                key
                for key, said in reversed(course.done.items())
                if said.out is not None and key not in past and course.step_of(key).compensated_by is not None
            ]
        )
    return course.undone[course.compensations - 1]
