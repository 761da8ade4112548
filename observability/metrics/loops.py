"""How the learning loops stand, as gauges; asked seldom, since drift is looked for in all closed cases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection

from observability.learning.standing import standing
from observability.metrics.autonomy import audit_shares
from observability.metrics.standing import Point
from workunits.registry import Catalog

FRESH = 300.0
"""Seconds for which an answer is given again."""


def loops(connection: Connection, catalog: Catalog, now: datetime) -> Iterator[Point]:
    """The gauges of each unit's loop."""
    for one in standing(connection, catalog, now):
        for (measure, statistic), value in one.figures.items():
            yield Point("workunit_baseline", (one.unit, measure, statistic), value)
        yield Point("workunit_review_overdue", (one.unit,), one.review_overdue)
        yield Point("workunit_unjudged_versions", (one.unit,), len(one.unjudged))
        yield Point("workunit_baseline_stale", (one.unit,), bool(one.stale))
    yield from audit_shares(connection, catalog, now)
