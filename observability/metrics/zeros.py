"""The label sets that are known from the catalog: they are exported at zero from the start.

`increase()` cannot see a counter that is born with its first value.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, get_args

from observability.ledger.totals import COUNT, SUM, Series
from observability.metrics.contract import BY_NAME, OTHER
from observability.metrics.known import (
    AI_FAILURES,
    CASE_STATES,
    CLOCK_STATES,
    CLOSE_REASONS,
    CLOSES,
    CORRECTIONS,
    DECISIONS,
    EFFORTS,
    ENDS,
    HANDOFFS,
    RESULTS,
    STEP_FAILURES,
    UNIT_FAILURES,
    WHYS,
)
from workunits.core.autonomy import LEVELS
from workunits.core.lifecycle import State
from workunits.core.parts import PARTS
from workunits.core.spec import Step
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
_LEVELS = {"auto": LEVELS[4:], "review": LEVELS[2:], "dual_review": LEVELS[2:], "human_only": LEVELS}
"""At which levels a route may be."""
_ENDED = {"human": ENDS, "automated": ("done", "exception", "failed", "cancelled")}


def totals(catalog: Catalog) -> Iterator[Series]:
    """The series of totals; of the histograms all parts."""
    for unit in catalog:
        for metric, labels in _counters(unit):
            yield f"workunit_{metric}_total", labels, COUNT
        for metric, labels in _histograms(unit):
            known = BY_NAME[f"workunit_{metric}"]
            for part in (COUNT, SUM, *known.parts):
                yield known.name, labels, part


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
            if step.asks_person:
                for state in (state for state in get_args(State) if state not in _FINAL):
                    yield "workunit_open_tasks", (unit.unit_name, step.name, step.role, state)
                yield "workunit_oldest_task_age_seconds", (unit.unit_name, step.name, step.role)
            elif step.after == "incident":
                yield "workunit_open_incidents", (unit.unit_name, step.name)
            if step.kind == "hybrid":
                yield "workunit_autonomy_stopped", (unit.unit_name, step.name)


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
    for close, reason in CLOSE_REASONS:
        yield "close_reasons", (*named, close, reason)
    for target, result in product((one.name for one in unit.promised), RESULTS):
        yield "sla", (*named, target, result)
    for step in unit.steps:
        yield from _of_step(named, step)


def _of_step(named: tuple[str, str], step: Step[Any, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for executor in executors(step):
        labels = (*named, step.name, executor)
        yield "step_attempts", labels
        for ended in _ENDED.get(executor, _ENDED["automated"]):
            yield "steps", (*labels, ended)
    if step.kind == "hybrid":
        yield from _proposals((*named, step.name))
    for code in _failures(step):
        yield "technical_failures", (*named, step.name, code)
    for raised in step.raises:
        yield "exceptions", (*named, step.name, raised.code)
        yield "close_reasons", (*named, "not_achieved", raised.code)


def _proposals(step: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for metric in ("proposal_shown", "proposal_overrides", "blind", "blind_disagreements", "ai_cost_usd"):
        yield metric, step
    for decision in DECISIONS:
        yield "proposal_decisions", (*step, decision)
    for reason in sorted({*WHYS, *STEP_FAILURES, *AI_FAILURES, OTHER}):
        yield "proposal_reasons", (*step, reason)
    for route, levels in _LEVELS.items():
        for level in levels:
            yield "proposals", (*step, route, level)


def _histograms(unit: type[WorkUnit]) -> Iterator[tuple[str, tuple[str, ...]]]:
    named = unit.unit_name, unit.version
    yield "external_wait_seconds", named
    for metric, close in product(("cycle_time_seconds", "lead_time_seconds"), CLOSES):
        yield metric, (*named, close)
    for step in unit.steps:
        for executor in executors(step):
            labels = (*named, step.name, executor)
            yield "step_queue_seconds", labels
            yield "step_work_seconds", labels
        if step.asks_person:
            yield "claim_to_complete_seconds", (*named, step.name)
        if step.kind == "hybrid":
            for metric in ("proposal_confidence", "proposal_latency_seconds"):
                yield metric, (*named, step.name)


def _failures(step: Step[Any, Any]) -> tuple[str, ...]:
    """How a machine step may fail for good; Python's own exceptions are many, and are born with their first."""
    if step.kind == "human":
        return ()
    if step.kind == "unit":
        return (*UNIT_FAILURES, OTHER)
    return (*STEP_FAILURES, *(AI_FAILURES if step.kind in ("ai", "hybrid") else ()), OTHER)


def executors(step: Step[Any, Any]) -> tuple[str, ...]:
    """Who may be seen performing a step: of a hybrid one the model proposes, and a person decides."""
    return ("ai", "human") if step.kind == "hybrid" else (step.kind,)
