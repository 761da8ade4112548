"""The charts of a report, as SVG that stands in a page by itself."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from observability.learning.selection import Closed
from workunits.core.spec import Budget, Elapsed

_INK, _MUTED, _FILL, _LATE = "#1f2933", "#616e7c", "#3b6ea5", "#b3541e"
_PARTS = {
    "touch_human": "#3b6ea5",
    "touch_machine": "#7aa5cf",
    "rework": "#b3541e",
    "retry": "#d98b5f",
    "external_wait": "#8a7fb5",
    "off_hours": "#c4bfd8",
    "queue": "#c9a227",
    "idle": "#cbd2d9",
}
"""Colours that people with any colour vision tell apart by their lightness, too; each is named beside its bar."""
_HOUR, _DAY = 3_600_000_000, 86_400_000_000
_BINS = 30
_STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.edgecolor": _MUTED,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "workunits",
}


def cycle_times(closed: Closed, budget: Budget) -> str:
    """How long cases took, against the time that was promised; the longest twentieth shares the last bar."""
    times = closed["cycle_us"] / _HOUR
    # Working time is no place on an axis of elapsed time.
    promised = budget.span / timedelta(hours=1) if isinstance(budget, Elapsed) else None
    end = max(float(np.quantile(times, 0.95)), promised or 0.0) * 1.1 or 1.0
    figure, axes = blank(height=2.8)
    edges = np.linspace(0, end, _BINS + 1)
    counts, _ = np.histogram(np.minimum(times, end), edges)
    colours = [_LATE if promised is not None and left >= promised else _FILL for left in edges[:-1]]
    axes.bar(edges[:-1], counts, width=np.diff(edges) * 0.94, align="edge", color=colours)
    if promised is not None:
        axes.axvline(promised, color=_INK, linewidth=1.2)
        axes.annotate(f" promised: {budget}", (promised, axes.get_ylim()[1]), va="top", fontsize=9)
    axes.set_xlabel("cycle time in hours; the last bar holds all that took longer")
    axes.set_ylabel("cases")
    return svg(figure)


def where_time_goes(parts: Mapping[str, float]) -> str:
    """The mean time of a case, part by part."""
    shown = {part: span / _HOUR for part, span in parts.items() if span > 0}
    figure, axes = blank(height=0.5 + 0.32 * max(1, len(shown)))
    names = [part.replace("_", " ") for part in shown]
    axes.barh(names, list(shown.values()), color=[_PARTS[part] for part in shown])
    axes.invert_yaxis()
    total = sum(shown.values()) or 1.0
    for place, hours in enumerate(shown.values()):
        axes.annotate(f" {hours:.1f} h, {hours / total:.0%}", (hours, place), va="center", fontsize=9)
    axes.set_xlim(0, max(shown.values(), default=1.0) * 1.25)
    axes.set_xlabel("mean hours of a case")
    return svg(figure)


def trend(closed: Closed) -> str:
    """Median and 85th percentile of cycle time, week by week of the close."""
    weeks: dict[datetime, list[float]] = {}
    for at, took in zip(closed["closed_at"].tolist(), closed["cycle_us"].tolist(), strict=True):
        monday = (at - timedelta(days=at.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
        weeks.setdefault(monday, []).append(took / _HOUR)
    figure, axes = blank(height=2.6)
    at_weeks: Sequence[Any] = sorted(weeks)
    axes.plot(at_weeks, [np.median(weeks[w]) for w in at_weeks], color=_FILL, marker="o", markersize=4, label="median")
    p85 = [np.quantile(weeks[w], 0.85) for w in at_weeks]
    axes.plot(at_weeks, p85, color=_LATE, marker="s", markersize=4, linestyle="--", label="p85")
    axes.set_ylim(bottom=0)
    axes.set_ylabel("hours")
    axes.set_xlabel("week of the close (Monday, UTC)")
    axes.legend(frameon=False, fontsize=9)
    figure.autofmt_xdate(rotation=0, ha="center")
    return svg(figure)


def blank(height: float) -> tuple[Figure, Any]:
    """A figure of a page's width, of so many inches' height, and its axes."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.4, height), layout="constrained")
        return figure, figure.subplots()


def svg(figure: Figure) -> str:
    """The SVG element alone: no XML head, no date, so that the same figures give the same page."""
    written = io.StringIO()
    with mpl.rc_context(_STYLE | {"svg.fonttype": "none"}):
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = written.getvalue()
    return text[text.index("<svg") :]
