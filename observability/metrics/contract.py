"""The contract of the unit-level metrics: each one's name, type, unit, labels and meaning.

docs/metrics.md is generated from it; tests hold the exporter, the alerting rules and the dashboards against it.
Labels come from the catalog; never from a case, and never a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from observability.runtime_metrics import CORE, RUNTIME

Type = Literal["counter", "gauge", "histogram"]

BUCKETS: tuple[float, ...] = (
    1.0,
    5.0,
    15.0,
    60.0,
    300.0,
    900.0,
    3_600.0,
    14_400.0,
    28_800.0,
    86_400.0,
    259_200.0,
    604_800.0,
    1_209_600.0,
    2_592_000.0,
)
"""Upper bounds in seconds of a histogram that has none of its own: from a second to thirty days."""
CONFIDENCE: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Upper bounds of confidences."""
ANSWERED: tuple[float, ...] = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0)
"""Upper bounds in seconds of how long a model took."""
OTHER = "other"
"""The label value of whatever the catalog does not know."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One family of series."""

    name: str
    """As Prometheus has it, without `_bucket`, `_count` and `_sum`."""
    type: Type
    unit: str
    """`seconds`, `ratio`, the plural of what is counted, or nothing."""
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = BUCKETS
    """Upper bounds, of a histogram."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of a histogram's buckets in the ledger."""
        return (*map(part_of, self.buckets), "+Inf")

    @property
    def series(self) -> tuple[str, ...]:
        """The names that queries may use."""
        return tuple(f"{self.name}_{end}" for end in ("bucket", "count", "sum")) if self._is_histogram else (self.name,)

    @property
    def _is_histogram(self) -> bool:
        return self.type == "histogram"


def part_of(bound: float) -> str:
    """The name of a bucket in the ledger."""
    return f"{bound:.0f}" if bound.is_integer() else str(bound)


_UNIT = ("unit", "version")
_STEP = (*_UNIT, "step", "executor")
_HYBRID = (*_UNIT, "step")


def _counter(name: str, unit: str, labels: tuple[str, ...], meaning: str) -> Metric:
    return Metric(f"workunit_{name}_total", "counter", unit, labels, meaning)


def _histogram(name: str, labels: tuple[str, ...], meaning: str) -> Metric:
    return Metric(f"workunit_{name}_seconds", "histogram", "seconds", labels, meaning)


def _gauge(name: str, unit: str, labels: tuple[str, ...], meaning: str) -> Metric:
    return Metric(f"workunit_{name}", "gauge", unit, labels, meaning)


