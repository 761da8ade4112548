"""How far the ledger is: what it holds, how far it has followed, and what it has refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from observability.ledger import letters
from observability.ledger.keeping import followers
from observability.ledger.store import Ledger
from observability.ledger.tables import cases


@dataclass(frozen=True, slots=True)
class Followed:
    """One namespace."""

    namespace: str
    watermark: datetime
    behind_seconds: float
    """How long ago the last whole pass ended: what changed since is not here yet."""
    lag_seconds: float | None
    """Longest time from a close to its row, in the last pass that had one."""
    rows: int
    error: str | None
    """Why it cannot follow now."""
    last_error: str | None
    """Why it could not follow the last time that it could not."""
    last_error_at: datetime | None


@dataclass(frozen=True, slots=True)
class Status:
    """The whole ledger."""

    ledger: str
    open: int
    closed: int
    letters: int
    followers: tuple[Followed, ...]


def read_status(ledger: Ledger) -> Status:
    """Read it.

    Raises:
        LedgerUnavailableError.
    """
    now = datetime.now(UTC)
    with ledger.read() as connection:
        total = connection.execute(select(func.count(), func.count(cases.c.close)).select_from(cases)).one()
        found = [
            Followed(
                namespace=row.namespace,
                watermark=row.watermark,
                behind_seconds=max(0.0, (now - row.passed_at).total_seconds()),
                lag_seconds=None if row.lag_us is None else row.lag_us / 1e6,
                rows=row.rows,
                error=row.error if row.error_at and row.error_at > row.passed_at else None,
                last_error=row.error,
                last_error_at=row.error_at,
            )
            for row in connection.execute(select(followers).order_by(followers.c.namespace))
        ]
        refused = letters.count(connection)
    return Status(str(ledger), total[0] - total[1], total[1], refused, tuple(found))


def render(status: Status) -> str:
    """As text."""
    lines = [f"{status.ledger}: {status.open} open and {status.closed} closed case(s), {status.letters} dead letter(s)"]
    if not status.followers:
        lines.append("Nobody has followed yet: workunits follow")
    for one in status.followers:
        behind = timedelta(seconds=round(one.behind_seconds))
        lag = "" if one.lag_seconds is None else f", close to row at most {one.lag_seconds:.1f} s"
        lines.append(f"namespace {one.namespace}: last pass {behind} ago{lag}, {one.rows} row(s) written")
        if one.error:
            lines.append(f"  it cannot follow now: {one.error}")
        elif one.last_error and one.last_error_at:
            when = one.last_error_at.isoformat(timespec="seconds")
            lines.append(f"  it follows; at {when} it could not: {one.last_error}")
    return "\n".join(lines)
