"""The label sets that are known from the catalog: they are exported at zero from the start.

`increase()` cannot see a counter that is born with its first value.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import get_args

from observability.ledger.totals import COUNT, SUM, Series
from observability.metrics.contract import BUCKETS
from observability.metrics.known import (
    CASE_STATES,
    CLOCK_STATES,
    CLOSES,
    CORRECTIONS,
    EFFORTS,
    ENDS,
    HANDOFFS,
    RESULTS,
)
from workunits.core.lifecycle import State
from workunits.core.parts import PARTS
from workunits.core.unit import WorkUnit
from workunits.registry import Catalog

_BARE = (
    "started",
    "closed_outside",
    "exception_cases",
    "rework_cases",
    "first_pass_cases",
    "straight_through_cases",
    "rework_seconds",
)
_FINAL = ("completed", "failed", "skipped", "expired", "cancelled")
_ENDED = {"human": ENDS, "automated": ("done", "exception", "failed", "cancelled")}


def totals(catalog: Catalog) -> Iterator[Series]:
    """The series of totals; of the histograms all parts."""
    for unit in catalog:
        for metric, labels in _counters(unit):
            yield f"workunit_{metric}_total", labels, COUNT
        for metric, labels in _histograms(unit):
            for part in (COUNT, SUM, *(f"{bound:.0f}" for bound in BUCKETS), "+Inf"):
                yield f"workunit_{metric}_seconds", labels, part


def gauges(catalog: Catalog) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The series of gauges."""
    for unit in catalog:
        named = unit.unit_name, unit.version
        for state in CASE_STATES:
            yield "workunit_open_cases", (*named, state)
        yield "workunit_oldest_case_age_seconds", named
        for gauge in ("review_overdue", "unjudged_versions", "baseline_stale"):
            yield f"workunit_{gauge}", (unit.unit_name,)
        for target, state in product((one.name for one in unit.promised), CLOCK_STATES):
            yield "workunit_sla_clocks", (*named, target, state)
        for step in unit.steps:
            if step.kind == "human":
                for state in (state for state in get_args(State) if state not in _FINAL):
                    yield "workunit_open_tasks", (unit.unit_name, step.name, step.role, state)
                yield "workunit_oldest_task_age_seconds", (unit.unit_name, step.name, step.role)
            elif step.after == "incident":
                yield "workunit_open_incidents", (unit.unit_name, step.name)


def _counters(unit: type[WorkUnit]) -> Iterator[tuple[str, tuple[str, ...]]]:
    named = unit.unit_name, unit.version
    for metric in _BARE:
        yield metric, named
    for metric, values in (
        ("closed", CLOSES),
        ("corrections", CORRECTIONS),
        ("handoffs", HANDOFFS),
        ("part_seconds", PARTS),
        ("effort_seconds", EFFORTS),
        ("cost", {rate.currency for rate in unit.learning.rates.values()}),
    ):
        for value in sorted(values):
            yield metric, (*named, value)
    yield "close_reasons", (*named, "not_achieved", "outcome_not_met")
    for target, result in product((one.name for one in unit.promised), RESULTS):
        yield "sla", (*named, target, result)
    for step in unit.steps:
        labels = (*named, step.name, step.kind)
        yield "step_attempts", labels
        for ended in _ENDED.get(step.kind, _ENDED["automated"]):
            yield "steps", (*labels, ended)
        for raised in step.raises:
            yield "exceptions", (*named, step.name, raised.code)
            yield "close_reasons", (*named, "not_achieved", raised.code)


def _histograms(unit: type[WorkUnit]) -> Iterator[tuple[str, tuple[str, ...]]]:
    named = unit.unit_name, unit.version
    yield "external_wait", named
    for metric, close in product(("cycle_time", "lead_time"), CLOSES):
        yield metric, (*named, close)
    for step in unit.steps:
        labels = (*named, step.name, step.kind)
        yield "step_queue", labels
        yield "step_work", labels
        if step.kind == "human":
            yield "claim_to_complete", labels[:3]