TOTALS: tuple[Metric, ...] = (
    _counter("started", "cases", _UNIT, "Cases that started."),
    _counter("closed", "cases", (*_UNIT, "close"), "Cases by how they closed first."),
    _counter(
        "close_reasons", "cases", (*_UNIT, "close", "reason"), "Cases that closed first with a reason, by the reason."
    ),
    _counter(
        "closed_outside",
        "cases",
        _UNIT,
        "Cases that were ended past our doors: terminated, timed out or deleted in the engine.",
    ),
    _counter("exception_cases", "cases", _UNIT, "Closed cases with at least one business exception."),
    _counter(
        "rework_cases",
        "cases",
        _UNIT,
        "Closed cases in which a step was repeated because of a return, rejection or correction.",
    ),
    _counter(
        "first_pass_cases", "cases", _UNIT, "Closed cases whose outcome was achieved, without rework or exception."
    ),
    _counter("straight_through_cases", "cases", _UNIT, "Closed cases that no person touched."),
    _counter("exceptions", "exceptions", (*_UNIT, "step", "code"), "Business exceptions, by where they were raised."),
    _counter(
        "technical_failures",
        "failures",
        (*_UNIT, "step", "code"),
        "Machine steps that failed for good, after their last attempt, by the kind of failure.",
    ),
    _counter("steps", "performances", (*_STEP, "ended"), "Performances of steps that ended, by how."),
    _counter("step_attempts", "attempts", _STEP, "Attempts of the performances that ended."),
    _counter(
        "handoffs",
        "handoffs",
        (*_UNIT, "kind"),
        "Handoffs in closed cases: hh between people, hm person to machine, mh machine to person, mm between machines.",
    ),
    _counter(
        "part_seconds",
        "seconds",
        (*_UNIT, "part"),
        "Elapsed time of closed cases: every second of a case is in exactly one part.",
    ),
    _counter(
        "effort_seconds",
        "seconds",
        (*_UNIT, "kind"),
        "Work of people (human) and machines (machine) in closed cases; parallel work counts twice.",
    ),
    _counter("rework_seconds", "seconds", _UNIT, "Work inside repeats, in closed cases."),
    _counter(
        "sla",
        "clocks",
        (*_UNIT, "target", "result"),
        "SLA clocks by result. A breach counts when it is seen, also while the case is open; met and void at the end.",
    ),
    _counter(
        "corrections",
        "corrections",
        (*_UNIT, "kind"),
        "What counted otherwise first: evidence, reset, vanished, breach_withdrawn, breach_late. Other counters stay.",
    ),
    _counter(
        "cost", "currency", (*_UNIT, "currency"), "Cost of closed cases at the declared rates, where all are declared."
    ),
    _histogram("cycle_time", (*_UNIT, "close"), "Closed minus started."),
    _histogram("lead_time", (*_UNIT, "close"), "Closed minus accepted, else started."),
    _histogram("external_wait", _UNIT, "Time in which a closed case waited for outsiders and nobody worked."),
    _histogram("step_queue", _STEP, "From ready to claimed; of a machine step, until work began."),
    _histogram(
        "step_work", _STEP, "Work on a performance that ended; assigned-only work, which nobody measured, is left out."
    ),
    _histogram("claim_to_complete", (*_UNIT, "step"), "From the claim of a human task to its completion."),
    _counter(
        "proposals",
        "proposals",
        (*_HYBRID, "route", "level"),
        "Hybrid steps that a model was to propose for, by who decides.",
    ),
    _counter("proposal_reasons", "proposals", (*_HYBRID, "reason"), "The same, by the reason of the route."),
    _counter("proposal_shown", "proposals", _HYBRID, "Proposals that whoever decides sees."),
    _counter("proposal_decisions", "decisions", (*_HYBRID, "decision"), "What people who saw a proposal did with it."),
    _counter(
        "proposal_overrides",
        "decisions",
        _HYBRID,
        "Of these, the ones that made it another decision: replaced, rejected, or edited in a material field.",
    ),
    _counter(
        "blind", "decisions", _HYBRID, "Decisions of people who did not see the proposal: blind samples, and shadow."
    ),
    _counter("blind_disagreements", "decisions", _HYBRID, "Of these, the ones that differ in a material field."),
    _counter("ai_cost_usd", "currency", _HYBRID, "What proposals cost, in US dollars, of models whose price is known."),
    Metric(
        "workunit_proposal_confidence",
        "histogram",
        "ratio",
        _HYBRID,
        "Calibrated confidence, of proposals of calibrated models.",
        CONFIDENCE,
    ),
    Metric(
        "workunit_proposal_latency_seconds",
        "histogram",
        "seconds",
        _HYBRID,
        "How long the attempt took that gave a proposal.",
        ANSWERED,
    ),
)
"""Cumulative totals, kept in the ledger in the same transaction as the rows: exact, and never less than before."""

