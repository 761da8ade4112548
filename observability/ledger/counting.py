"""What a case adds to the totals: each fact once, whoever writes its rows, and however often.

A fact has a short mark; the case's row keeps the marks of what was counted, so that a rewrite, a repair, a second
follower or a reset counts nothing again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from observability.ledger import proposal_counting
from observability.ledger.figures import HANDOFFS
from observability.ledger.totals import Example, Tally
from workunits.core.parts import PARTS

Row = Mapping[str, Any]
STARTED, CLOSED, BREACH, CLOCK, STEP, ROUTE = "s", "c", "b:", "k:", "p:", "r:"
_ACHIEVED = ("achieved", "achieved_late")
_ENDED = ("done", "exception", "failed")
"""Ends of a performance whose times say something."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The rows of one case that are counted."""

    case: Row
    steps: Sequence[Row]
    exceptions: Sequence[Row]
    clocks: Sequence[Row]
    proposals: Sequence[Row] = ()


def count(facts: Facts, before: Collection[str], tally: Tally) -> list[str]:
    """Add what was not counted yet.

    Args:
        facts: The case as it is now.
        before: The marks of what was counted.
        tally: Where it goes.

    Returns:
        All marks, to be kept with the case's row.
    """
    known = set(before)
    added = []
    for mark, put in _events(facts, known):
        if mark not in known:
            known.add(mark)
            added.append(mark)
            put(tally)
    return [*before, *added]


def _events(facts: Facts, known: Collection[str]) -> Iterator[tuple[str, Any]]:
    case, unit = facts.case, _unit(facts.case)
    if case["version"] != "unknown" or case["close"]:
        yield STARTED, lambda tally: tally.count("started", *unit)
    for step in facts.steps:
        if step["done_at"] is not None:
            yield f"{STEP}{step['key']}", lambda tally, step=step: _step(tally, case, step)
    performed = {step["key"]: step["step"] for step in facts.steps}
    for route in facts.exceptions:
        name = "exceptions" if route["business"] else "technical_failures"
        labels = (*unit, performed.get(route["key"], "unit"), route["code"])
        yield f"{ROUTE}{route['seq']}", lambda tally, name=name, labels=labels: tally.count(name, *labels)
    yield from _clocks(facts.clocks, unit, known)
    yield from proposal_counting.events(case, facts.proposals)
    if case["close"]:
        yield CLOSED, lambda tally: _close(tally, case)


def _clocks(clocks: Iterable[Row], unit: tuple[str, str], known: Collection[str]) -> Iterator[tuple[str, Any]]:
    for clock in clocks:
        target, labels = clock["target"], (*unit, clock["promise"])
        seen, ended = f"{BREACH}{target}" in known, f"{CLOCK}{target}" in known
        if clock["breached_at"] is not None:
            if ended:  # it counted as met or void, and was broken after a reset
                yield f"{BREACH}{target}", lambda tally: tally.count("corrections", *unit, "breach_late")
            else:
                yield f"{BREACH}{target}", lambda tally, labels=labels: tally.count("sla", *labels, "breached")
        result = clock["result"]
        if result in ("met", "void") and clock["breached_at"] is None:
            if seen:  # it counted as breached, and an answer in time arrived late
                yield f"{CLOCK}{target}", lambda tally: tally.count("corrections", *unit, "breach_withdrawn")
            else:
                put = (*labels, result)
                yield f"{CLOCK}{target}", lambda tally, put=put: tally.count("sla", *put)


def _step(tally: Tally, case: Row, step: Row) -> None:
    labels = (*_unit(case), step["step"], step["kind"])
    tally.count("steps", *labels, step["ended"] or "done")
    tally.count("step_attempts", *labels, by=step["attempts"])
    if step["ended"] not in _ENDED:
        return
    done: datetime = step["done_at"]
    if step["queue_us"] is not None:
        tally.observe("step_queue_seconds", step["queue_us"], *labels, example=_example(case, step["queue_us"], done))
    if not step["assigned_only"]:
        tally.observe("step_work_seconds", step["work_us"], *labels, example=_example(case, step["work_us"], done))
    if step["kind"] == "human" and step["claimed_at"] is not None:
        took = _micros(step["claimed_at"], done)
        tally.observe("claim_to_complete_seconds", took, *labels[:3], example=_example(case, took, done))


def _close(tally: Tally, case: Row) -> None:
    unit, close = _unit(case), case["close"]
    tally.count("closed", *unit, close)
    if case["reason"]:
        tally.count("close_reasons", *unit, close, case["reason"])
    flags = {
        "closed_outside": case["closed_outside"],
        "exception_cases": case["exceptions"] > 0,
        "rework_cases": case["reworked"],
        "first_pass_cases": close in _ACHIEVED and not case["reworked"] and not case["exceptions"],
        "straight_through_cases": not case["human_touches"],
    }
    for name, holds in flags.items():
        tally.count(name, *unit, by=int(bool(holds)))
    for kind in HANDOFFS:
        tally.count("handoffs", *unit, kind, by=case[f"handoffs_{kind}"])
    for part in PARTS:
        tally.count("part_seconds", *unit, part, by=case[f"{part}_us"])
    for kind in ("human", "machine"):
        tally.count("effort_seconds", *unit, kind, by=case[f"{kind}_effort_us"])
    tally.count("rework_seconds", *unit, by=case["rework_effort_us"])
    if case["cost"] is not None:
        tally.count("cost", *unit, case["currency"], by=round(case["cost"] * 1_000_000))
    at = case["closed_at"]
    for name, column, labels in (
        ("cycle_time_seconds", "cycle_us", (*unit, close)),
        ("lead_time_seconds", "lead_us", (*unit, close)),
        ("external_wait_seconds", "external_us", unit),
    ):
        tally.observe(name, case[column], *labels, example=_example(case, case[column], at))


def _unit(case: Row) -> tuple[str, str]:
    return case["unit"], case["version"]


def _example(case: Row, micros: int, at: datetime) -> Example:
    return Example(case["case_id"], case["trace_id"], micros, at)


def _micros(since: datetime, until: datetime) -> int:
    taken = until - since
    return max(0, (taken.days * 86_400 + taken.seconds) * 1_000_000 + taken.microseconds)
