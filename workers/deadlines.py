"""How a case stands with its SLA, in words and for machines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from workers.pages.tables import Cell
from workers.pages.words import span
from workunits.cases import CaseView
from workunits.core.spec import Elapsed
from workunits.registry import Catalog

Standing = Literal["running", "at_risk", "overdue", "met", "breached", "void", "unknown"]
"""Of an open case: `running`, `at_risk` or `overdue`; of a closed one what its record says, if it left one."""


@dataclass(frozen=True)
class Deadline:
    """A case's due time, and where the case stands."""

    due: datetime | None
    left: timedelta
    """Until it is due; negative by how late the case is or was."""
    state: Standing

    def words(self, say: Callable[[timedelta], str] = span) -> Cell:
        """As a cell: lateness is said, not only coloured.

        Args:
            say: How durations are said.
        """
        said = say(self.left)
        words: dict[Standing, Cell] = {
            "running": f"{said} left",
            "at_risk": (f"{said} left, at risk", "yellow"),
            "overdue": (f"OVERDUE {said}", "bold red"),
            "met": "in time",
            "breached": (f"late by {said}", "red"),
            "void": "no outcome",
            "unknown": "",
        }
        return words[self.state]

    def as_json(self) -> dict[str, Any]:
        """As an object."""
        return {"due": self.due, "left_seconds": round(self.left.total_seconds(), 6), "state": self.state}


def deadline(view: CaseView, catalog: Catalog, now: datetime) -> Deadline:
    """Judge a case, also one that has published nothing yet.

    Args:
        view: The case.
        catalog: Has the budget of a case without a record.
        now: The present.
    """
    target = catalog.get(view.unit).outcome.target
    span = target.within.span if isinstance(target.within, Elapsed) else None
    due = view.due or (view.started + span if span else None)
    if due is None:  # counted in working time, and its calendar is not pinned yet
        return Deadline(None, timedelta(0), "unknown")
    record = view.record
    if view.is_open:
        risky = record is not None and record.warned is not None
        plain = span is not None and not target.pauses
        at_risk = risky or (plain and span is not None and now > due - span * (1 - target.warn))
        return Deadline(due, due - now, "overdue" if now > due else "at_risk" if at_risk else "running")
    if record is None or record.closed is None:  # ended from outside: it never said how it stood
        return Deadline(due, due - (view.closed or now), "unknown")
    return Deadline(due, timedelta(microseconds=record.due - record.closed), record.sla)
