"""The routes of a step that gave no output: what the unit's rules say, written on the record with its time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .asking import EXPIRED
from .ended import Ended
from .record import Routed
from .spec import I, O, On, OnFailure, Step

if TYPE_CHECKING:
    from .course import Course
    from .machine import Said
    from .unit import WorkUnit


async def follow(
    course: Course, step: Step[I, O], key: str, what: I, said: Said, *, times: int, undoes: str | None
) -> O:
    """Go the way that the unit's rules declare; the output comes from whoever took over.

    Args:
        course: The case.
        step: The step that gave no output.
        key: Of its performance.
        what: Its input.
        said: Why there is no output.
        times: How often the step was performed with a mended input, plus one.
        undoes: The performance that it was to undo.

    Raises:
        Ended: no rule takes over, so the case closes.
    """
    rule = rule_for(course.unit, step, said)
    instead = step.instead if _is_silence(step, said) else rule.instead if rule else None
    repair = rule.repair if isinstance(rule, On) and times <= rule.times else None
    compensate = isinstance(rule, On) and rule.compensate
    to = instead or repair
    _note(course, key, said, to.name if to else "compensate" if compensate else "close")
    if instead is not None:
        return await course.take_over(instead, what, because=said, undoes=undoes)
    if repair is not None:
        mended = await course.take_over(repair, what, because=said)
        return await course.take_over(step, mended, redo_of=key, times=times + 1, undoes=undoes)
    if said.business:
        raise Ended("not_achieved", said.code, f"{key}: {said.code}", compensate=compensate)
    raise Ended("failed", "technical_failure", f"{key}: {said.code}{f': {said.why}' if said.why else ''}")


def _is_silence(step: Step[Any, Any], said: Said) -> bool:
    """Whether nobody answered in time: an exception, or a failure, may go by the same word and has rules of its own."""
    return said.code == EXPIRED and not said.business and step.instead is not None


def rule_for(unit: WorkUnit, step: Step[Any, Any], said: Said) -> On[Any, Any] | OnFailure[Any, Any] | None:
    """The unit's rule for what came of a step."""
    for rule in unit.rules:
        if rule.step == step and (
            (isinstance(rule, On) and said.business and rule.exception.code == said.code)
            or (isinstance(rule, OnFailure) and not said.business)
        ):
            return rule
    return None


def _note(course: Course, key: str, said: Said, to: str) -> None:
    """Write a route once: the case comes here again when it goes on in a new run."""
    routes = course.record.routes
    if not any(routed.key == key and routed.to != "incident" for routed in routes):
        routes.append(Routed(at=course.at(), key=key, code=said.code, business=said.business, to=to))
