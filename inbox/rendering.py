"""Templates: every page is made here, with the person's clock, and everything in it escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from inbox import moments
from inbox.identity import Actor
from inbox.shapes import words
from inbox.wanted import TaskRow

HERE = Path(__file__).parent
_NEARLY = 99
"""Percent beyond which a forecast is not told as a number: it never is certain."""


@dataclass(frozen=True, slots=True)
class Clock:
    """How times are said to one person, at one moment."""

    zone: ZoneInfo
    now: datetime

    @classmethod
    def of(cls, actor: Actor | None, now: datetime | None = None) -> Clock:
        """The clock of a person; that of UTC for nobody, and for a zone that there is not."""
        try:
            zone = ZoneInfo(actor.zone if actor else "UTC")
        except (ZoneInfoNotFoundError, ValueError):
            zone = ZoneInfo("UTC")
        return cls(zone, now or datetime.now(UTC))

    @property
    def zone_name(self) -> str:
        """The zone as people read it."""
        return self.zone.key.replace("_", " ")

    def moment(self, when: datetime) -> str:
        """A moment in short."""
        return moments.moment(when, self.zone, self.now)

    def exact(self, when: datetime) -> str:
        """A moment in full."""
        return moments.exact(when, self.zone)

    def distance(self, when: datetime) -> str:
        """How far away a moment is."""
        return moments.distance(when, self.now)


@dataclass(frozen=True, slots=True)
class Page:
    """What the frame of every page shows."""

    clock: Clock
    actor: Actor | None = None
    at: str = ""
    """Which entry of the main navigation is this one."""
    troubles: Sequence[str] = ()
    """What does not work now, in words."""
    version: int = 0
    """Of what is shown: see `inbox.live`."""
    dev_login: bool = False
    search: str = ""
    operates: bool = False
    """Whether incidents are for this person to decide."""


@dataclass(frozen=True, slots=True)
class Due:
    """When something is due: in words, and by a sign that is no colour alone."""

    kind: str
    """`overdue`, `risk`, `fine` or `none`."""
    words: str
    moment: datetime | None = None


def due_of(row: TaskRow, now: datetime) -> Due:
    """How urgent a task is."""
    if row.due_at is None:
        return Due("none", "no due time")
    return due(row.due_at, now, at_risk=row.is_at_risk(now))


def due(at: datetime, now: datetime, *, at_risk: bool) -> Due:
    """How urgent something is that is due at a time."""
    if at <= now:
        return Due("overdue", f"Overdue by {moments.span(now - at)}", at)
    if at_risk:
        return Due("risk", f"At risk, {moments.span(at - now)} left", at)
    return Due("fine", f"Due in {moments.span(at - now)}", at)


def breach_words(probability: float | None) -> str:
    """How probably a promise is broken, in short: `breach 70 %`; empty where nobody knows."""
    if probability is None:
        return ""
    percent = round(probability * 100)
    return f"breach {'<1' if percent < 1 else '>99' if percent > _NEARLY else percent} %"


def render(template: str, page: Page, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Make a page."""
    return HTMLResponse(_environment().get_template(template).render(page=page, **values), status)


def task_href(task_id: str) -> str:
    """The address of a task's page."""
    return f"/task/{quote(task_id, safe='/')}"


def case_href(case_id: str) -> str:
    """The address of a case's page."""
    return f"/case/{quote(case_id, safe='/')}"


def explain_href(case_id: str) -> str:
    """The address of the page that explains a case."""
    return f"/explain/{quote(case_id, safe='/')}"


def ago(length: timedelta) -> str:
    """How long something has lasted."""
    return moments.span(length)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["words"] = lambda value: words(str(value))
    return made
