"""Trials of a rehearsal: what a new executor said of a past case, what was decided, and who would decide then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Self

from pydantic import BaseModel
from sqlalchemy import Connection

from observability.learning.rehearsal import Trial
from observability.ledger.autonomy import Grant, standing
from workers.rehearsing.pasts import Past
from workunits.core.autonomy import Autonomy, Facts, Level, Routing, route
from workunits.core.proposal import Asked, Standing, worth
from workunits.core.spec import Step
from workunits.core.unit import WorkUnit

_UNSAMPLED = 1 - 2**-53
"""The draw of a case that is in no sample."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the new executor said of one case."""

    output: dict[str, Any] | None = None
    raw: BaseModel | None = None
    """The same, as the step's type."""
    confidence: float | None = None
    executor: str = ""
    code: str = ""
    business: bool = False

    @property
    def failure(self) -> str:
        """Why there is no answer; empty: there is one, or a business exception."""
        return "" if self.business else self.code


@dataclass(frozen=True, slots=True)
class Heard:
    """A case, and what the new executor said of it."""

    past: Past
    said: Said
    took_us: int
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class Bench:
    """Sets what was said beside what was decided."""

    connection: Connection
    unit: type[WorkUnit]
    step: Step[Any, Any]
    held: list[Grant]

    def trial(self, heard: Heard) -> Trial:
        """One case."""
        step, past, said = self.step, heard.past, heard.said
        new = None if said.failure else _Result(said.output, said.code)
        old = _Result.known(past.old, past.old_code)
        decided = _Result.known(past.decided, past.decided_code)
        trial = Trial(
            case=past.case,
            code=said.failure,
            latency_us=heard.took_us,
            old_latency_us=past.latency_us,
            cost_usd=heard.cost_usd,
            agrees=_alike(step, decided, new),
            old_agrees=_alike(step, decided, old),
            independent=decided is not None and past.independent,
            same_as_old=_alike(step, old, new),
            was_auto=past.was_auto,
            cycle_us=past.cycle_us,
            measured_us=past.measured_us,
            whole_us=past.whole_us,
        )
        return self._routed(trial, past, said) if step.kind == "hybrid" and not said.business else trial

    def _routed(self, trial: Trial, past: Past, said: Said) -> Trial:
        """As if the case came again now, in today's version."""
        step = self.step
        asked = Asked(version=self.unit.version, segment=past.segment)
        grant = _in_force(self.held, asked.segment)
        signed = Standing(level=_declared(step))
        if grant is not None:
            signed = Standing(level=grant.level, threshold=grant.threshold, points=list(grant.points))
        holds = standing(self.connection, step, asked, said.executor) if said.executor else signed
        thought = _route(step, past, said, signed)
        veto = step.autonomy.veto if step.autonomy and signed.level == "A4" else None
        return replace(
            trial,
            why=thought.why,
            auto=thought.route == "auto",
            auto_today=_route(step, past, said, holds).route == "auto",
            waits_us=veto.span // timedelta(microseconds=1) if veto else 0,
        )


def _declared(step: Step[Any, Any]) -> Level:
    return (step.autonomy or Autonomy()).level


def _route(step: Step[Any, Any], past: Past, said: Said, holds: Standing) -> Routing:
    """Who would decide, were the case in no sample."""
    autonomy = step.autonomy or Autonomy()
    facts = Facts(
        level=holds.level,
        risk=autonomy.risk(past.what, said.raw) if said.raw is not None else "routine",
        confidence=worth(holds.points, said.confidence),
        threshold=holds.threshold,
        draw=_UNSAMPLED,
        blind=0.0,
        audit=0.0,
        dual=autonomy.dual,
        veto=autonomy.veto is not None,
        failed=said.code,
    )
    return route(facts)


def _in_force(held: list[Grant], segment: str) -> Grant | None:
    """The grant that is thought to be signed for the new executor: the segment's own, else that for all; the newest."""
    fitting = [one for one in reversed(held) if one.segment in ("", segment)]
    return max(fitting, key=lambda one: one.segment != "", default=None)


@dataclass(frozen=True, slots=True)
class _Result:
    """What someone came to: an output, or a business exception."""

    output: Mapping[str, Any] | None
    code: str = ""

    @classmethod
    def known(cls, output: Mapping[str, Any] | None, code: str) -> Self | None:
        """It; None when nothing is known of it."""
        return None if output is None and not code else cls(output, code)


def _alike(step: Step[Any, Any], one: _Result | None, other: _Result | None) -> bool | None:
    """Whether two came to the same, in the material fields; None when one of them is not known."""
    if one is None or other is None:
        return None
    if one.output is None or other.output is None:
        return one.code == other.code
    material = (step.autonomy.material if step.autonomy else ()) or tuple(step.gives.model_fields)
    return all(one.output.get(name) == other.output.get(name) for name in material)
