"""Compensation: what a case has done is undone, the last thing first, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

from .ended import Ended
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

    def as_ended(self) -> Ended:
        """What ends the case."""
        return Ended(self.close, self.reason, self.why)


async def compensate(course: Course) -> None:
    """Perform the compensation of each step that is done and declares one, in reverse order of completion.

    One that fails for good does not keep the others from being undone.

    Raises:
        Ended: a compensation failed and no rule took over.
    """
    failed: Ended | None = None
    undoing = {work.key for work in course.record.steps if work.undoes}
    for key, said in reversed(list(course.done.items())):
        step = course.step_of(key)
        undo = step.compensated_by
        if undo is None or said.out is None or key in course.undone or key in undoing:
            continue
        course.undone.append(key)
        try:
            await course.take_over(undo, step.gives.model_validate_json(said.out), key=f"{key}-undo", undoes=key)
        except Ended as ended:
            failed = failed or ended
    if failed is not None:
        raise failed
