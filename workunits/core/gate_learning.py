"""The part of the four-element test that reads the learning loop: each problem as (field, what, remedy)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from .gate_facts import Found, budget, is_function, is_number, is_role, is_text, mapping, members, name_of, shown, text
from .spec import MEASURES, Elapsed, Learning, Measure, Rate, Step

STATISTICS = ("median", "p85", "p95")
DURATIONS = frozenset({"cycle_time"})
AMOUNTS = frozenset({"handoffs", "cost_per_outcome"})
"""Measures that may be any number from 0; the others are shares, from 0 to 1."""
_MORE_IS_BETTER = frozenset({"outcome_attainment", "on_time", "sla_attainment", "first_pass_yield"})
_LESS_IS_BETTER = frozenset({"cycle_time", "exception_rate", "rework_rate", "override_rate", "cost_per_outcome"})
_BASELINE = 'Say what it is compared with: baseline="the first 100 cases of version 1"'


def learning_problems(learning: Learning) -> Iterator[Found]:
    """What the learning loop leaves undecided."""
    if not is_role(learning.owner):
        yield "owner", "nobody owns the unit's improvement", 'Name a role: owner="..."'
    yield from budget("review", learning.review, "no review interval", "elapsed(days=30)")
    measures = members(learning.measures)
    if measures is None and learning.measures is not None:
        what = f"{name_of(learning.measures)} is no tuple of measures"
        yield "measures", what, "Write measures=(Measure(...),): a tuple, also of one"
    elif not measures:
        yield "measures", "nothing is measured", f"Choose from {', '.join(MEASURES)}"
    for place, measure in enumerate(measures or (), 1):
        if isinstance(measure, Measure):
            yield from _measure(measure)
        else:
            yield f"measures.{place}", f"{name_of(measure)} is no measure", "Write Measure(...)"
    known = [m for m in measures or () if isinstance(m, Measure) and _known(m)]
    for (name, _), times in Counter((m.name, text(m.at)) for m in known).items():
        if times > 1:
            yield f"measures.{name}", f"it is there {times} times", "Keep one"
    yield from _rates(learning.rates)
    if not (learning.segment is None or is_function(learning.segment)):
        yield "segment", "no function names the segment of a case", "Write segment=lambda case: case.product"


def learning_doubts(learning: Learning, steps: Sequence[Step[Any, Any]]) -> Iterator[Found]:
    """What in the learning loop looks like a slip, although it can be read."""
    measures = [m for m in members(learning.measures) or () if isinstance(m, Measure) and _known(m)]
    for measure in (m for m in measures if (m.at_most is None) != (m.at_least is None)):
        if measure.at_least is None and measure.name in _MORE_IS_BETTER:
            yield f"measures.{measure.name}", "its target is a ceiling, and more is better", "Write at_least=..."
        if measure.at_most is None and measure.name in _LESS_IS_BETTER:
            yield f"measures.{measure.name}", "its target is a floor, and less is better", "Write at_most=..."
    overridable = any(text(step.kind) == "hybrid" for step in steps)
    if any(measure.name == "override_rate" for measure in measures) and not overridable:
        remedy = "Leave it out, or write the step as hybrid(...)"
        yield "measures.override_rate", "no step of this unit is hybrid, so nobody overrides a model", remedy
    rates = mapping(learning.rates) or {}
    if not rates and any(measure.name == "cost_per_outcome" for measure in measures):
        remedy = 'Say what an hour costs: rates={"reviewer": Rate(42)}'
        yield "rates", "a cost is measured, and no role has a rate", remedy
    roles = {text(step.role) or "" for step in steps if text(step.kind) in ("human", "hybrid")}
    for role in rates:
        if isinstance(role, str) and role not in roles:
            yield "rates", f"{shown(role)} performs no step of this unit", f"Name one of {_listed(roles)}"


def _known(measure: Measure) -> bool:
    return text(measure.name) in MEASURES


def _measure(measure: Measure) -> Iterator[Found]:
    where = f"measures.{measure.name}" if _known(measure) else "measures"
    if not _known(measure):
        yield where, f"{shown(measure.name)} is no measure", f"Choose from {', '.join(MEASURES)}"
    targets = [bound for bound in (measure.at_most, measure.at_least) if bound is not None]
    if len(targets) != 1:
        what = "no target" if not targets else "two targets"
        yield where, what, "Write one of at_most=... and at_least=..."
    elif _known(measure):
        yield from ((where, what, remedy) for what, remedy in _target(measure.name, targets[0]))
    if _known(measure):
        yield from ((where, what, remedy) for what, remedy in _statistic(measure))
    if not is_text(measure.baseline):
        yield where, "no baseline plan", _BASELINE


def _target(name: str, bound: object) -> Iterator[tuple[str, str]]:
    if name in DURATIONS:
        yield from ((what, remedy) for _, what, remedy in budget("", bound, "no target", "elapsed(hours=4)"))
    elif isinstance(bound, Elapsed):
        yield "its target is a time", "Write a number" if name in AMOUNTS else "Write a share, such as 0.95"
    elif not is_number(bound) or bound < 0:
        yield "its target is no number from 0", "Write a number such as 2" if name in AMOUNTS else "Write 0.95"
    elif name not in AMOUNTS and bound > 1:
        yield "its target is no share from 0 to 1", "Write 0.95 for 95 %"


def _statistic(measure: Measure) -> Iterator[tuple[str, str]]:
    at, remedy = text(measure.at), f"Write at= one of {', '.join(STATISTICS)}"
    if measure.name in DURATIONS:
        if at == "":
            yield "it does not say which statistic of the durations", remedy
        elif at not in STATISTICS:
            yield f"{shown(measure.at)} is no statistic", remedy
    elif at != "":
        yield "it is no duration, so it has no statistic", "Leave at= out"


def _rates(rates: object) -> Iterator[Found]:
    remedy = 'Write rates={"reviewer": Rate(42)}'
    given = mapping(rates)
    if given is None:
        yield "rates", f"{name_of(rates)} does not say what an hour of a role costs", remedy
    for role, rate in (given or {}).items():
        if not is_role(role):
            yield "rates", f"{shown(role)} is no role", remedy
        if not isinstance(rate, Rate):
            yield "rates", f"{name_of(rate)} is no rate", remedy
        elif not is_number(rate.per_hour) or rate.per_hour < 0 or not is_text(rate.currency):
            yield "rates", "an hour costs a number from 0, in a currency", 'Write Rate(42, "EUR")'


def _listed(roles: set[str]) -> str:
    return ", ".join(sorted(roles)) or "the roles of its human steps; it has none"
