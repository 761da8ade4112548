"""The cases of two versions as arms of a comparison, as they stood at any moment: open ones are there, censored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from observability.learning.selection import Asked, conditions, late_closes, reviews
from observability.ledger.tables import cases

_COLUMNS = (
    "case_id",
    "started_at",
    "closed_at",
    "due_at",
    "breached_at",
    "close",
    "sla",
    "segment",
    "exceptions",
    "reworked",
    "human_touches",
    "cost",
    *(f"handoffs_{kind}" for kind in ("hh", "hm", "mh", "mm")),
)
DAY = 86_400.0


@dataclass(frozen=True)
class Arm:
    """One version's cases, column by column; moments are seconds since 1970."""

    version: str
    columns: dict[str, NDArray[Any]]

    def __len__(self) -> int:
        """How many cases, open ones among them."""
        return len(self.columns["started"])

    def __getitem__(self, name: str) -> NDArray[Any]:
        """One column."""
        return self.columns[name]

    def where(self, chosen: NDArray[np.bool_]) -> Arm:
        """Some of them."""
        return Arm(self.version, {name: column[chosen] for name, column in self.columns.items()})

    def at(self, moment: float) -> Arm:
        """As it stood at a moment: what started later is not there, what ended later is open, past due breached."""
        arm = self.where(self["started"] <= moment)
        ended = arm["ended"] & (arm["closed"] <= moment)
        until = np.where(ended, arm["closed"], moment)
        # Without it a version that leaves its late cases hanging would look the better for it.
        promise = np.where(arm["due"] < moment, "breached", np.where(np.isnan(arm["due"]), "", "running"))
        sla = np.where(ended, arm["sla"], promise.astype(object))
        return Arm(arm.version, arm.columns | {"ended": ended, "time": until - arm["started"], "sla": sla})

    @property
    def done(self) -> Arm:
        """The closed ones."""
        return self.where(self["ended"])


def read_arm(
    connection: Connection,
    unit: str,
    version: str,
    *,
    since: datetime | None,
    now: datetime,
    until: datetime | None = None,
) -> Arm:
    """Read a version's cases that started since one moment and before another, as they stand now."""
    asked = Asked(unit, version=version)
    wanted = select(*(cases.c[name] for name in _COLUMNS)).where(*conditions(asked))
    if since is not None:
        wanted = wanted.where(cases.c.started_at >= since)
    if until is not None:
        wanted = wanted.where(cases.c.started_at < until)
    late, reviewed = late_closes(connection, asked), reviews(connection, asked)
    rows = [dict(row) for row in connection.execute(wanted.order_by(cases.c.started_at, cases.c.case_id)).mappings()]
    for row in rows:
        row["close"] = late.get(row["case_id"], row["close"])
        row["overridden"], row["reviewed"] = reviewed.get(row["case_id"], (0, 0))
    return arm_of(version, rows, now)


def arm_of(version: str, rows: Sequence[dict[str, Any]], now: datetime) -> Arm:
    """Make an arm of rows of the table `cases`, each with its `reviewed` and `overridden` proposals."""
    closed = [row["closed_at"] for row in rows]
    started = np.array([row["started_at"].timestamp() for row in rows], dtype=float)
    ended = np.array([at is not None for at in closed], dtype=bool)
    until = np.array([(at or now).timestamp() for at in closed], dtype=float)
    handoffs = [sum(row[f"handoffs_{kind}"] for kind in ("hh", "hm", "mh", "mm")) for row in rows]
    return Arm(
        version,
        {
            "started": started,
            "closed": until,
            "ended": ended,
            "time": until - started,
            "day": np.floor(started / DAY),
            "due": np.array([_due(row) for row in rows], dtype=float),
            "close": np.array([row["close"] or "" for row in rows], dtype=object),
            "sla": np.array([row["sla"] or "" for row in rows], dtype=object),
            "segment": np.array([row["segment"] or "" for row in rows], dtype=object),
            "exceptions": np.array([row["exceptions"] for row in rows], dtype=float),
            "reworked": np.array([bool(row["reworked"]) for row in rows], dtype=bool),
            "touches": np.array([row["human_touches"] for row in rows], dtype=float),
            "overridden": np.array([row["overridden"] for row in rows], dtype=float),
            "reviewed": np.array([row["reviewed"] for row in rows], dtype=float),
            "cost": np.array([np.nan if row["cost"] is None else row["cost"] for row in rows], dtype=float),
            "handoffs": np.array(handoffs, dtype=float),
        },
    )


def _due(row: dict[str, Any]) -> float:
    """When its promise was or would be broken; not a number where none was made."""
    due = row["breached_at"] or row["due_at"]
    return float("nan") if due is None else float(due.timestamp())
