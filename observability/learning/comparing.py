"""Two versions of a unit compared: one primary measure, judged at fixed looks; guardrails; segments; the rest.

The verdict is the first one that a look reached, else that of the last look: `better`, `not_worse` (within a margin),
`worse` or `undecided`, with the smallest difference that could still be seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from scipy import stats

from observability.learning.arms import Arm
from observability.learning.contrasts import FEWEST, MEASURED, Contrast, contrast, holm
from observability.learning.guardrails import GUARDRAILS, Breach, breaches
from observability.learning.looks import ALPHA, PLANNED, Look, looks, moment_of

Outcome = Literal["better", "not_worse", "worse", "undecided"]
Assignment = Literal["split", "before_after"]
POWER = 0.8


@dataclass(frozen=True, slots=True)
class Plan:
    """What was declared before anyone looked."""

    measure: str
    """The primary one."""
    margin: float = 0.1
    """Not worse means: worse by at most this part of the first version's figure."""
    planned: int | None = None
    """Ended cases of both arms together at the last look; None: as many as are usual."""
    alpha: float = ALPHA
    guardrails: Sequence[str] = GUARDRAILS

    @property
    def looks(self) -> Sequence[Look]:
        """When it is judged."""
        return looks(self.planned or PLANNED, self.alpha)


@dataclass(frozen=True, slots=True)
class Judged:
    """What one look came to."""

    look: Look
    at: float
    """Its moment, in seconds since 1970."""
    outcome: Outcome
    contrast: Contrast


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that is said of two versions."""

    unit: str
    versions: tuple[str, str]
    plan: Plan
    assignment: Assignment
    """`before_after`: not split by chance at the same time, so whatever else changed is in the difference, too."""
    n: tuple[int, int]
    open: tuple[int, int]
    outcome: Outcome
    judged: Sequence[Judged]
    due: int
    """After how many ended cases the next look is; 0 when there is none."""
    primary: Contrast
    """By all that is there now: it shows, and decides nothing."""
    detectable: float | None
    """The smallest relative difference that the last look could have seen, four times in five."""
    guardrails: Mapping[str, Contrast]
    """By all that is there now: they show, and decide nothing."""
    breached: Sequence[str]
    """Guardrails that got worse beyond chance at a look, Holm's correction made."""
    breaches: Mapping[str, Breach]
    """The first look at which each of them did."""
    others: Mapping[str, Contrast]
    clear: Sequence[str]
    """Of the others, those whose difference is certain as if this were the only look, Holm's correction made."""
    mix: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """The share of each segment in the two arms."""
    reweighted: float | None = None
    """The primary's difference with the second arm's segments in the first one's shares."""
    flips: Sequence[str] = ()
    """Segments in which the primary is certain and points the other way."""


def compare(unit: str, first: Arm, second: Arm, plan: Plan, *, assignment: Assignment, now: float) -> Comparison:
    """Compare the second version with the first.

    Args:
        unit: The unit.
        first: Its cases up to now.
        second: Likewise.
        plan: What was declared.
        assignment: How cases came to their arm.
        now: Seconds since 1970.
    """
    first, second = first.at(now), second.at(now)
    judged, due = judge_looks(first, second, plan)
    primary = contrast(plan.measure, first, second, plan.alpha)
    rest = [name for name in MEASURED if name not in (plan.measure, *plan.guardrails)]
    guarding = [name for name in plan.guardrails if name != plan.measure]
    guards = _known({name: contrast(name, first, second, plan.alpha) for name in guarding})
    others = _known({name: contrast(name, first, second, plan.alpha) for name in rest})
    broken = breaches(first, second, guarding, plan.looks)
    return Comparison(
        unit=unit,
        versions=(first.version, second.version),
        plan=plan,
        assignment=assignment,
        n=(len(first), len(second)),
        open=(int((~first["ended"]).sum()), int((~second["ended"]).sum())),
        outcome=outcome_of(judged),
        judged=judged,
        due=due,
        primary=primary,
        detectable=_detectable(primary, plan.alpha),
        guardrails=guards,
        breached=list(broken),
        breaches=broken,
        others=others,
        clear=holm(others, plan.alpha),
        mix=_mix(first, second),
        reweighted=_reweighted(first, second, plan),
        flips=_flips(first, second, plan, primary),
    )


