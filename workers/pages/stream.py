"""A value stream as text: how its units do, what flows between them, and what limits it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from workers.pages.words import micro, moment, plain

if TYPE_CHECKING:
    from observability.learning.estimates import Rate, Spread
    from observability.learning.stream import Cost, Stream, UnitView

_ABSENT = "-"
_NAME, _CELL = 26, 11


def page(stream: Stream) -> str:
    """The whole page."""
    return "\n".join(line.rstrip() for line in _lines(stream))


def _lines(stream: Stream) -> Iterator[str]:
    yield f"{plain(stream.name)}: {moment(stream.since)} until {moment(stream.until)}"
    yield f"{stream.threads} threads of cases, {stream.open_threads} of them with a case open at the end"
    yield f"main line: {' > '.join(stream.main_line)}; the stream's outcome is that of {stream.last}"
    yield ""
    yield from unit_table(stream.units)
    yield ""
    yield "Outcome flows (achieved outcomes that went on; a thread may go on to several units at once):"
    yield from _flows(stream)
    yield ""
    yield from _whole(stream)
    yield ""
    yield "Roles (touch over available working hours, the highest first):"
    yield from load_table(stream)
    yield ""
    yield from constraint_lines(stream)


def unit_table(units: Iterable[UnitView]) -> Iterator[str]:
    """One line for each unit."""
    heads = ("closed", "open", "mean WIP", "a week", "attained", "on time", "exceptions", "first pass", "cycle, med.")
    yield f"{'':{_NAME}}" + "".join(f"{head:>{_CELL + 1}}" for head in heads)
    for view in units:
        yield _unit(view)


def _unit(view: UnitView) -> str:
    figures = view.figures
    cells = (
        str(figures.n),
        str(view.open),
        f"{view.mean_open:.1f}",
        f"{view.per_week:.1f}",
        share(figures.outcome_attainment),
        share(figures.on_time),
        share(figures.exception_rate),
        share(figures.first_pass_yield),
        median(figures.cycle),
    )
    return f"{view.unit:{_NAME}}" + "".join(f"{cell:>{_CELL + 1}}" for cell in cells)


def _flows(stream: Stream) -> Iterator[str]:
    if not stream.flows:
        yield "  none: no case followed on another"
    for flow in stream.flows:
        how = "performs" if flow.inside else ">"
        other = f" and {flow.after_other} after another end" if flow.after_other else ""
        gap = f"; handover {median(flow.handover)} (median)" if flow.handover else ""
        yield f"  {flow.source} {how} {flow.target}: {flow.after_achieved}{other}{gap}"
    for view in stream.units:
        if view.ended_here:
            yield f"  {view.unit}: {view.ended_here} of {view.achieved} achieved outcomes went no further"


def _whole(stream: Stream) -> Iterator[str]:
    roll = stream.roll_up
    yield f"All units together, {roll.closed} closed cases:"
    for name, rate in (
        ("outcome attainment", roll.attainment),
        ("on time", roll.on_time),
        ("exception rate", roll.exceptions),
        ("first-pass yield", roll.first_pass),
    ):
        yield f"  {name:24}{share(rate)}{_interval(rate)}"
    rolled = _ABSENT if roll.rolled_yield is None else f"{roll.rolled_yield:.1%}"
    yield f"  {'rolled yield':24}{rolled}  (product of first-pass yields along the main line)"
    clean = roll.clean_threads
    counted = (
        f"  ({clean.count} of {clean.n} delivered threads had no exception and no rework anywhere)" if clean else ""
    )
    yield f"  {'clean all the way':24}{share(clean)}{counted}"
    yield f"  {'cost of an outcome':24}{_cost(stream.cost)}"
    yield f"Lead time, first request accepted to the outcome of {stream.last}: {_spread(stream.lead)}"
    for lead in stream.leads:
        yield f"  threads that ended at {lead.unit}: {_spread(lead.times)}"


def load_table(stream: Stream) -> Iterator[str]:
    """One line for each role."""
    heads = ("tasks", "touch h", "people", "available h", "ratio", "mean queue", "a week")
    yield f"  {'':{_NAME}}" + "".join(f"{head:>{_CELL + 1}}" for head in heads)
    for load in stream.loads:
        queue = load.queue
        cells = (
            str(load.tasks),
            _number(load.touch_hours),
            _ABSENT if load.people is None else str(load.people),
            _number(load.available_hours),
            _ABSENT if load.ratio is None else f"{load.ratio:.0%}",
            _ABSENT if queue is None else f"{queue.mean:.2f}",
            _ABSENT if queue is None else f"{queue.per_week:+.2f}",
        )
        yield f"  {plain(load.role):{_NAME}}" + "".join(f"{cell:>{_CELL + 1}}" for cell in cells)
        if load.unmeasured:
            yield f"    of {load.unmeasured} task(s) nobody said when work began: touch and ratio are at least so much"


def constraint_lines(stream: Stream) -> Iterator[str]:
    """What limits the stream, and how sure that is."""
    found = stream.constraint
    if found is None:
        yield "Constraint: not known; it needs a directory of people, a calendar, and people who say when they begin"
        return
    sure = {True: "confirmed", False: "NOT confirmed", None: "not confirmed"}[found.confirmed]
    yield f"Constraint: {plain(found.role)}, {found.ratio:.0%} of its available hours; {sure}: {found.why}"


def share(rate: Rate | None) -> str:
    """A share, or that it is not known."""
    return _ABSENT if rate is None else f"{rate.share:.1%}"


def median(spread: Spread | None) -> str:
    """A median duration, or that it is not known."""
    value = spread.median.value if spread else None
    return _ABSENT if value is None else micro(round(value))


def _interval(rate: Rate | None) -> str:
    return f"  (95 %: {rate.low:.1%} to {rate.high:.1%})" if rate else ""


def _number(value: float | None) -> str:
    return _ABSENT if value is None else f"{value:.1f}"


def _cost(cost: Cost | None) -> str:
    if cost is None:
        return "not known: it needs rates, and tasks of which people say when they begin"
    if cost.per_outcome is None:
        return f"not known: the cost of {cost.closed - cost.known} of {cost.closed} closed cases is missing"
    return f"{cost.per_outcome:.2f} {cost.currency}, everything that came to nothing included"


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return "not known: none yet"
    found = (("median", spread.median), ("p85", spread.p85), ("p95", spread.p95))
    said = [f"{name} {micro(round(at.value))}" for name, at in found if at.value is not None]
    return f"{', '.join(said)}, n={spread.n}"
