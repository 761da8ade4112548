"""Forecasts as text: the open cases with their probabilities, and how good such forecasts would have been."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from workers.console import note
from workers.pages.tables import Cell, line, table
from workers.pages.words import distance, short_span

if TYPE_CHECKING:
    from observability.learning.backtest import Backtest
    from observability.learning.forecast import Forecast

_BAR = 20
"""Signs of a share of one."""


def show_forecasts(found: Sequence[Forecast], limit: int, now: datetime) -> None:
    """Print open cases, the most probable breach first."""
    if not found:
        note("No open case has a due time.")
        return
    rows = [_row(one, now) for one in found[:limit]]
    table(("CASE", "STEP", ">IN IT FOR", "DUE", ">BREACH", "FROM"), rows)
    if len(found) > limit:
        line()
        line(f"These are the first {limit} of {len(found)}; for more: --limit")


def show_backtest(tested: Backtest) -> None:
    """Print how good forecasts would have been."""
    if tested.brier is None or tested.brier_due_only is None:
        line(f"Too little has closed for a forecast of {tested.unit}: there is nothing to test.")
        return
    line(f"Forecasts of {tested.unit} would have been {_judged(tested)}.", style="bold")
    line()
    counted = f"{tested.n} forecasts of {tested.cases} cases at {tested.moments} moments"
    line(f"{counted}; {tested.silent} with too little data")
    shares = f"; of always saying the share that was broken {tested.brier_share:.4f}" if tested.brier_share else ""
    line(f"Brier score {tested.brier:.4f}; of the due time alone {tested.brier_due_only:.4f}{shares}")
    line("0 is perfect, less is better")
    line()
    rows = [
        (
            f"{one.low:.0%} to {one.high:.0%}",
            str(one.broken.n),
            f"{one.forecast:.1%}",
            f"{one.broken.share:.1%}",
            f"{one.broken.low:.1%} to {one.broken.high:.1%}",
            "#" * round(one.broken.share * _BAR),
        )
        for one in tested.bins
    ]
    table(("FORECAST", ">N", ">MEAN", ">BROKEN", "INTERVAL OF 95 %", ""), rows)


def _judged(tested: Backtest) -> str:
    """By how much they are better than forecasts that know less, if they are."""
    if tested.brier is not None and tested.brier_share is not None and tested.brier >= tested.brier_share:
        return "no better than always saying the share that was broken"
    skill = tested.skill or 0
    return f"{skill:.0%} better than the due time alone" if skill > 0 else "no better than the due time alone"


def _row(one: Forecast, now: datetime) -> Sequence[Cell]:
    if one.basis == "passed":
        said, basis = "broken", "the due time has passed"
    elif one.probability is None:
        said, basis = "-", "too little data"
    else:
        whose = f"version {one.version}" if one.basis == "version" else "all versions"
        said, basis = f"{one.probability:.0%}", f"{one.closes} closes, {whose}"
    return one.case, one.step or "(between steps)", short_span(now - one.since), distance(one.due, now), said, basis
