"""The budget: for each figure, what must hold and what is aimed for. Ratios are to the twin of the same round.

It was derived from measurements of prototypes, round by round beside the same twin; absolute figures belong to
one machine, ratios travel.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """One figure's two limits."""

    must: float
    moonshot: float
    at_least: bool = False
    """More is better."""

    def holds(self, value: float) -> bool:
        """Whether the must is kept."""
        return value >= self.must if self.at_least else value <= self.must

    def distance(self, value: float) -> str:
        """How far it is from the moonshot, in words."""
        gap = self.moonshot / value if self.at_least else value / self.moonshot if self.moonshot else 1 + value
        return "reached" if gap <= 1 else f"+{(gap - 1) * 100:.0f} %"


BUDGET = {
    "history events per case": Budget(28, 18),
    "history bytes per case": Budget(6500, 5000),
    "workflow tasks per case": Budget(4, 2),
    "fsyncs per case": Budget(28.4, 16),
    "worker CPU / plain": Budget(1.25, 0.75),
    "worker CPU / tuned": Budget(1.55, 1.00),
    "total CPU / plain": Budget(1.12, 0.70),
    "decision to result, quiet / plain": Budget(1.12, 0.95),
    "decision to result, 20 at once / plain": Budget(0.85, 0.60),
    "cases per second / plain": Budget(0.90, 1.45, at_least=True),
    "replay CPU / plain": Budget(1.25, 0.65),
    "worker KiB per open case": Budget(110, 70),
    "server CPU, 10,000 open, over the twin's slope": Budget(0.05, 0),
    "quiet latency, 10,000 open, over the twin's slope": Budget(0.05, 0),
    "first decision after a killed worker, s": Budget(5.5, 2.5),
    "first decision after SIGTERM, s": Budget(1.0, 0.2),
    "worker process start to polling, s": Budget(1.0, 0.5),
    "cases projected per second, SQLite": Budget(1000, 2000, at_least=True),
    "cases projected per second, PostgreSQL": Budget(1000, 2000, at_least=True),
    "close to row under load, p99, s, SQLite": Budget(2, 0.6),
    "close to row under load, p99, s, PostgreSQL": Budget(2, 0.6),
    "report over 100,000 cases, s, SQLite": Budget(5, 1),
    "report over 100,000 cases, s, PostgreSQL": Budget(3, 1),
    "follower MiB, SQLite": Budget(150, 90),
    "follower MiB, PostgreSQL": Budget(150, 90),
    "inbox page, 50 of 100,000, query, ms": Budget(2, 0.3),
    "inbox page, 50 of 100,000, HTTP p50, ms": Budget(15, 5),
    "inbox list, 2,000 open, HTTP p95, ms": Budget(60, 15),
}
