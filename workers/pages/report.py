"""A unit's report as text: each figure, and beside it the baseline's where there is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from workers.pages.words import micro, moment, plain

if TYPE_CHECKING:
    from observability.learning.breakdown import Performed
    from observability.learning.estimates import Rate, Spread
    from observability.learning.report import Figures, Report

_NAME, _N, _CELL = 26, 8, 16
_ABSENT = "-"
_HANDOFFS = {"hh": "human-human", "hm": "human-machine", "mh": "machine-human", "mm": "machine-machine"}


def page(report: Report, baseline: Mapping[str, Any] | None, named: str = "") -> str:
    """The whole report.

    Args:
        report: What was computed.
        baseline: The baseline's figures, as JSON values.
        named: The baseline's name.
    """
    return "\n".join(line.rstrip() for line in _lines(report, baseline or {}, named))


def _lines(report: Report, baseline: Mapping[str, Any], named: str) -> Iterator[str]:
    figures, asked = report.figures, report.asked
    window = f" from {moment(asked.since)}" if asked.since else ""
    window += f" until {moment(asked.until)}" if asked.until else ""
    version = f", version {asked.version}" if asked.version else ""
    yield f"{asked.unit}{version}: cases closed{window or ' at any time'}"
    as_of = moment(asked.as_of or report.made_at)
    yield f"n = {figures.n} as of {as_of}; beside them {report.open.n} open, {report.open.past_due} of them past due"
    yield f"metric definitions {report.metrics}" + (f"; baseline {plain(named)}" if named else "; no baseline")
    if not figures.n:
        return
    yield ""
    yield f"{'':{_NAME}}{'n':>{_N}}  {'median':<{_CELL}}{'p85':<{_CELL}}{'p95':<{_CELL}}{'baseline median':<{_CELL}}"
    yield _spread("cycle time", figures.cycle, baseline.get("cycle_time_us"))
    yield _spread("lead time", figures.lead, None)
    yield _spread("queue, of a case", figures.queue, None)
    yield _spread("queue, of a task", figures.task_queue, baseline.get("queue_us"))
    yield _spread("touch, people", figures.touch_human, baseline.get("touch_human_us"))
    if figures.touch_human_unmeasured:
        yield f"  {figures.touch_human_unmeasured} case(s) left out: nobody said when work began"
    yield _spread("touch, machines", figures.touch_machine, baseline.get("touch_machine_us"))
    yield _spread("external wait", figures.external_wait, baseline.get("external_wait_us"))
    yield _shares("flow efficiency", figures.flow_efficiency, baseline.get("flow_efficiency"))
    if baseline:
        yield "  The baseline's queue is of a piece of work; its touch, flow efficiency of cases with work in the log"
    yield ""
    yield f"{'':{_NAME}}{'n':>{_N}}  {'share':<{_CELL}}{'interval of 95 %':<{_CELL + 4}}{'baseline':<{_CELL}}"
    yield from _rates(figures, baseline)
    yield ""
    yield from _rest(figures)


def _rates(figures: Figures, baseline: Mapping[str, Any]) -> Iterator[str]:
    exceptions = baseline.get("exceptions") or {}
    yield _rate("outcome attainment", figures.outcome_attainment, baseline.get("attainment"))
    yield _rate("on time", figures.on_time, None)
    yield _rate("SLA attainment", figures.sla_attainment, baseline.get("sla"))
    if figures.sla_void:
        yield f"  {figures.sla_void} case(s) void: they ended in time, without an outcome"
    yield _rate("first-pass yield", figures.first_pass_yield, baseline.get("first_pass_yield"))
    yield _rate("straight through", figures.straight_through, baseline.get("straight_through"))
    yield _rate("rework", figures.rework_rate, baseline.get("rework"))
    if figures.override_rate is not None:
        yield _rate("overridden", figures.override_rate, baseline.get("overrides"))
    yield _rate("exceptions", figures.exception_rate, exceptions.get("any"))
    for code, rate in figures.exceptions.items():
        yield _rate(f"  {plain(code)}", rate, (exceptions.get("by_code") or {}).get(code))


def _rest(figures: Figures) -> Iterator[str]:
    yield "closed as       " + ", ".join(f"{close} {count}" for close, count in figures.closes.items())
    spent = sum(figures.parts.values())
    shown = [(part, span) for part, span in figures.parts.items() if span]
    for place, (part, span) in enumerate(sorted(shown, key=lambda one: -one[1])):
        head = "where time goes" if not place else ""
        yield f"{head:<16}{part.replace('_', ' '):<14} {micro(round(span)):>14}  {span / spent:>4.0%}"
    yield "handoffs a case " + ", ".join(f"{_HANDOFFS[kind]} {mean:.2f}" for kind, mean in figures.handoffs.items())
    cost = figures.cost
    if cost is None:
        yield "cost            not known: it needs rates, and tasks of which people say when they begin"
    elif cost.per_achieved is None:
        yield f"cost            known of {cost.n} of {figures.n} case(s) only, so not of an achieved outcome"
    else:
        yield f"cost            {cost.per_achieved:.2f} {cost.currency} for each achieved outcome"
    for name, (mean, n) in figures.quality.items():
        yield f"quality         {plain(name)}: {mean:.3g} on average, of {n} case(s)"


def breakdown_page(found: Mapping[str, Performed] | Mapping[str, Figures], by: str) -> str:
    """The breakdown, one line each."""
    lines = ["", f"By {by}:"]
    if by == "segment":
        lines.append(f"{'':{_NAME}}{'n':>{_N}}  {'cycle, median':<{_CELL}}{'p85':<{_CELL}}{'on time':<{_CELL}}")
        lines += [_segment(name, figures) for name, figures in found.items()]
    else:
        heads = ("queue, median", "work, median", "work, p85", "exceptions", "failures")
        lines.append(f"{'':{_NAME}}{'n':>{_N}}  " + "".join(f"{head:<{_CELL}}" for head in heads))
        lines += [_performed(name, performed) for name, performed in found.items()]
    return "\n".join(line.rstrip() for line in lines)


def _segment(name: str, figures: Any) -> str:
    cycle, on_time = figures.cycle, figures.on_time
    cells = (_at(cycle, "median"), _at(cycle, "p85"), f"{on_time.share:.1%}" if on_time else _ABSENT)
    return f"{plain(name):<{_NAME}}{figures.n:>{_N}}  " + "".join(f"{cell:<{_CELL}}" for cell in cells)


def _performed(name: str, performed: Any) -> str:
    shares = [f"{rate.share:.1%}" if rate else _ABSENT for rate in (performed.exceptions, performed.failures)]
    spans = [_at(performed.queue, "median"), _at(performed.work, "median"), _at(performed.work, "p85")]
    shown = f"{plain(name)} ({performed.kind})" if name != performed.kind else name
    return f"{shown:<{_NAME}}{performed.n:>{_N}}  " + "".join(f"{cell:<{_CELL}}" for cell in (*spans, *shares))


def _at(spread: Any, name: str) -> str:
    value = getattr(spread, name).value if spread else None
    return _ABSENT if value is None else micro(round(value))


def _spread(name: str, spread: Spread | None, before: Mapping[str, Any] | None) -> str:
    cells = [_at(spread, at) for at in ("median", "p85", "p95")]
    old = (before or {}).get("median", {}).get("value")
    cells.append(_ABSENT if old is None else micro(round(old)))
    return f"{name:<{_NAME}}{spread.n if spread else 0:>{_N}}  " + "".join(f"{cell:<{_CELL}}" for cell in cells)


def _shares(name: str, spread: Spread | None, before: Mapping[str, Any] | None) -> str:
    values = [getattr(spread, at).value if spread else None for at in ("median", "p85", "p95")]
    values.append((before or {}).get("median", {}).get("value"))
    cells = [_ABSENT if value is None else f"{value:.1%}" for value in values]
    return f"{name:<{_NAME}}{spread.n if spread else 0:>{_N}}  " + "".join(f"{cell:<{_CELL}}" for cell in cells)


def _rate(name: str, rate: Rate | None, before: Mapping[str, Any] | None) -> str:
    cells = ["-", "-"] if rate is None else [f"{rate.share:.1%}", f"{rate.low:.1%} to {rate.high:.1%}"]
    old = f"{before['share']:.1%}" if before else _ABSENT
    shown = f"{cells[0]:<{_CELL}}{cells[1]:<{_CELL + 4}}{old:<{_CELL}}"
    return f"{name:<{_NAME}}{rate.n if rate else 0:>{_N}}  {shown}"
