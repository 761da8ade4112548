"""How far a model may go: the autonomy levels, and the route of a proposal as a pure function.

The levels and the table are those of the semantics, section 3. What a case says never gets here: the level comes from
what people have signed, the risk class from rules of the unit, and the draw from the worker's own random numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, NamedTuple, TypeVar, get_args

from pydantic import BaseModel

from .promise import Elapsed

I = TypeVar("I", bound=BaseModel)
O = TypeVar("O", bound=BaseModel)

Level = Literal["A0", "A1", "A2", "A3", "A4", "A5"]
"""No AI; shadow; suggest; approve; auto with a veto window; auto."""
LEVELS: tuple[str, ...] = get_args(Level)
DECLARABLE: tuple[str, ...] = ("A0", "A1", "A2", "A3")
"""What a definition may declare: a person decides. The others are signed for, with a certificate."""

Risk = Literal["routine", "over_limit", "external", "irreversible"]
"""The class of what would be done; only routine acts may go without a person."""
RISKS: tuple[str, ...] = get_args(Risk)

Route = Literal["auto", "review", "dual_review", "human_only"]
ROUTES: tuple[str, ...] = get_args(Route)

FEWEST_UNSEEN = 0.05
"""The share of proposals to be judged blind or audited, at every level; with less no certificate is earned or kept."""

STOPPED = "stopped"
"""Why a person decides alone: the step's autonomy was stopped."""


def routine(_: Any, __: Any) -> Risk:
    """Every act of the step is routine."""
    return "routine"


@dataclass(frozen=True, slots=True)
class Autonomy(Generic[I, O]):
    """What a hybrid step declares of its model."""

    level: Level = "A2"
    """Where it begins, at most A3; a certificate that the accountable person signs raises it."""
    risk: Callable[[I, O], Risk] = routine
    """The risk class of doing what is proposed, from input and output. Pure."""
    dual: tuple[Risk, ...] = ("irreversible",)
    """Classes that two people decide."""
    material: tuple[str, ...] = ()
    """Fields of the output in which a difference makes a decision another one; all, when omitted."""
    blind: float = 0.05
    """The share of cases that a person decides without seeing the proposal."""
    audit: float = 0.05
    """The share of automatic decisions that a person looks at afterwards."""
    decoy: Callable[[I, O], O] | None = None
    """Makes a proposal that is plainly wrong out of a right one, to see whether whoever decides reads it. Pure."""
    seeded: float = 0.0
    """The share of reviews that begin with a decoy; whoever takes it over is asked again, with the real proposal."""
    veto: Elapsed | None = None
    """For level A4: how long a person may object before what the model decided counts."""
    reasons: tuple[str, ...] = ("wrong_facts", "wrong_judgement", "missing_evidence", "policy")
    """Codes for why a proposal was not accepted."""


class Facts(NamedTuple):
    """What the route of a proposal depends on, and nothing else."""

    level: Level
    risk: Risk
    confidence: float | None
    """Calibrated, 0 to 1."""
    threshold: float | None
    """Of the certificate."""
    draw: float
    """At random in [0, 1)."""
    blind: float
    audit: float
    dual: tuple[Risk, ...] = ()
    veto: bool = False
    """Whether there is a veto window."""
    stopped: bool = False
    failed: str = ""
    """Why there is no proposal to decide on."""


class Routing(NamedTuple):
    """Who decides, and why."""

    route: Route
    why: str
    sampled: Literal["", "blind", "audit"] = ""
    shown: bool = False
    """Whether whoever decides sees the proposal."""


def ceiling(level: Level, risk: Risk) -> Level:
    """The level that a risk class allows: without a person only what is routine."""
    return "A3" if risk != "routine" and level in ("A4", "A5") else level


def route(facts: Facts) -> Routing:
    """Say who decides on a proposal."""
    if alone := _alone(facts):
        return Routing("human_only", alone)
    if facts.draw < facts.blind:
        return Routing("human_only", "blind_sample", "blind")
    if why := _reviewed(facts):
        return Routing("dual_review" if facts.risk in facts.dual else "review", why, shown=True)
    audited = facts.draw < facts.blind + facts.audit
    return Routing("auto", "confident", "audit" if audited else "", shown=facts.level == "A4")


def _alone(facts: Facts) -> str:
    """Why a person decides without the model; empty: they need not."""
    if facts.stopped:
        return STOPPED
    if facts.failed:
        return facts.failed
    return {"A0": "no_ai", "A1": "shadow"}.get(facts.level, "")


def _reviewed(facts: Facts) -> str:
    """Why a person decides on the proposal; empty: the model may."""
    if facts.level in ("A2", "A3"):
        return "suggest" if facts.level == "A2" else "approve"
    if ceiling(facts.level, facts.risk) == "A3":
        return "ceiling"
    if facts.threshold is None or facts.confidence is None:
        return "no_confidence"
    # Not `<`: what is no number is below every threshold.
    if not facts.confidence >= facts.threshold:
        return "below_threshold"
    return "no_veto_window" if facts.level == "A4" and not facts.veto else ""
