"""The story as one page that stands by itself: no script, no font, no picture from elsewhere."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from demos.invoices import version_1, version_2
from demos.learn import charts
from demos.learn.fidelity import Fidelity
from demos.learn.story import UNIT, Story
from observability.ledger.store import Ledger
from observability.output import opened
from workers.pages.words import span
from workers.simulating.plan import moment
from workunits.core.spec import Elapsed
from workunits.core.unit import WorkUnit


def write_report(path: Path, story: Story, fidelity: Fidelity, unit: type[WorkUnit], ledger: Ledger) -> None:
    """Write the page; it is there whole, or not at all.

    Args:
        path: Where; what is there is replaced.
        story: What happened.
        fidelity: How exactly the plan was followed.
        unit: For its promise.
        ledger: For the charts.

    Raises:
        LedgerUnavailableError, OSError: nothing was written.
    """
    quarter, seen = story.quarter, charts.dots(ledger, UNIT)
    within = unit.outcome.target.within
    promised = within.span if isinstance(within, Elapsed) else timedelta(0)
    marks = {"trial": moment(quarter.trial), "decision": moment(quarter.decision)}
    text = (
        _environment()
        .get_template("report.html.j2")
        .render(
            unit=unit,
            quarter=quarter,
            plan=quarter.plan,
            started=len(story.executed),
            summary=story.summary,
            chapters=story.chapters,
            charts={"course": charts.course(seen, marks, promised)},
            fidelity=fidelity,
            difference="\n".join(_difference()),
            busy={
                "before the trial": quarter.loads(quarter.begin, quarter.trial),
                "in the trial": quarter.loads(quarter.trial, quarter.decision),
                "after it": quarter.loads(quarter.decision, quarter.end),
            },
            seconds=story.seconds,
        )
    )
    with opened(path, replace=True) as file:
        file.write(text.encode())


def _difference() -> Sequence[str]:
    """What differs between the files of the two versions."""
    before, after = (inspect.getsource(module) for module in (version_1, version_2))
    return list(
        difflib.unified_diff(before.splitlines(), after.splitlines(), "version 1", "version 2", lineterm="", n=1)
    )


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"day": _day, "span": _span}
    return made


def _day(at: datetime) -> str:
    return f"{at:%A, %Y-%m-%d}"


def _span(seconds: float) -> str:
    return span(timedelta(seconds=round(seconds)))
