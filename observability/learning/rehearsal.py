"""What a rehearsal of a changed executor says: figures of how it would have done in cases that people have decided.

Shares have Wilson's interval, the paired comparison with the old executor is McNemar's exact test. What is said of
straight-through cases and of cycle time is a prediction: nobody has worked that way yet. The range of a predicted time
goes from what is left when all time until the decision goes, to what is left when only measured queue and touch do;
both ends are those of a bootstrap interval of the part that is left, paired by case.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

from observability.learning.contrasts import DRAWS, SEED
from observability.learning.estimates import CONFIDENCE, Rate, Spread, rate, spread

Microseconds = int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One past case, and what came of asking the new executor about it."""

    case: str
    code: str = ""
    """Why there is no answer; empty: there is one, or a business exception."""
    latency_us: Microseconds = 0
    old_latency_us: Microseconds = 0
    """Of the old executor, in the attempt that ended it."""
    cost_usd: float | None = None
    """None: nobody knows."""
    agrees: bool | None = None
    """With the person's decision, in the material fields; None: nobody decided, or there is no answer."""
    old_agrees: bool | None = None
    """Whether the old executor did."""
    independent: bool = False
    """Whether the person decided without seeing the old proposal."""
    same_as_old: bool | None = None
    """Whether both executors came to the same, in the material fields; None where one gave no answer."""
    why: str = ""
    """Of the route, were the grant in force signed for it."""
    auto: bool = False
    """Whether it would be decided without a person, but for the blind sample, were that grant signed for it."""
    auto_today: bool = False
    """Whether it would as things stand."""
    was_auto: bool = False
    """Whether it was."""
    cycle_us: Microseconds | None = None
    """How long the case took."""
    measured_us: Microseconds = 0
    """Queue and touch of the person's decision."""
    whole_us: Microseconds = 0
    """From when the decision could be made until it was."""
    waits_us: Microseconds = 0
    """How long people may object to what the model decided; the case waits for that."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often two came to the same."""

    new: Rate
    old: Rate | None
    """The old executor, with the same decisions."""
    gained: int
    """Decisions that the new one met and the old one did not."""
    lost: int
    """The other way round."""
    p_value: float | None
    """Of McNemar's exact test; None: they never differ."""


@dataclass(frozen=True, slots=True)
class CycleTime:
    """How long cases took, and the range in which that is predicted to lie; in microseconds."""

    n: int
    affected: int
    """Cases without the person's part."""
    median: Microseconds
    mean: Microseconds
    predicted_median: tuple[Microseconds, Microseconds]
    predicted_mean: tuple[Microseconds, Microseconds]


@dataclass(frozen=True, slots=True)
class Figures:
    """What the trials say."""

    n: int
    answered: int
    failures: dict[str, int]
    with_people: Agreement | None
    with_independent: Agreement | None
    """With people who did not see the old proposal: only these are judgements of their own."""
    with_old: Rate | None
    was_auto: Rate | None
    auto_today: Rate | None
    auto: Rate | None
    """Were the grant in force signed for it; the blind sample taken off."""
    auto_wrong: Rate | None
    """Of what would go straight through and a person decided: what the person decided otherwise."""
    routes: dict[str, int]
    """Why cases would be routed as they would be."""
    cycle: CycleTime | None
    latency: Spread | None
    cost_usd: float | None
    cost_per_case_usd: float | None

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def figures(trials: Sequence[Trial], *, blind: float, routed: bool = True) -> Figures:
    """Compute them.

    Args:
        trials: One for each case.
        blind: The share of cases that people decide without seeing the proposal, whatever is signed.
        routed: Whether people decide at the step at all.
    """
    answered = [one for one in trials if not one.code]
    costs = [one.cost_usd for one in trials if one.cost_usd is not None]
    priced = bool(trials) and len(costs) == len(trials)
    decided = [one for one in answered if one.agrees is not None]
    through = [one for one in decided if one.auto]
    return Figures(
        n=len(trials),
        answered=len(answered),
        failures=_counted(one.code for one in trials if one.code),
        with_people=_agreement(decided),
        with_independent=_agreement([one for one in decided if one.independent]),
        with_old=_share(one.same_as_old for one in trials if one.same_as_old is not None),
        was_auto=_share(one.was_auto for one in trials if routed),
        auto_today=_but(blind, _share(one.auto_today for one in trials if routed)),
        auto=_but(blind, _share(one.auto for one in trials if routed)),
        auto_wrong=_share(not one.agrees for one in through),
        routes=_counted(one.why for one in trials if one.why),
        cycle=_cycle(trials, blind),
        latency=spread([one.latency_us for one in answered]),
        cost_usd=sum(costs) if priced else None,
        cost_per_case_usd=sum(costs) / len(costs) if priced else None,
    )


