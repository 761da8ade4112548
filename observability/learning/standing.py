"""How the learning loop of each unit stands: reviews that are overdue, versions that nobody judged, stale baselines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from observability.learning.baseline import METRICS, Baseline, newest_baseline
from observability.learning.changes import Change, entries_of, gathered
from observability.learning.drift import shifts
from observability.learning.version_baseline import version_of
from observability.ledger.tables import cases
from workunits.core.unit import WorkUnit

UNKNOWN = "unknown"
"""The version of cases that ended before they wrote a record."""
_MICROS = 1_000_000
_SPREADS = {"cycle_time": "cycle_time_us", "lead_time": "lead_time_us", "queue": "queue_us"}
_RATES = {
    "outcome_attainment": "attainment",
    "on_time": "on_time",
    "sla_attainment": "sla",
    "first_pass_yield": "first_pass_yield",
    "straight_through_rate": "straight_through",
    "rework_rate": "rework",
    "override_rate": "overrides",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How the loop of one unit stands."""

    unit: str
    owner: str
    """The role."""
    reviewed_at: datetime | None
    """When the owner last proposed, decided, reviewed or signed; None: never."""
    review_due_at: datetime | None
    """None: no case has started yet, so there is nothing to review."""
    review_overdue: bool
    unjudged: Sequence[str]
    """Versions after the first that have closed cases and no verdict, the oldest first."""
    baseline: str | None
    """The name of the newest baseline."""
    stale: str
    """Why that one no longer holds; empty while it does, and where there is none."""
    figures: Mapping[tuple[str, str], float]
    """Of the baseline, by measure and statistic: durations in seconds, shares from 0 to 1."""

    @property
    def warnings(self) -> Sequence[str]:
        """What the owner has to look at, a sentence each."""
        return list(self._warnings())

    def _warnings(self) -> Iterator[str]:
        if self.review_overdue and self.review_due_at:
            yield f"its review has been due since {self.review_due_at:%Y-%m-%d}: workunits learn review {self.unit}"
        if self.unjudged:
            named = ", ".join(self.unjudged)
            yield f"never judged: version {named}: workunits learn history {self.unit}"
        if self.stale:
            yield f"its baseline is stale: {self.stale}: workunits baseline freeze {self.unit}"

    def as_json(self) -> Mapping[str, Any]:
        """As JSON values."""
        names = ("unit", "owner", "reviewed_at", "review_due_at", "review_overdue", "unjudged", "baseline", "stale")
        return {**{name: getattr(self, name) for name in names}, "warnings": self.warnings}


def standing(connection: Connection, catalog: Iterable[type[WorkUnit]], now: datetime) -> Sequence[Standing]:
    """How the loop of each unit of a catalog stands; reads, and writes nothing."""
    return [standing_of(connection, unit, now) for unit in catalog]


def standing_of(connection: Connection, unit: type[WorkUnit], now: datetime) -> Standing:
    """How the loop of one unit stands."""
    name = unit.unit_name
    entries = entries_of(connection, name)
    began = connection.execute(select(func.min(cases.c.started_at)).where(cases.c.unit == name)).scalar()
    # What a certificate goes through is no look at the unit's figures.
    reviewed = max((entry.at for entry in entries if entry.entry not in ("asked", "granted", "ended")), default=None)
    since = reviewed or began
    due = since + unit.learning.review.span if since else None
    baseline = newest_baseline(connection, name)
    changes = gathered(entries)
    return Standing(
        unit=name,
        owner=unit.learning.owner,
        reviewed_at=reviewed,
        review_due_at=due,
        review_overdue=due is not None and due < now,
        unjudged=_unjudged(connection, name, changes),
        baseline=baseline.name if baseline else None,
        stale=_stale(connection, unit, baseline, changes, now) if baseline else "",
        figures=dict(_gauges(baseline.figures)) if baseline else {},
    )


def _unjudged(connection: Connection, unit: str, changes: Sequence[Change]) -> Sequence[str]:
    """The first version has nothing to be judged against."""
    seen = (
        select(cases.c.version)
        .where(cases.c.unit == unit, cases.c.version != UNKNOWN)
        .group_by(cases.c.version)
        .order_by(func.min(cases.c.started_at), cases.c.version)
    )
    closed = set(
        connection.execute(
            select(cases.c.version).where(cases.c.unit == unit, cases.c.close.is_not(None)).distinct()
        ).scalars()
    )
    judged = {entry.to_version for change in changes for entry in change.decided}
    return [version for version in connection.execute(seen).scalars().all()[1:] if version in closed - judged]


def _stale(
    connection: Connection, unit: type[WorkUnit], baseline: Baseline, changes: Sequence[Change], now: datetime
) -> str:
    if baseline.metrics != METRICS:
        return f"it follows metric definitions {baseline.metrics}, and {METRICS} hold now"
    for change in reversed(changes):
        held = change.last
        if (
            held
            and (held.decision, held.verdict) == ("adopt", "better")
            and held.at > baseline.frozen_at
            and held.to_version != version_of(baseline)
        ):
            return f"version {held.to_version} was judged better and adopted since"
    for measure, shift in shifts(connection, unit, baseline, now).items():
        return f"{measure} has been {shift.side} its mean for {shift.run} weeks up to that of {shift.week:%Y-%m-%d}"
    return ""


def _gauges(figures: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], float]]:
    for measure, key in _SPREADS.items():
        for statistic in ("median", "p85", "p95"):
            value = ((figures.get(key) or {}).get(statistic) or {}).get("value")
            if value is not None:
                yield (measure, statistic), value / _MICROS
    rates = {measure: figures.get(key) for measure, key in _RATES.items()}
    rates["exception_rate"] = (figures.get("exceptions") or {}).get("any")
    for measure, rate in rates.items():
        if rate:
            yield (measure, "share"), rate["share"]
