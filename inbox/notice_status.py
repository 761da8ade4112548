"""How notices stand: how many were told, how far the notifier is, and which channels are dead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, Connection, func, inspect, select

from inbox.notice_tables import marks, notices, parcels
from inbox.store import Store


@dataclass(frozen=True, slots=True)
class Incident:
    """A recipient whom nothing reaches: the last deliveries failed, and none has succeeded since."""

    recipient: str
    error: str
    since: datetime
    """When the first of them failed first."""
    waiting: int
    """Notices that are still tried."""
    given_up: int
    """Notices that are told with the next message that gets through, if it comes soon."""


@dataclass(frozen=True, slots=True)
class NoticeStatus:
    """What `workunits notify --status` shows."""

    passed_at: datetime | None
    """When the notifier's last pass ended; None when there never was one."""
    watermark: datetime | None
    error: str
    """Why the last pass failed; empty when it did not."""
    notices: Mapping[str, int]
    """How many, by state."""
    deliveries: Mapping[str, int]
    """How many, by state."""
    incidents: tuple[Incident, ...]


def read_status(store: Store) -> NoticeStatus:
    """Read how notices stand.

    Raises:
        JournalUnavailableError: says why.
    """
    with store.read() as connection:
        if not inspect(connection).has_table(notices.name):
            return NoticeStatus(None, None, "", {}, {}, ())
        mark = connection.execute(select(marks)).one_or_none()
        return NoticeStatus(
            mark.passed_at if mark else None,
            mark.watermark if mark else None,
            (mark.error or "") if mark else "",
            _counted(connection, notices.c.state),
            _counted(connection, parcels.c.state),
            _incidents(connection),
        )


def _counted(connection: Connection, state: Column[str]) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(select(state, func.count()).group_by(state))}


def _incidents(connection: Connection) -> tuple[Incident, ...]:
    latest = select(parcels.c.recipient, func.max(parcels.c.changed_at)).where(parcels.c.state == "sent")
    sent = {row[0]: row[1] for row in connection.execute(latest.group_by(parcels.c.recipient))}
    wanted = select(parcels).where(parcels.c.error.is_not(None), parcels.c.state.in_(("waiting", "sending", "failed")))
    failing: dict[str, list[Incident]] = {}
    for row in connection.execute(wanted.order_by(parcels.c.changed_at)):
        if row.recipient not in sent or sent[row.recipient] < row.changed_at:
            given_up = int(row.state == "failed")
            one = Incident(row.recipient, row.error, row.first_tried_at, 1 - given_up, given_up)
            failing.setdefault(row.recipient, []).append(one)
    return tuple(
        Incident(
            who,
            those[-1].error,
            min(one.since for one in those),
            sum(one.waiting for one in those),
            sum(one.given_up for one in those),
        )
        for who, those in sorted(failing.items())
    )


def render(status: NoticeStatus) -> str:
    """The status as lines of text."""
    passed = f"last pass {status.passed_at:%Y-%m-%d %H:%M:%S} UTC" if status.passed_at else "no notifier has run yet"
    lines = [passed, f"notices     {_counts(status.notices)}", f"deliveries  {_counts(status.deliveries)}"]
    if status.error:
        lines.append(f"the last pass failed: {status.error}")
    for one in status.incidents:
        lines.append(f"DEAD  {one.recipient} since {one.since:%Y-%m-%d %H:%M:%S} UTC: {one.error}")
        lines.append(f"      {one.waiting} still tried, {one.given_up} given up")
    return "\n".join(lines)


def _counts(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(counted.items())) or "none"
