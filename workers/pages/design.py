"""The four elements of a unit and the open design decisions of a class, on a page of at most 100 columns."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from workers.design import Report
from workers.pages.words import plain, span
from workunits.core.gate import ELEMENTS, Problem
from workunits.core.spec import Elapsed, On, Rule, Step, Target
from workunits.core.unit import WorkUnit
from workunits.registry import definition_hash

WIDTH = 100
_LABEL = 11
_WIDEST = 24
"""A cell of a step's row that is wider is not padded: one long name must not push all others to the right."""


def page(reports: Sequence[Report]) -> str:
    """The whole page."""
    width = min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns) if sys.stdout.isatty() else WIDTH
    parts = ["\n".join(_report(report, max(width, 60))) for report in reports]
    return "\n\n".join([*parts, _summary(reports)])


def _report(report: Report, width: int) -> Iterator[str]:
    if report.unit:
        yield from _unit(report.unit, report, width)
    elif report.kind == "unit":
        yield f"{report.where} is no unit yet: {_count(len(report.open), 'design decision')} open"
    elif report.kind == "workflow":
        yield f"{report.where} is a plain Temporal workflow: a process waiting to be designed"
    else:
        yield f"{report.where} is neither a unit nor a Temporal workflow"
    if report.missing:
        found = [element for element in ELEMENTS if element not in report.missing]
        there = f"; found: {', '.join(found)}" if found else ""
        yield f"Of the four elements cannot be found: {', '.join(report.missing)}{there}"
    yield from _problems(report.problems, width)


def _problems(problems: Iterable[Problem], width: int) -> Iterator[str]:
    for problem in problems:
        where = problem.element if problem.field == problem.element else f"{problem.element}.{problem.field}"
        sign = "warning: " if problem.warning else ""
        yield from _wrapped("  ", f"{plain(where)}: {sign}{plain(problem.what)}", width, hang=4)
        yield from _wrapped("      ", plain(problem.remedy), width, hang=6)


def _promise(target: Target) -> str:
    within = target.within
    warned = span(within.span * target.warn) if isinstance(within, Elapsed) else f"{target.warn:.0%} of that"
    stops = f", not counting {', '.join(pause.reason for pause in target.pauses)}" if target.pauses else ""
    return f"{target}, at risk after {warned}{stops}"


def _unit(unit: type[WorkUnit], report: Report, width: int) -> Iterator[str]:
    key = f"  key {unit.key}" if unit.key else ""
    yield f"{unit.unit_name}  version {unit.version}{key}  definition {definition_hash(unit)}"
    outcome, learning = unit.outcome, unit.learning
    lines = [outcome.statement, f"SLA {_promise(outcome.target)}; accountable: {outcome.accountable}"]
    lines += [f"{one.name}: {_promise(one.target)}, from {one.since} to {one.until}" for one in unit.targets]
    yield from _element("Outcome", lines, width)
    yield from _element("Logic", [_rule(rule) for rule in unit.rules] or ["no exception rules"], width)
    yield from _steps(unit.steps, width)
    measures = [f"{measure}; baseline: {measure.baseline}" for measure in learning.measures]
    yield from _element("Learning", [*measures, f"owner: {learning.owner}; reviewed every {learning.review}"], width)
    yield f"  {'Class':<{_LABEL}}{report.where}"


def _element(label: str, lines: Iterable[str], width: int) -> Iterator[str]:
    for line in lines:
        yield from _wrapped(f"  {label:<{_LABEL}}", plain(line), width, hang=_LABEL + 4)
        label = ""


def _steps(steps: Sequence[Step[Any, Any]], width: int) -> Iterator[str]:
    """A line for each step: name, executor, who or which queue, and what else there is to know."""
    rows = [(step.name, step.kind, plain(_who(step))) for step in steps]
    widths = [min(max(len(row[column]) for row in rows), _WIDEST) for column in range(3)]
    label = "Structure"
    for row, step in zip(rows, steps, strict=True):
        cells = "".join(f"{cell:<{size}}  " for cell, size in zip(row, widths, strict=True))
        start = f"  {label:<{_LABEL}}{cells}"
        yield from _wrapped(start, "; ".join(_notes(step)), width, hang=min(len(start), width // 2))
        label = ""


def _who(step: Step[Any, Any]) -> str:
    if step.kind == "hybrid":
        return f"{step.role}, on proposals of a model"
    if step.kind == "human":
        return step.role
    if step.kind == "unit":
        return f"unit {step.calls}"
    return "queue of cases" if step.inline else f"queue {step.kind}"


def _notes(step: Step[Any, Any]) -> Iterator[str]:
    if step.accountable:
        yield f"accountable: {plain(step.accountable)}" + ("" if step.decides else ", without a decision")
    if step.external:
        yield "outside"
    if step.inline:
        yield "inline"
    if step.raises:
        yield f"raises {', '.join(exception.code for exception in step.raises)}"
    if step.expires:
        yield f"expires after {step.expires}"
    if step.after == "incident":
        yield "a failure for good waits for an operator"
    if step.compensated_by:
        yield f"undone by {step.compensated_by.name}"
    if step.approved_by:
        yield f"does only what {step.approved_by.name} decided"
    if step.autonomy:
        yield f"begins at level {step.autonomy.level}"


def _rule(rule: Rule) -> str:
    event = rule.exception.code if isinstance(rule, On) else "technical failure"
    if rule.instead:
        then = f"{rule.instead.name} takes over"
    elif isinstance(rule, On) and rule.repair:
        often = "once" if rule.times == 1 else f"up to {rule.times} times"
        then = f"{rule.repair.name} mends the input, {often}"
    else:
        then = "the case closes, not achieved"
    if isinstance(rule, On) and rule.compensate:
        then += ", after what was done is undone"
    return f"{event} in {rule.step.name}: {then}"


def _summary(reports: Sequence[Report]) -> str:
    undecided = sum(len(report.open) for report in reports)
    warnings = sum(len(report.warnings) for report in reports)
    units = sum(report.unit is not None for report in reports)
    said = [f"{_count(units, 'unit')} with all four elements" if units else "No unit"]
    if undecided:
        said.append(f"{_count(undecided, 'design decision')} open")
    said.append(_count(warnings, "warning") if warnings else "no warning")
    return ", ".join(said) + "."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _wrapped(start: str, text: str, width: int, *, hang: int) -> list[str]:
    """Lines that begin with `start`, and go on `hang` columns in."""
    if not text:
        return [start.rstrip()]
    return textwrap.wrap(text, width, initial_indent=start, subsequent_indent=" " * hang, break_on_hyphens=False)
