"""A hybrid step: a model proposes, the route says who decides, and the record keeps both.

The proposal is a performance of its own, `<key>-ai`, by a machine; the decision is the step's, by a person unless the
route is `auto`. Whatever goes wrong with the model, a person decides, and the record says why.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from .asking import ask_one
from .autonomy import STOPPED, Autonomy, Facts, route
from .machine import Said, Since
from .proposal import AGAIN, WRONG, Asked, Offered, Proposed, digest, words_in, worth

if TYPE_CHECKING:
    from .course import Course
    from .spec import Step

AI = "-ai"
"""Behind the key of a performance: its proposal."""
DECOY = "-decoy"
"""Behind the key of a performance: what came of showing a decoy."""
UNFIT = "ai_output_invalid"
_BOTH = 2


@dataclass(frozen=True, slots=True)
class _Performance:
    """One performance of a hybrid step."""

    course: Course
    step: Step[Any, Any]
    key: str
    what: BaseModel
    redo_of: str | None
    because: Said | None

    @property
    def autonomy(self) -> Autonomy[Any, Any]:
        return self.step.autonomy or Autonomy()

    @property
    def first(self) -> str:
        """The key of the first of two decisions."""
        return f"{self.key}-v1"

    async def ask(
        self, step: Step[Any, Any], because: Said | None, shown: Offered | None, key: str = "", vote: str | None = None
    ) -> Said:
        """Ask a person, as `step` says."""
        what = self.what.model_dump_json()
        return await ask_one(
            self.course, step, key or self.key, what, redo_of=self.redo_of, because=because, shown=shown, vote=vote
        )


async def propose_and_decide(
    course: Course, step: Step[Any, Any], key: str, what: BaseModel, *, redo_of: str | None, because: Said | None
) -> Said:
    """Have a hybrid step performed.

    Args:
        course: The case.
        step: The step.
        key: Of this performance.
        what: Its input.
        redo_of: The performance that it repeats.
        because: The exception that led here.

    Raises:
        Ended: nobody answered in time, or an admin cancelled the task.
    """
    own = _Performance(course, step, key, what, redo_of, because)
    said = await _offer(own)
    if said.business:
        return said
    offered, output, failed = _read(step, said)
    proposed = course.record.proposal(key) or _propose(own, offered, output, failed)
    if output is not None and proposed.route == "auto":
        return await _decided(own, offered, output, proposed)
    shown = offered if proposed.shown else None
    if proposed.route == "dual_review" or own.first in course.aside:
        return await _ask_two(own, shown)
    if proposed.seeded and output is not None:
        said = await _ask_with_decoy(own, offered, output, proposed)
    else:
        said = await own.ask(step, because or (Said(code=failed) if failed else None), shown)
    return await _seconded(own, said, shown)


async def _offer(own: _Performance) -> Said:
    """What the model's activity gave, in this run of the case or an earlier one."""
    course, name = own.course, f"{own.key}{AI}"
    if own.step.name in course.record.stopped and name not in course.aside:
        course.aside[name] = Said(code=STOPPED)
    if name not in course.aside:
        work = course.work_on(own.step, name, own.redo_of, kind="ai")
        work.decides = False
        asked = Asked(version=course.unit.version, segment=course.record.segment or "")
        course.aside[name] = await course.machines.attempt(
            course, own.step, work, own.what, Since(work.ready, asked=asked)
        )
    return course.aside[name]


def _read(step: Step[Any, Any], said: Said) -> tuple[Offered, BaseModel | None, str]:
    """The offer, the proposed output, and why there is none."""
    if said.out is None:
        return Offered(), None, said.code
    try:
        offered = Offered.model_validate_json(said.out)
        if offered.output is None:
            return offered, None, offered.standing.why or "no_ai"
        return offered, step.gives.model_validate(offered.output), ""
    except ValidationError:
        return Offered(), None, UNFIT


