"""How long people usually work on a step: by that much a task must begin before it is due."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import Connection, select

from observability.ledger.tables import cases, steps
from workunits.registry import Catalog

KEPT = 600.0
"""Seconds for which the figures are kept: they move slowly, and each page of a list needs them."""
SAMPLE = 200
"""The last performances of a step that count."""
_MICRO = timedelta(microseconds=1)

Touch = Mapping[tuple[str, str], timedelta]
"""By unit and step; none where nobody has said yet when work began."""


class TouchTimes:
    """Medians of the measured work on each human step, from the ledger's closed steps."""

    def __init__(self, catalog: Catalog) -> None:
        """Know the steps."""
        self._steps = [(unit.unit_name, step.name) for unit in catalog for step in unit.steps if step.asks_person]
        self._known: Touch = {}
        self._until = 0.0

    @property
    def known(self) -> Touch:
        """As they were read last."""
        return self._known

    def read(self, connection: Connection) -> Touch:
        """The figures, read anew when they are old."""
        if time.monotonic() >= self._until:
            found = {step: _median(connection, *step) for step in self._steps}
            self._known = {step: touch for step, touch in found.items() if touch is not None}
            self._until = time.monotonic() + KEPT
        return self._known

    def forget(self) -> None:
        """Read them anew the next time."""
        self._until = 0.0


def _median(connection: Connection, unit: str, step: str) -> timedelta | None:
    """The median of what was measured; a performance of which nobody said when it began says nothing."""
    measured = (
        select(steps.c.work_us)
        .join(cases, cases.c.case_id == steps.c.case_id)
        .where(steps.c.step == step, steps.c.kind == "human", cases.c.unit == unit)
        .where(steps.c.ended == "done", ~steps.c.assigned_only)
        .order_by(steps.c.done_at.desc())
        .limit(SAMPLE)
    )
    worked = connection.execute(measured).scalars().all()
    # Whole seconds: a place on a list travels in a cursor, and must be found again.
    return timedelta(seconds=round(statistics.median(worked) * _MICRO / timedelta(seconds=1))) if worked else None
