"""How often comparisons err: thousands of simulated pairs of versions, with early looks and open cases in both arms.

Run it with `make learn-simulate`. With no true difference, `better` and `worse` together should come at most once in
twenty; with one, as often as the power says. The days' common ups and downs are part of what is simulated.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from observability.learning.arms import DAY, Arm
from observability.learning.comparing import Plan, judge_looks, outcome_of
from observability.learning.guardrails import GUARDRAILS, breaches

HOUR = 3600.0
CASES = 600
"""Arrivals over the quarter; the last of them are still open when the comparison is made."""
DAYS = 90
SCENARIOS: dict[str, tuple[str, float]] = {
    "cycle_time, no difference": ("cycle_time", 1.0),
    "cycle_time, 25 % shorter": ("cycle_time", 0.75),
    "cycle_time, 33 % longer": ("cycle_time", 1.333),
    "on_time, no difference": ("on_time", 1.0),
    "on_time, 80 % to 90 %": ("on_time", 0.5),
    "handoffs, no difference": ("handoffs", 1.0),
    "override_rate, no difference": ("override_rate", 1.0),
    "override_rate, 20 % to 10 %": ("override_rate", 0.5),
}


GUARDED: dict[str, tuple[str, float, float]] = {
    "nothing, half of the cases": ("", 0.5, 1.0),
    "nothing, a fifth of the cases": ("", 0.2, 1.0),
    "exceptions 10 % to 25 %": ("exception_rate", 0.5, 0.25),
    "exceptions 10 % to 25 %, a fifth": ("exception_rate", 0.2, 0.25),
    "late 20 % to 40 %": ("sla_attainment", 0.5, 0.25),
    "a fifth never ends": ("hanging", 0.5, 0.25),
    "overridden 20 % to 40 %": ("override_rate", 0.5, 0.25),
    "cost a quarter more": ("cost_per_outcome", 0.5, 0.25),
}
"""What the second version harms, its share of the cases, and the part of the repeats that are made."""


def arms(rng: np.random.Generator, factor: float, share: float = 0.5) -> tuple[Arm, Arm]:
    """Two versions whose starts were split by chance; the second takes `factor` times as long, and errs so often."""
    started = np.sort(rng.uniform(0, DAYS * DAY, CASES))
    busy = rng.normal(0, 0.15, DAYS + 1)[np.floor(started / DAY).astype(int)]
    second = rng.random(CASES) < share
    took = rng.lognormal(np.log(30 * HOUR) + busy, 0.8) * np.where(second, factor, 1.0)
    late = rng.random(CASES) < 0.2 * np.where(second, factor, 1.0)
    columns: dict[str, Any] = {
        "started": started,
        "closed": started + took,
        "ended": np.ones(CASES, dtype=bool),
        "time": took,
        "day": np.floor(started / DAY),
        "due": started + took * np.where(late, 0.7, 1.5),
        "close": np.where(late, "achieved_late", "achieved").astype(object),
        "sla": np.where(late, "breached", "met").astype(object),
        "segment": np.where(rng.random(CASES) < 0.3, "large", "small").astype(object),
        "exceptions": rng.poisson(0.1, CASES).astype(float),
        "reworked": rng.random(CASES) < 0.05,
        "touches": rng.poisson(1.0, CASES).astype(float),
        "cost": rng.gamma(4.0, 5.0, CASES),
        "handoffs": rng.poisson(2.0 * np.exp(busy)).astype(float),
    }
    reviewed = rng.poisson(1.0, CASES)
    columns["overridden"] = rng.binomial(reviewed, 0.2 * np.exp(busy) * np.where(second, factor, 1.0)).astype(float)
    columns["reviewed"] = reviewed.astype(float)
    whole = Arm("1", columns)
    return whole.where(~second), Arm("2", whole.where(second).columns)


def verdicts(measure: str, factor: float, repeats: int, seed: int) -> Counter[str]:
    """How often each verdict comes."""
    return Counter(_verdicts(measure, factor, repeats, seed))


def _verdicts(measure: str, factor: float, repeats: int, seed: int) -> Iterator[str]:
    plan = Plan(measure, guardrails=())
    for number in range(repeats):
        first, second = arms(np.random.default_rng([seed, number]), factor)
        yield outcome_of(judge_looks(first.at(DAYS * DAY), second.at(DAYS * DAY), plan)[0])


def harmed(rng: np.random.Generator, arm: Arm, what: str) -> Arm:
    """A version that does harm beside what it is judged by."""
    chosen = rng.random(len(arm))
    if what == "exception_rate":
        return Arm(arm.version, arm.columns | {"exceptions": arm["exceptions"] + (chosen < 1 / 6)})
    if what == "override_rate":
        return Arm(arm.version, arm.columns | {"overridden": rng.binomial(arm["reviewed"].astype(int), 0.4) * 1.0})
    if what == "cost_per_outcome":
        return Arm(arm.version, arm.columns | {"cost": arm["cost"] * 1.25})
    if what == "hanging":
        due = arm["started"] + 48 * HOUR
        return Arm(arm.version, arm.columns | {"ended": chosen >= 0.2, "due": np.where(chosen < 0.2, due, arm["due"])})
    late = (chosen < 0.25) | (arm["sla"] == "breached")
    due = arm["started"] + arm["time"] * np.where(late, 0.7, 1.5)
    sla = np.where(late, "breached", "met").astype(object)
    return Arm(arm.version, arm.columns | {"sla": sla, "due": due})


def stops(what: str, share: float, repeats: int, seed: int) -> Iterator[tuple[str, int]]:
    """Of each repeat: what stopped the rollout, if anything did, and after how many ended cases."""
    plan = Plan("cycle_time")
    for number in range(repeats):
        rng = np.random.default_rng([seed, number])
        first, second = arms(rng, 1.0, share)
        second = harmed(rng, second, what) if what else second
        first, second = first.at(DAYS * DAY), second.at(DAYS * DAY)
        judged, _ = judge_looks(first, second, plan)
        found = [(judged[-1].look.cases, "primary")] if outcome_of(judged) == "worse" else []
        found += [(one.look.cases, name) for name, one in breaches(first, second, GUARDRAILS, plan.looks).items()]
        cases, why = min(found, default=(0, ""))
        yield why, cases


def guarded(repeats: int, seed: int) -> None:
    """Print how often a rollout is stopped, and by what."""
    for name, (what, share, part) in GUARDED.items():
        made = max(1, round(repeats * part))
        found = list(stops(what, share, made, seed))
        stopped = [cases for why, cases in found if why]
        by = ", ".join(f"{why} {count / made:.1%}" for why, count in Counter(why for why, _ in found if why).items())
        after = f"median after {np.median(stopped):.0f} ended cases" if stopped else ""
        print(f"{name:34} {made:5} repeats  stopped {len(stopped) / made:6.1%}  {after}  ({by})", flush=True)


def main() -> None:
    """Print a row for each scenario."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--guardrails", action="store_true", help="Only how often a rollout is stopped.")
    args = parser.parse_args()
    began = time.perf_counter()
    print(f"{args.repeats} repeats of {CASES} arrivals in {DAYS} days, split in halves, four looks, seed {args.seed}")
    for name, (measure, factor) in {}.items() if args.guardrails else SCENARIOS.items():
        counts = verdicts(measure, factor, args.repeats, args.seed)
        shares = "  ".join(
            f"{said} {counts[said] / args.repeats:6.1%}" for said in ("better", "not_worse", "worse", "undecided")
        )
        print(f"{name:28} {shares}")
    guarded(args.repeats, args.seed)
    print(f"took {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