def outcome_of(judged: Sequence[Judged]) -> Outcome:
    """The verdict: that of the look that decided, else of the last one."""
    return judged[-1].outcome if judged else "undecided"


def judge_looks(first: Arm, second: Arm, plan: Plan) -> tuple[list[Judged], int]:
    """Every look that was due until one decided, and after how many ended cases the next one is (0: none)."""
    judged: list[Judged] = []
    for look in plan.looks:
        at = moment_of(look, first, second)
        if at is None:
            return judged, look.cases
        found = contrast(plan.measure, first.at(at), second.at(at), look.alpha)
        judged.append(Judged(look, at, _outcome(found, plan, look.alpha), found))
        if judged[-1].outcome in ("better", "worse"):
            return judged, 0
    return judged, 0


def _outcome(found: Contrast, plan: Plan, alpha: float) -> Outcome:
    if min(found.n) < FEWEST or found.p_value is None:
        return "undecided"
    if found.p_value <= alpha and found.direction:
        return "better" if found.direction > 0 else "worse"
    first = found.values[0]
    if first is not None and found.worst is not None and found.worst <= plan.margin * abs(first):
        return "not_worse"
    return "undecided"


def _detectable(primary: Contrast, alpha: float) -> float | None:
    """Relative to the first arm; for times as a ratio of hazards (Schoenfeld 1981)."""
    first, n = primary.values[0], primary.n
    if min(n) < 2 or not first:  # noqa: PLR2004 - nothing to compute from
        return None
    needed = stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(POWER)
    if primary.kind == "duration":
        share = n[0] / sum(n)
        return float(math.exp(needed / math.sqrt(sum(n) * share * (1 - share))) - 1)
    if primary.low is None or primary.high is None:
        return None
    spread = (primary.high - primary.low) / 2 / stats.norm.ppf(1 - alpha / 2)
    return float(needed * spread / abs(first))


def _known(found: Mapping[str, Contrast]) -> dict[str, Contrast]:
    return {name: one for name, one in found.items() if one.difference is not None}


def _segments(first: Arm, second: Arm) -> list[str]:
    return sorted({*first["segment"], *second["segment"]})


def _mix(first: Arm, second: Arm) -> dict[str, tuple[float, float]]:
    if not len(first) or not len(second):
        return {}
    return {
        segment: (float((first["segment"] == segment).mean()), float((second["segment"] == segment).mean()))
        for segment in _segments(first, second)
    }


def _reweighted(first: Arm, second: Arm, plan: Plan) -> float | None:
    """By the first arm's mix; None where a segment of it has nothing to compare."""
    total = 0.0
    for segment in sorted(set(first["segment"])):
        of_first = first["segment"] == segment
        found = contrast(plan.measure, first.where(of_first), second.where(second["segment"] == segment), plan.alpha)
        if found.difference is None:
            return None
        total += found.difference * float(of_first.mean())
    return total


def _flips(first: Arm, second: Arm, plan: Plan, primary: Contrast) -> list[str]:
    flipped = []
    for segment in _segments(first, second):
        one, other = (arm.where(arm["segment"] == segment) for arm in (first, second))
        if min(int(np.sum(part["ended"])) for part in (one, other)) < FEWEST:
            continue
        found = contrast(plan.measure, one, other, plan.alpha)
        certain = found.p_value is not None and found.p_value <= plan.alpha
        if certain and found.direction * primary.direction < 0:
            flipped.append(segment)
    return flipped


def as_json(found: Comparison) -> dict[str, Any]:
    """As JSON values: for `--json`, and frozen into the learning ledger."""
    from dataclasses import asdict

    return asdict(found)
