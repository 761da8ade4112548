"""How often certificates promise too much: thousands of simulated executors whose true errors are known.

Run it with `make autonomy-simulate`. Labels come in, a certificate is proposed, and the true error among what it would
decide automatically is computed from the curve that made the labels. It may exceed the target in at most 5 % of the
repeats; it exits with 1 when it does in more. A scenario that never gets a certificate would prove nothing, so how
often one came is shown beside it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from observability.autonomy.certificate import Ask, Certificate, propose
from observability.autonomy.labels import Label, Source

Floats = NDArray[np.float64]
BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
ALLOWED = 0.05
DAYS = 60
FINE = 1_000
"""Places at which the true error is computed, evenly over the cases."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """An executor: how its raw confidence is spread, and how often it errs at each."""

    spread: Callable[[Floats], Floats]
    """The raw confidence of the share of cases below it (the quantile function)."""
    error: Callable[[Floats], Floats]
    """The true share of wrong proposals at a raw confidence."""
    target: float
    labels: int
    looks: int = 1
    """How many times it is asked while the labels come in; the first certificate counts."""
    uneven: bool = False
    """Whether the more confident half is drawn for its label four times as often."""


def _sure(share: Floats) -> Floats:
    """Most cases are told with much confidence."""
    return 1 - 0.5 * (1 - share) ** 2


def _even(share: Floats) -> Floats:
    return share


SCENARIOS: dict[str, Scenario] = {
    "well calibrated": Scenario(_sure, lambda raw: 1 - raw, 0.05, 1_200),
    "well calibrated, 1 %": Scenario(_sure, lambda raw: (1 - raw) / 2, 0.01, 3_000),
    "overconfident": Scenario(_sure, lambda raw: np.minimum(4 * (1 - raw), 0.6), 0.05, 1_200),
    "confidence says nothing": Scenario(_even, lambda raw: np.full_like(raw, 0.08), 0.05, 1_200),
    "surest where it is wrong": Scenario(_even, lambda raw: np.where(raw > 0.9, 0.3, 0.02), 0.05, 1_200),
    "just above the target": Scenario(_even, lambda raw: np.full_like(raw, 0.0505), 0.05, 1_200),
    "crosses the target": Scenario(_even, lambda raw: 0.03 + 0.06 * (1 - raw), 0.05, 1_200),
    "above, asked four times": Scenario(_even, lambda raw: np.full_like(raw, 0.0505), 0.05, 1_600, looks=4),
    "drawn unevenly": Scenario(_even, lambda raw: np.where(raw > 0.5, 0.01, 0.1), 0.05, 2_000, uneven=True),
}


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of a scenario."""

    repeats: int
    issued: int
    exceeded: int
    """Certificates whose true error is above the target."""
    automatic: float
    """The share of cases that they decide, on the mean over those issued."""

    @property
    def share(self) -> float:
        """Of all repeats."""
        return self.exceeded / self.repeats


def tally(scenario: Scenario, repeats: int, seed: int) -> Tally:
    """Repeat a scenario."""
    issued, exceeded, automatic = 0, 0, 0.0
    for number in range(repeats):
        made = certified(scenario, np.random.default_rng([seed, number]), number)
        if made is None:
            continue
        share, error = truth(scenario, made)
        issued, exceeded, automatic = issued + 1, exceeded + (error > scenario.target), automatic + share
    return Tally(repeats, issued, exceeded, automatic / issued if issued else 0.0)


def certified(scenario: Scenario, rng: np.random.Generator, seed: int) -> Certificate | None:
    """The first certificate that is proposed while labels come in; None without any."""
    labels = drawn(scenario, rng)
    for look in range(1, scenario.looks + 1):
        known = labels[: len(labels) * look // scenario.looks]
        ask = Ask(
            unit="simulated",
            unit_version="1",
            step="decide",
            executor="model|1|",
            level="A5",
            target=scenario.target,
            looks=scenario.looks,
            seed=seed,
            fewest_days=1,
            proposals=len(labels),
            now=known[-1].at + timedelta(days=1),
        )
        made = propose(known, ask)
        if isinstance(made, Certificate):
            return made
    return None


def drawn(scenario: Scenario, rng: np.random.Generator) -> list[Label]:
    """Labels of independent cases, over two months."""
    raws = scenario.spread(rng.random(scenario.labels * (2 if scenario.uneven else 1)))
    wrong = rng.random(len(raws)) < scenario.error(raws)
    weights = np.ones(len(raws))
    if scenario.uneven:
        # As when audits of what is decided automatically are drawn more often than blind reviews of the rest.
        weights = np.where(raws > np.median(raws), 5.0, 20.0)
        kept = rng.random(len(raws)) < 5 / weights
        raws, wrong, weights = raws[kept], wrong[kept], weights[kept]
    step = timedelta(days=DAYS) / len(raws)
    source: Source = "blind" if scenario.uneven else "shadow"
    return [
        Label(
            confidence=raw, wrong=bad, severe=False, source=source, weight=weight, at=BEGIN + place * step, segment=""
        )
        for place, (raw, bad, weight) in enumerate(zip(raws.tolist(), wrong.tolist(), weights.tolist(), strict=True))
    ]


def truth(scenario: Scenario, certificate: Certificate) -> tuple[float, float]:
    """The share of cases that a certificate decides, and the true share of wrong ones among them."""
    raws = scenario.spread((np.arange(FINE) + 0.5) / FINE)
    accepted = certificate.calibration.of_all(raws) >= certificate.threshold
    return float(accepted.mean()), float(scenario.error(raws)[accepted].mean()) if accepted.any() else 0.0


def table(found: dict[str, Tally]) -> str:
    """The figures, a line for each scenario."""
    lines = [f"{'scenario':26} {'target':>7} {'labels':>7} {'certified':>10} {'automatic':>10} {'exceeded':>9}"]
    for name, one in found.items():
        scenario = SCENARIOS[name]
        lines.append(
            f"{name:26} {scenario.target:7.1%} {scenario.labels:7,} {one.issued / one.repeats:10.1%} "
            f"{one.automatic:10.1%} {one.share:9.1%}{'' if one.share <= ALLOWED else '  MORE THAN ALLOWED'}"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 when a scenario exceeds its target too often."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(arguments)
    began = time.perf_counter()
    found = {name: tally(scenario, args.repeats, args.seed) for name, scenario in SCENARIOS.items()}
    print(f"{args.repeats:,} repeats, seed {args.seed}; exceeded: true error above the target ({ALLOWED:.0%} allowed)")
    print(table(found))
    print(f"took {time.perf_counter() - began:.0f} s")
    return int(any(one.share > ALLOWED for one in found.values()))


if __name__ == "__main__":
    sys.exit(main())