def _propose(own: _Performance, offered: Offered, output: BaseModel | None, failed: str) -> Proposed:
    """Route a proposal and write it on the record, in the workflow task in which it arrived."""
    course, step, autonomy, standing = own.course, own.step, own.autonomy, offered.standing
    stopped = step.name in course.record.stopped
    # An attempt that failed says nothing of the level: what is declared is what has failed.
    level = autonomy.level if failed and output is None and offered == Offered() else standing.level
    facts = Facts(
        level="A0" if stopped else level,
        risk=autonomy.risk(own.what, output) if output is not None else "routine",
        confidence=worth(standing.points, offered.confidence),
        threshold=standing.threshold,
        draw=offered.draw,
        blind=autonomy.blind,
        audit=autonomy.audit,
        dual=autonomy.dual,
        veto=autonomy.veto is not None,
        stopped=stopped,
        failed=failed,
    )
    routed = route(facts)
    shown = routed.shown and output is not None
    proposed = Proposed(
        key=own.key,
        step=step.name,
        at=course.at(),
        input=digest(own.what),
        output=digest(output) if output is not None else "",
        executor=offered.executor if output is not None else "",
        level=facts.level,
        risk=facts.risk,
        raw=offered.confidence,
        confidence=facts.confidence,
        threshold=facts.threshold,
        calibration=standing.calibration,
        certificate=standing.certificate,
        route=routed.route,
        why=routed.why,
        sampled=routed.sampled,
        shown=shown,
        words=words_in([own.what.model_dump(mode="json"), offered.output, offered.evidence]) if shown else 0,
        seeded="shown" if routed.route == "review" and _is_seeded(autonomy, offered.draw) else "",
        cost_usd=offered.cost_usd,
        tokens=offered.tokens,
    )
    course.record.proposals.append(proposed)
    return proposed


def _is_seeded(autonomy: Autonomy[Any, Any], draw: float) -> bool:
    """Whether a review begins with a decoy: by the other end of the draw than blind samples and audits."""
    return autonomy.decoy is not None and draw >= 1 - autonomy.seeded


async def _decided(own: _Performance, offered: Offered, output: BaseModel, proposed: Proposed) -> Said:
    """What the model decided counts: at once or, where people may object, when the window for that is over."""
    veto = own.autonomy.veto
    if proposed.level == "A4" and veto is not None:
        window = replace(own.step, expires=veto, by_default=output, instead=None, start_by=None, finish_by=None)
        return await _seconded(own, await own.ask(window, None, offered), offered)
    own.course.work_on(own.step, f"{own.key}{AI}", None).decides = True
    return Said(out=output.model_dump_json())


async def _ask_with_decoy(own: _Performance, offered: Offered, output: BaseModel, proposed: Proposed) -> Said:
    """Show a proposal that is plainly wrong; whoever takes it over is asked again, with the real one."""
    aside, name = own.course.aside, f"{own.key}{DECOY}"
    decoy = own.autonomy.decoy
    if name not in aside and decoy is not None:
        wrong = decoy(own.what, output).model_dump(mode="json")
        shown = offered.model_copy(update={"output": wrong, "alternatives": []})
        aside[f"{own.key}{WRONG}"] = Said(out=json.dumps(wrong))
        aside[name] = await own.ask(own.step, own.because, shown)
    if proposed.seeded != "missed":
        return aside[name]
    return await own.ask(own.step, own.because, offered, f"{own.key}{AGAIN}")


async def _seconded(own: _Performance, said: Said, shown: Offered | None) -> Said:
    """What one person decided, unless it is of a class that takes two: the risk is that of the decision."""
    autonomy = own.autonomy
    if said.out is None or autonomy.risk(own.what, own.step.gives.model_validate_json(said.out)) not in autonomy.dual:
        return said
    own.course.aside[own.first] = said
    return await _ask_two(own, shown)


async def _ask_two(own: _Performance, shown: Offered | None) -> Said:
    """Two people decide, one after the other; where they differ, the accountable role does."""
    aside = own.course.aside
    said: list[Said] = []
    for place in (own.first, f"{own.key}-v2", f"{own.key}-v3"):
        step = own.step if len(said) < _BOTH else replace(own.step, role=own.step.accountable)
        if place not in aside:
            aside[place] = await own.ask(step, own.because, shown, place, own.key)
        said.append(aside[place])
        if said[-1].out is None or (len(said) == _BOTH and _same(own, *said)):
            break
    return said[-1]


def _same(own: _Performance, one: Said, other: Said) -> bool:
    """Whether two people decided alike, in what makes a decision another one."""
    first, second = (
        own.step.gives.model_validate_json(said.out or "").model_dump(mode="json") for said in (one, other)
    )
    return all(first.get(name) == second.get(name) for name in own.autonomy.material or tuple(first))
