"""How a hybrid step's performer proposes: the level that holds is read before the model is asked, and again after.

Whoever cannot say which level holds leaves the decision to a person.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel
from temporalio.exceptions import ApplicationError

from workunits.core.autonomy import STOPPED, Autonomy
from workunits.core.proposal import MOST, Asked, Offered, Standing, executor
from workunits.core.spec import Step

P = TypeVar("P", bound=BaseModel)

UNKNOWN = "autonomy_unknown"
"""Why a person decides alone: nobody could say which level holds."""

log = logging.getLogger(__name__)
_draw = random.SystemRandom()


@dataclass(frozen=True)
class Proposal(Generic[P]):
    """What a model proposes for a hybrid step; `Model.propose` makes one."""

    output: P
    confidence: float | None = None
    """As the model says it, 0 to 1; what it is worth is for the calibration to say."""
    alternatives: tuple[P, ...] = ()
    """At most five, the next best first."""
    evidence: tuple[str, ...] = ()
    """What of the input it rests on, in words; at most five."""
    model: str = ""
    prompt: str = ""
    """Version of the instructions."""
    tools: str = ""
    """Version of the tools that it was given; empty: none."""
    cost_usd: float | None = None
    tokens: int = field(default=0)


class Standings(Protocol):
    """Says which level holds."""

    async def of(self, step: Step[Any, Any], asked: Asked, executor: str) -> Standing:
        """The level of a step's model.

        Args:
            step: The hybrid step.
            asked: Version of its unit, and the case's segment.
            executor: Model, prompt and tools; empty before the model is asked.
        """
        ...


class Declared:
    """Where nobody has signed anything: the level that the unit declares."""

    async def of(self, step: Step[Any, Any], _: Asked, __: str) -> Standing:
        """The declared level."""
        return Standing(level=(step.autonomy or Autonomy()).level)


async def offer(
    step: Step[Any, Any], propose: Callable[[], Awaitable[Any]], asked: Asked, standings: Standings
) -> Offered:
    """Have a proposal made, unless the level says that no model is asked.

    Raises:
        ApplicationError: `bad_result`: the performer gave no proposal of the right type.
    """
    before = await _standing(step, asked, "", standings)
    if before.level == "A0":
        return Offered(standing=before)
    made = await propose()
    if not isinstance(made, Proposal) or not isinstance(made.output, step.gives):
        what = f"{step.activity} must give a Proposal of {step.gives.__name__}, not {type(made).__name__}"
        raise ApplicationError(what, type="bad_result", non_retryable=True)
    # Again: a model takes seconds, and meanwhile someone may have stopped it.
    standing = await _standing(step, asked, executor(made.model, made.prompt, made.tools), standings)
    return Offered(
        output=made.output.model_dump(mode="json"),
        confidence=made.confidence,
        alternatives=[one.model_dump(mode="json") for one in made.alternatives[:MOST]],
        evidence=[said[:500] for said in made.evidence[:MOST]],
        model=made.model,
        prompt=made.prompt,
        tools=made.tools,
        cost_usd=made.cost_usd,
        tokens=made.tokens,
        draw=_draw.random(),
        standing=standing,
    )


async def perform_unless_stopped(
    step: Step[Any, Any], run: Callable[[], Awaitable[Any]], asked: Asked, standings: Standings
) -> Any:
    """Have a step performed that is a model's alone, unless somebody has stopped its model.

    Raises:
        ApplicationError: `stopped`: it fails for good, and its failure rule says who takes over; `autonomy_unknown`:
            nobody can say whether it is, so it is tried again.
    """
    await _refuse_stopped(step, asked, standings)
    out = await run()
    # Again: a model takes seconds, and meanwhile someone may have stopped it.
    await _refuse_stopped(step, asked, standings)
    return out


async def _refuse_stopped(step: Step[Any, Any], asked: Asked, standings: Standings) -> None:
    why = (await _standing(step, asked, "", standings)).why
    if why == STOPPED:
        raise ApplicationError(f"the model of {step.activity} is stopped", type=STOPPED, non_retryable=True)
    if why == UNKNOWN:
        raise ApplicationError(f"nobody can say whether the model of {step.activity} is stopped", type=UNKNOWN)


async def _standing(step: Step[Any, Any], asked: Asked, executor: str, standings: Standings) -> Standing:
    try:
        return await standings.of(step, asked, executor)
    except Exception:  # whatever keeps the level from being known: a person decides
        log.exception("%s: nobody can say which level of autonomy holds, so its model decides nothing", step.activity)
        return Standing(level="A0", why=UNKNOWN)
