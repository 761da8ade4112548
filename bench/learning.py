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
}


def arms(rng: np.random.Generator, factor: float) -> tuple[Arm, Arm]:
    """Two versions whose starts were split by chance; the second takes `factor` times as long, and errs so often."""
    started = np.sort(rng.uniform(0, DAYS * DAY, CASES))
    busy = rng.normal(0, 0.15, DAYS + 1)[np.floor(started / DAY).astype(int)]
    second = rng.random(CASES) < 0.5
    took = rng.lognormal(np.log(30 * HOUR) + busy, 0.8) * np.where(second, factor, 1.0)
    late = rng.random(CASES) < 0.2 * np.where(second, factor, 1.0)
    columns: dict[str, Any] = {
        "started": started,
        "closed": started + took,
        "ended": np.ones(CASES, dtype=bool),
        "time": took,
        "day": np.floor(started / DAY),
        "close": np.where(late, "achieved_late", "achieved").astype(object),
        "sla": np.where(late, "breached", "met").astype(object),
        "segment": np.where(rng.random(CASES) < 0.3, "large", "small").astype(object),
        "exceptions": rng.poisson(0.1, CASES).astype(float),
        "reworked": rng.random(CASES) < 0.05,
        "touches": rng.poisson(1.0, CASES).astype(float),
        "cost": rng.gamma(4.0, 5.0, CASES),
        "handoffs": rng.poisson(2.0 * np.exp(busy)).astype(float),
    }
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


def main() -> None:
    """Print a row for each scenario."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    began = time.perf_counter()
    print(f"{args.repeats} repeats of {CASES} arrivals in {DAYS} days, split in halves, four looks, seed {args.seed}")
    for name, (measure, factor) in SCENARIOS.items():
        counts = verdicts(measure, factor, args.repeats, args.seed)
        shares = "  ".join(
            f"{said} {counts[said] / args.repeats:6.1%}" for said in ("better", "not_worse", "worse", "undecided")
        )
        print(f"{name:28} {shares}")
    print(f"took {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