GAUGES: tuple[Metric, ...] = (
    _gauge("open_cases", "cases", (*_UNIT, "state"), "Open cases: running, waiting for a person, or with an incident."),
    _gauge("oldest_case_age_seconds", "seconds", _UNIT, "Age of the oldest open case; 0 without one."),
    _gauge(
        "sla_clocks",
        "clocks",
        (*_UNIT, "target", "state"),
        "Clocks of open cases: running, at_risk (warned or close to it), breached (overdue), paused.",
    ),
    _gauge("open_tasks", "tasks", ("unit", "step", "role", "state"), "Open human tasks."),
    _gauge(
        "oldest_task_age_seconds", "seconds", ("unit", "step", "role"), "Age of the oldest open task; 0 without one."
    ),
    _gauge("open_incidents", "incidents", ("unit", "step"), "Machine steps that wait for an operator."),
    _gauge("dead_letters", "records", (), "Cases that the ledger could not store: workunits ledger letters."),
    _gauge(
        "follower_lag_seconds", "seconds", (), "How far the ledger is behind the engine: since the last whole pass."
    ),
    _gauge("follower_last_pass_timestamp_seconds", "seconds", (), "When the follower's last whole pass ended."),
    _gauge("ledger_up", "", (), "1 when the ledger answers, 0 when it does not: then the other figures are absent."),
    _gauge("build_info", "", (*_UNIT, "definition"), "1 for each definition of a unit that the catalog has now."),
    _gauge(
        "sla_objective_ratio",
        "ratio",
        ("unit", "target"),
        "The share of clocks that is to be met, as the unit declares it.",
    ),
    _gauge("baseline", "", ("unit", "measure", "statistic"), "The newest frozen baseline: seconds, or a share."),
    _gauge("review_overdue", "", ("unit",), "1 when the owner's review of the unit is overdue."),
    _gauge("unjudged_versions", "versions", ("unit",), "Versions with closed cases that nobody has judged."),
    _gauge("baseline_stale", "", ("unit",), "1 when the newest baseline no longer holds: workunits learn history."),
    _gauge("sla_budget_seconds", "seconds", (*_UNIT, "target"), "The budget of a target in elapsed time."),
    _gauge(
        "autonomy_level",
        "",
        _HYBRID,
        "The highest level that holds for a hybrid step, 0 to 5: declared or signed, and 0 while it is stopped.",
    ),
    _gauge("autonomy_stopped", "", ("unit", "step"), "1 while a step's model is stopped."),
    _gauge(
        "certificate_expiry_timestamp_seconds",
        "seconds",
        ("unit", "step"),
        "When the first of a step's signed levels ends by itself; absent without one.",
    ),
    _gauge(
        "blind_disagreement_bound_ratio",
        "ratio",
        ("unit", "step"),
        "The share of blind decisions that may differ: the strictest target of the signed certificates, else 0.1.",
    ),
    _gauge(
        "audit_share",
        "ratio",
        ("unit", "step"),
        "Of proposals at A4 or A5, a week to five weeks old, those that were judged blind or audited; "
        "absent for fewer than 100.",
    ),
)
"""How things stand now, by the ledger."""

WATCHDOG: tuple[Metric, ...] = (
    _gauge("watchdog_gap_cases", "cases", ("unit", "kind"), "Open cases with a rung that was due and has not fired."),
    _gauge(
        "watchdog_gap_largest_seconds",
        "seconds",
        ("unit", "kind"),
        "How long ago the longest overdue of these was due.",
    ),
    _gauge("watchdog_findings", "findings", ("unit", "kind"), "Findings; those about no unit have an empty one."),
    _gauge("watchdog_last_pass_timestamp_seconds", "seconds", (), "When the watchdog last looked."),
    _gauge("watchdog_pass_duration_seconds", "seconds", (), "How long its last look took."),
)
"""What the watchdog serves on its own port."""

WORKERS: tuple[Metric, ...] = tuple(
    Metric(one.name, one.type, one.unit, one.labels, one.meaning) for one in (*RUNTIME, *CORE)
)
"""What a worker serves on its own port, of itself and since it began: gone with it."""

METRICS = (*TOTALS, *GAUGES, *WATCHDOG, *WORKERS)
BY_NAME = {metric.name: metric for metric in METRICS}
SERIES = {name: metric for metric in METRICS for name in metric.series}
"""Each name that a query may use."""
