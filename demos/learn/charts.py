"""The charts of the quarter, as SVG that stands in a page by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import select

from observability.learning.charts import blank, svg
from observability.ledger.store import Ledger
from observability.ledger.tables import cases

COLOURS = {"1": "#b3541e", "2": "#3b6ea5"}
"""Told apart by their lightness, too, and by the form of their marks."""
_MARKS = {"1": "s", "2": "o"}
_MUTED = "#616e7c"
_HOUR = 3_600_000_000
_TICKS = ((0.25, "15 min"), (1, "1 h"), (4, "4 h"), (24, "1 d"), (72, "3 d"), (120, "5 d"))


@dataclass(frozen=True, slots=True)
class Dot:
    """A closed case."""

    version: str
    started: datetime
    hours: float
    """Its cycle time."""


def dots(ledger: Ledger, unit: str, since: datetime | None = None, until: datetime | None = None) -> Sequence[Dot]:
    """The closed cases of a unit that came in between two moments, in the order of their arrival."""
    wanted = select(cases).where(cases.c.unit == unit, cases.c.close.is_not(None)).order_by(cases.c.started_at)
    wanted = wanted.where(cases.c.started_at >= since) if since else wanted
    wanted = wanted.where(cases.c.started_at < until) if until else wanted
    with ledger.read() as connection:
        return [Dot(row.version, row.started_at, row.cycle_us / _HOUR) for row in connection.execute(wanted)]


def course(dots: Sequence[Dot], marks: Mapping[str, datetime], promised: timedelta) -> str:
    """Each case by its arrival, and how long it took.

    Args:
        dots: The cases.
        marks: Moments that are named.
        promised: The time within which a case is promised to be done.
    """
    figure, axes = blank(height=3.6)
    for version in sorted({dot.version for dot in dots}):
        own = [dot for dot in dots if dot.version == version]
        look = {"s": 16, "color": COLOURS[version], "marker": _MARKS[version], "alpha": 0.75, "linewidths": 0}
        axes.scatter([dot.started for dot in own], [dot.hours for dot in own], label=f"version {version}", **look)
    axes.set_yscale("log")
    axes.set_yticks([at for at, _ in _TICKS], labels=[name for _, name in _TICKS])
    axes.minorticks_off()
    axes.axhline(promised / timedelta(hours=1), color=_MUTED, linewidth=1, linestyle=":")
    for name, at in marks.items():
        axes.axvline(at, color=_MUTED, linewidth=1)
        axes.annotate(f" {name}", (at, 1.0), xycoords=("data", "axes fraction"), va="bottom", fontsize=9, color=_MUTED)
    axes.set_ylabel("cycle time, logarithmic")
    axes.set_xlabel("when the case came in (simulated time, UTC)")
    axes.legend(frameon=False, fontsize=9, loc="lower left")
    figure.autofmt_xdate(rotation=0, ha="center")
    return svg(figure)


def still_open(dots: Sequence[Dot]) -> str:
    """Which share of a version's cases has not closed after so many hours."""
    figure, axes = blank(height=2.8)
    for version in sorted({dot.version for dot in dots}):
        hours = np.sort([dot.hours for dot in dots if dot.version == version])
        left = 1 - np.arange(1, len(hours) + 1) / len(hours)
        axes.step([0, *hours], [1, *left], where="post", color=COLOURS[version], label=f"version {version}")
    axes.set_ylim(0, 1.02)
    axes.set_xlim(left=0)
    axes.set_xlabel("hours since the case came in")
    axes.set_ylabel("share still open")
    axes.legend(frameon=False, fontsize=9)
    return svg(figure)