def _agreement(decided: Sequence[Trial]) -> Agreement | None:
    new = _share(one.agrees for one in decided)
    if new is None:
        return None
    both = [one for one in decided if one.old_agrees is not None]
    gained = sum(1 for one in both if one.agrees and not one.old_agrees)
    lost = sum(1 for one in both if one.old_agrees and not one.agrees)
    return Agreement(new, _share(one.old_agrees for one in both), gained, lost, _mcnemar(gained, lost))


def _mcnemar(gained: int, lost: int) -> float | None:
    if not gained + lost:
        return None
    # It takes a second to import.
    from statsmodels.stats.contingency_tables import mcnemar

    return float(mcnemar([[0, gained], [lost, 0]], exact=True).pvalue)


def _cycle(trials: Sequence[Trial], blind: float) -> CycleTime | None:
    """What is left of each case's time: at most when queue and touch go, at least when all goes until the decision."""
    timed = [one for one in trials if one.cycle_us is not None]
    taken = [one.cycle_us or 0 for one in timed]
    usual = spread(taken)
    affected = [one for one in timed if one.auto and not one.was_auto]
    if usual is None or usual.median.value is None or not affected:
        return None
    least = [_left(one, one.whole_us) for one in timed]
    most = [_left(one, one.measured_us) for one in timed]
    # Off a mean, the blind sample can be taken exactly: each case is in it with the same chance.
    means = [
        [int(blind * was + (1 - blind) * left) for was, left in zip(taken, all_, strict=True)] for all_ in (least, most)
    ]
    return CycleTime(
        n=len(timed),
        affected=len(affected),
        median=int(usual.median.value),
        mean=sum(taken) // len(taken),
        predicted_median=_range(np.median, int(usual.median.value), taken, (least, most)),
        predicted_mean=_range(np.mean, sum(taken) // len(taken), taken, (means[0], means[1])),
    )


def _left(one: Trial, gone: Microseconds) -> Microseconds:
    took = (one.cycle_us or 0) + one.latency_us - one.old_latency_us
    return max(0, took) if one.was_auto or not one.auto else max(0, took - gone) + one.waits_us


def _range(
    statistic: Any, now: Microseconds, taken: Sequence[Microseconds], left: tuple[Sequence[Microseconds], ...]
) -> tuple[Microseconds, Microseconds]:
    """What a figure would be: at least with the first that may be left, at most with the second."""
    return int(now * _part(statistic, taken, left[0])[0]), int(now * _part(statistic, taken, left[1])[1])


def _part(statistic: Any, taken: Sequence[Microseconds], left: Sequence[Microseconds]) -> tuple[float, float]:
    """The part of a figure that is left: a bootstrap interval over the cases, each drawn with what is left of it."""

    def part(was: Any, is_left: Any, axis: int = -1) -> Any:
        return statistic(is_left, axis=axis) / np.maximum(1, statistic(was, axis=axis))

    if len({*zip(taken, left, strict=True)}) < 2:  # noqa: PLR2004 - of one pair there is no spread
        return (left[0] / max(1, taken[0]),) * 2
    found = stats.bootstrap(
        (np.asarray(taken), np.asarray(left)),
        part,
        n_resamples=DRAWS,
        confidence_level=CONFIDENCE,
        method="percentile",
        paired=True,
        vectorized=True,
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return float(found.low), float(found.high)


def _share(holds: Iterable[bool | None]) -> Rate | None:
    all_ = [bool(one) for one in holds]
    return rate(sum(all_), len(all_))


def _but(blind: float, share: Rate | None) -> Rate | None:
    """A share without the blind sample, which is drawn from all alike; the count is that before it."""
    if share is None:
        return None
    seen = 1 - blind
    return Rate(share.count, share.n, share.share * seen, share.low * seen, share.high * seen)


def _counted(codes: Iterable[str]) -> dict[str, int]:
    return dict(Counter(codes).most_common())
