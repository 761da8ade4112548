"""The label values that may appear: those of the catalog, and of definitions that have run. All else is `other`."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from sqlalchemy import Connection, select

from observability.ledger.keeping import definitions
from observability.metrics.contract import OTHER, Metric
from workunits.core.autonomy import LEVELS, ROUTES
from workunits.core.lifecycle import State
from workunits.core.parts import PARTS
from workunits.core.proposal import Decision
from workunits.core.spec import MEASURES, Close, Kind
from workunits.registry import Catalog, describe

ENDS = ("done", "exception", "failed", "skipped", "expired", "cancelled")
CORRECTIONS = ("evidence", "reset", "vanished", "breach_withdrawn", "breach_late")
RESULTS = ("met", "breached", "void")
HANDOFFS = ("hh", "hm", "mh", "mm")
EFFORTS = ("human", "machine")
CLOCK_STATES = ("running", "at_risk", "breached", "paused")
CASE_STATES = ("running", "waiting", "incident")
CLOSES: tuple[str, ...] = get_args(Close)
STEP_FAILURES = (
    "bad_result",
    "stopped",
    "timeout_heartbeat",
    "timeout_schedule_to_close",
    "timeout_schedule_to_start",
    "timeout_start_to_close",
    "too_large",
    "unperformable",
)
"""Kinds of technical failure that any machine step may have, by our names."""
AI_FAILURES = (
    "ai_budget_exceeded",
    "ai_limit_exceeded",
    "ai_not_configured",
    "ai_output_invalid",
    "ai_refused",
    "ai_unavailable",
)
UNIT_FAILURES = ("unit_cancelled", "unit_failed", "unit_not_started", "unit_result_invalid")
"""Of a step that another unit performs."""
FAILURES = frozenset(
    {
        *STEP_FAILURES,
        *AI_FAILURES,
        *UNIT_FAILURES,
        "autonomy_unknown",
        *(name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, Exception)),
    }
)
"""Kinds of technical failure that have a series of their own: ours, and those of the language."""
CLOSE_REASONS = (
    ("not_achieved", "outcome_not_met"),
    ("expired", "no_answer"),
    ("cancelled", "cancel_requested"),
    ("cancelled", "task_cancelled"),
    ("failed", "bad_input"),
    ("failed", "cannot_arm"),
    ("failed", "no_record"),
    ("failed", "technical_failure"),
    ("failed", "terminated"),
    ("failed", "timed_out"),
    ("failed", "too_large"),
    ("failed", "vanished"),
)
"""How a case may close, and our own reasons for it; the others are the unit's business exceptions."""
REASONS = frozenset(reason for _, reason in CLOSE_REASONS)
WHYS = (
    *("stopped", "no_ai", "shadow", "autonomy_unknown", "blind_sample", "suggest", "approve", "ceiling"),
    *("no_confidence", "below_threshold", "no_veto_window", "confident"),
)
"""Reasons of a proposal's route, beside those of models that failed."""
DECISIONS: tuple[str, ...] = get_args(Decision)
LEARNED = (*MEASURES, "lead_time", "queue")
STATISTICS = ("median", "p85", "p95", "share")
_FIXED: Mapping[str, Collection[str]] = {
    "executor": get_args(Kind),
    "close": CLOSES,
    "part": PARTS,
    "ended": ENDS,
    "result": RESULTS,
    "route": ROUTES,
    "level": LEVELS,
    "decision": DECISIONS,
}
_BY_METRIC: Mapping[tuple[str, str], Collection[str]] = {
    ("workunit_corrections_total", "kind"): CORRECTIONS,
    ("workunit_handoffs_total", "kind"): HANDOFFS,
    ("workunit_effort_seconds_total", "kind"): EFFORTS,
    ("workunit_sla_clocks", "state"): CLOCK_STATES,
    ("workunit_open_cases", "state"): CASE_STATES,
    ("workunit_open_tasks", "state"): get_args(State),
    ("workunit_proposal_reasons_total", "reason"): frozenset(WHYS) | FAILURES,
}


@dataclass(slots=True)
class Names:
    """What one unit's definitions name."""

    versions: set[str] = field(default_factory=lambda: {"unknown"})
    steps: dict[str, str] = field(default_factory=dict)
    """The executor of each."""
    codes: dict[str, set[str]] = field(default_factory=dict)
    """The business exceptions of each step."""
    roles: dict[str, str] = field(default_factory=dict)
    """The role of each human step."""
    targets: set[str] = field(default_factory=lambda: {"unit"})
    currencies: set[str] = field(default_factory=set)

    def learn(self, definition: Mapping[str, Any]) -> None:
        """Add what a definition names."""
        self.versions.add(definition["version"])
        for step in definition["structure"]["steps"]:
            self.steps[step["name"]] = step["executor"]
            self.codes.setdefault(step["name"], set()).update(step["raises"])
            if step["executor"] == "human":
                self.roles[step["name"]] = step["performed_by"]
            self.targets.update(f"{step['name']}.{name}" for name in ("start_by", "finish_by") if name in step)
        named = (name for name in definition["outcome"] if name.startswith("target "))
        self.targets.update(name.removeprefix("target ") for name in named)
        self.currencies.update(rate.split()[1].partition("/")[0] for rate in definition["learning"]["rates"].values())


class Known:
    """All names that labels may take."""

    def __init__(self, catalog: Catalog, kept: Iterable[Mapping[str, Any]] = ()) -> None:
        """Learn from the catalog.

        Args:
            catalog: What is loaded.
            kept: Definitions that the ledger has.
        """
        self.units: dict[str, Names] = {}
        for definition in (*kept, *map(describe, catalog)):
            self.units.setdefault(definition["unit"], Names()).learn(definition)

    @classmethod
    def load(cls, catalog: Catalog, connection: Connection) -> Known:
        """Learn from catalog and ledger."""
        return cls(catalog, connection.execute(select(definitions.c.definition)).scalars())

    def fit(self, metric: Metric, values: Iterable[str]) -> tuple[str, ...]:
        """The values with `other` for what nobody declared."""
        given = dict(zip(metric.labels, values, strict=True))
        names = self.units.get(given.get("unit", ""))
        return tuple(
            value if value in self._allowed(metric, label, names, given) else OTHER for label, value in given.items()
        )

    def _allowed(self, metric: Metric, label: str, names: Names | None, given: Mapping[str, str]) -> Collection[str]:
        fixed = _BY_METRIC.get((metric.name, label)) or _FIXED.get(label)
        if fixed is not None or names is None:
            return fixed or ()
        codes = set().union(*names.codes.values())
        allowed: dict[str, Collection[str]] = {
            "unit": self.units,
            "version": names.versions,
            "step": {*names.steps, "unit"},
            "code": codes | FAILURES,
            "reason": codes | REASONS,
            "role": {names.roles.get(given.get("step", ""), OTHER)},
            "target": names.targets,
            "currency": names.currencies,
            "measure": LEARNED,
            "statistic": STATISTICS,
        }
        return allowed[label]
