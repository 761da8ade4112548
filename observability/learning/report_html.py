"""A report as one page that stands by itself: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from observability.learning import charts
from observability.learning.report import Report
from observability.learning.selection import closed_cases
from observability.ledger.store import Ledger
from observability.output import opened
from workunits.core.unit import WorkUnit

_SPREADS = (
    ("cycle", "Cycle time", "cycle_time_us"),
    ("lead", "Lead time", ""),
    ("queue", "Queue, of a case", ""),
    ("task_queue", "Queue, of a task", "queue_us"),
    ("touch_human", "Touch, people", "touch_human_us"),
    ("touch_machine", "Touch, machines", "touch_machine_us"),
    ("external_wait", "External wait", "external_wait_us"),
)
_RATES = (
    ("outcome_attainment", "Outcome attainment", "attainment"),
    ("on_time", "On time", ""),
    ("sla_attainment", "SLA attainment", "sla"),
    ("first_pass_yield", "First-pass yield", "first_pass_yield"),
    ("straight_through", "Straight through", "straight_through"),
    ("rework_rate", "Rework", "rework"),
    ("override_rate", "Overridden, of models' proposals", "overrides"),
    ("exception_rate", "Exceptions", "exceptions.any"),
)


def write_page(
    path: Path,
    report: Report,
    unit: type[WorkUnit],
    baseline: Mapping[str, Any] | None,
    ledger: Ledger,
    *,
    replace: bool = False,
) -> None:
    """Write the page; it is there whole, or not at all.

    Args:
        path: Where.
        report: What was computed.
        unit: For its four elements.
        baseline: The baseline's figures, where there is one.
        ledger: For the charts.
        replace: Whether a file that is there is replaced.

    Raises:
        OutputExistsError, LedgerUnavailableError, OSError: nothing was written.
    """
    with ledger.read() as connection:
        closed = closed_cases(connection, report.asked)
    drawn = {}
    if len(closed):
        drawn = {
            "Cycle time against the promise": charts.cycle_times(closed, unit.outcome.target.within),
            "Where the time goes": charts.where_time_goes(report.figures.parts),
            "Week by week": charts.trend(closed),
        }
    known = {**baseline, "exceptions.any": (baseline.get("exceptions") or {}).get("any")} if baseline else {}
    text = (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            unit=unit,
            figures=report.figures,
            baseline=known,
            charts=drawn,
            spreads=_SPREADS,
            rates=_RATES,
        )
    )
    with opened(path, replace=replace) as file:
        file.write(text.encode())


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("observability.learning"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"span": _span, "share": _share, "when": _when}
    return made


def _span(microseconds: float | None) -> str:
    """A duration in its two largest units; a dash where it is not known."""
    if microseconds is None:
        return "\N{EN DASH}"
    left = timedelta(microseconds=round(microseconds))
    days, rest = left.days, left.seconds
    hours, minutes, seconds = rest // 3600, rest % 3600 // 60, rest % 60
    said = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    shown = [f"{count} {name}" for count, name in said if count][:2]
    return " ".join(shown) or f"{left.microseconds / 1000:.0f} ms"


def _share(value: float | None) -> str:
    return "\N{EN DASH}" if value is None else f"{value:.1%}"


def _when(moment: datetime | None) -> str:
    return "\N{EN DASH}" if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"
