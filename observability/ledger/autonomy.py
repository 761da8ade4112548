"""How far models may go, as it stands in the ledger: what was signed, and what was stopped.

A worker reads it for each proposal, so a stop holds from the next one on; when it cannot be read, people decide.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, select

from observability.ledger.auditing import note_audit
from observability.ledger.autonomy_tables import grants, stops
from observability.ledger.store import Ledger
from observability.ledger.tables import cases, proposals
from workunits.core.autonomy import STOPPED, Autonomy, Level
from workunits.core.proposal import Asked, Standing
from workunits.core.spec import Step

PATIENCE = 5.0
"""Seconds in which the level has to be known."""
CHANGED = "executor_changed"
"""Why a level is lower than declared: another model, prompt or tools than it was declared for."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A signed level."""

    unit: str
    version: str
    step: str
    executor: str
    level: Level
    signed_by: str
    role: str
    segment: str = ""
    threshold: float | None = None
    points: Sequence[tuple[float, float]] = ()
    calibration: str = ""
    certificate: Mapping[str, Any] = field(default_factory=dict)
    expires_at: datetime | None = None
    grant_id: str = ""
    signed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """A stopped step."""

    unit: str
    step: str
    at: datetime
    actor: str
    reason: str


def stopped(connection: Connection, unit: str | None = None) -> list[Stop]:
    """The steps that are stopped now."""
    asked = select(stops).where(stops.c.lifted_at.is_(None)).order_by(stops.c.at)
    if unit is not None:
        asked = asked.where(stops.c.unit == unit)
    return [
        Stop(row["unit"], row["step"], row["at"], row["actor"], row["reason"])
        for row in connection.execute(asked).mappings()
    ]


def stop(ledger: Ledger, unit: str, step: str, *, actor: str, reason: str) -> bool:
    """Stop a step: from now on people decide there; whether it was not stopped before.

    Raises:
        LedgerUnavailableError.
    """
    with ledger.write() as connection:
        if any(one.step == step for one in stopped(connection, unit)):
            return False
        now = datetime.now(UTC)
        connection.execute(stops.insert().values(unit=unit, step=step, at=now, actor=actor, reason=reason))
        note_audit(connection, actor, "autonomy stop", now, unit=unit, step=step, why=reason)
    return True


def lift(ledger: Ledger, unit: str, step: str, *, actor: str, reason: str) -> bool:
    """Let a step's model go on; whether it was stopped. What was signed holds again; open cases stay stopped.

    Raises:
        LedgerUnavailableError.
    """
    with ledger.write() as connection:
        now = datetime.now(UTC)
        ended = connection.execute(
            stops.update()
            .where(stops.c.unit == unit, stops.c.step == step, stops.c.lifted_at.is_(None))
            .values(lifted_at=now, lifted_by=actor, lifted_why=reason)
        )
        if ended.rowcount:
            note_audit(connection, actor, "autonomy lift", now, unit=unit, step=step, why=reason)
    return bool(ended.rowcount)


def sign(ledger: Ledger, grant: Grant) -> Grant:
    """Write down a signed level; the one before it, of the same step, segment and executor, ends.

    Raises:
        LedgerUnavailableError.
    """
    now = datetime.now(UTC)
    values = {
        "grant_id": grant.grant_id or uuid.uuid4().hex[:12],
        "unit": grant.unit,
        "version": grant.version,
        "step": grant.step,
        "segment": grant.segment,
        "executor": grant.executor,
        "level": grant.level,
        "threshold": grant.threshold,
        "points": [list(point) for point in grant.points],
        "calibration": grant.calibration,
        "certificate": dict(grant.certificate),
        "signed_at": now,
        "signed_by": grant.signed_by,
        "role": grant.role,
        "expires_at": grant.expires_at,
    }
    with ledger.write() as connection:
        for before in live(connection, grant.unit, now, step=grant.step, version=grant.version):
            if (before.segment, before.executor) == (grant.segment, grant.executor):
                _end(connection, before.grant_id, now, actor=grant.signed_by, why=f"replaced by {values['grant_id']}")
        connection.execute(grants.insert().values(**values))
        said: dict[str, Any] = {name: values[name] for name in ("grant_id", "unit", "step", "level", "executor")}
        note_audit(connection, grant.signed_by, "autonomy sign", now, **said)
        return next(one for one in live(connection, grant.unit, now) if one.grant_id == values["grant_id"])


def end(ledger: Ledger, grant_id: str, *, actor: str, why: str) -> bool:
    """End a signed level: it was revoked, or fell; whether it was live.

    Raises:
        LedgerUnavailableError.
    """
    with ledger.write() as connection:
        return _end(connection, grant_id, datetime.now(UTC), actor=actor, why=why)


def _end(connection: Connection, grant_id: str, now: datetime, *, actor: str, why: str) -> bool:
    ended = connection.execute(
        grants.update()
        .where(grants.c.grant_id == grant_id, grants.c.ended_at.is_(None))
        .values(ended_at=now, ended_by=actor, ended_why=why)
    )
    if ended.rowcount:
        note_audit(connection, actor, "autonomy end", now, grant_id=grant_id, why=why)
    return bool(ended.rowcount)


def live(
    connection: Connection, unit: str | None, now: datetime, *, step: str | None = None, version: str | None = None
) -> list[Grant]:
    """The signed levels that hold, oldest first."""
    asked = select(grants).where(grants.c.ended_at.is_(None)).order_by(grants.c.signed_at)
    for column, value in ((grants.c.unit, unit), (grants.c.step, step), (grants.c.version, version)):
        asked = asked if value is None else asked.where(column == value)
    rows = connection.execute(asked).mappings()
    return [_grant(dict(row)) for row in rows if row["expires_at"] is None or row["expires_at"] > now]


def unended(connection: Connection, unit: str | None = None) -> list[Grant]:
    """The signed levels that nobody has ended, also those that have expired, oldest first."""
    asked = select(grants).where(grants.c.ended_at.is_(None)).order_by(grants.c.signed_at)
    rows = connection.execute(asked if unit is None else asked.where(grants.c.unit == unit)).mappings()
    return [_grant(dict(row)) for row in rows]


def _grant(row: Mapping[str, Any]) -> Grant:
    names = ("unit", "version", "step", "executor", "level", "signed_by", "role", "segment", "threshold")
    more = ("calibration", "certificate", "expires_at", "grant_id", "signed_at")
    points = [(float(raw), float(worth)) for raw, worth in row["points"]]
    return Grant(**{name: row[name] for name in (*names, *more)}, points=points)


def first_executor(connection: Connection, unit: str, version: str, step: str) -> str | None:
    """Whom a unit's declared level is for: the first model, prompt and tools that proposed in that version."""
    asked = (
        select(proposals.c.executor)
        .join(cases, cases.c.case_id == proposals.c.case_id)
        .where(cases.c.unit == unit, cases.c.version == version, proposals.c.step == step)
        .where(proposals.c.executor.is_not(None))
        .group_by(proposals.c.executor)
        .order_by(func.min(proposals.c.at))
        .limit(1)
    )
    return connection.execute(asked).scalar()


def standing(
    connection: Connection, step: Step[Any, Any], asked: Asked, executor: str, now: datetime | None = None
) -> Standing:
    """The level that holds for a step's model now.

    Stopped: A0. Signed for this segment (or all), version and executor: that. Else what the unit declares, for the
    executor with which its version began; any other begins at A1.
    """
    now = now or datetime.now(UTC)
    declared = (step.autonomy or Autonomy()).level
    if any(one.step == step.name for one in stopped(connection, step.unit)):
        return Standing(level="A0", why=STOPPED)
    if not executor:  # before the model is asked
        return Standing(level="A1" if declared == "A0" and _any(connection, step, asked, now) else declared)
    mine = [
        grant
        for grant in live(connection, step.unit, now, step=step.name, version=asked.version)
        if grant.executor == executor and grant.segment in ("", asked.segment)
    ]
    if mine:
        # The segment's own before the one for all; of these, the last that was signed.
        grant = max(mine, key=lambda one: one.segment != "")
        return Standing(
            level=grant.level,
            threshold=grant.threshold,
            points=list(grant.points),
            calibration=grant.calibration,
            certificate=grant.grant_id,
        )
    first = first_executor(connection, step.unit, asked.version, step.name)
    if first in (None, executor) or declared in ("A0", "A1"):
        return Standing(level=declared)
    return Standing(level="A1", why=CHANGED)


def _any(connection: Connection, step: Step[Any, Any], asked: Asked, now: datetime) -> bool:
    return bool(live(connection, step.unit, now, step=step.name, version=asked.version))


class LedgerStandings:
    """Reads the level from the ledger, for a worker."""

    def __init__(self, ledger: Ledger) -> None:
        """Read from this ledger."""
        self._ledger = ledger

    async def of(self, step: Step[Any, Any], asked: Asked, executor: str) -> Standing:
        """The level that holds now.

        Raises:
            LedgerError: it cannot be read; then the model decides nothing.
            TimeoutError: it was not known in time.
        """
        return await asyncio.wait_for(asyncio.to_thread(self._read, step, asked, executor), PATIENCE)

    def _read(self, step: Step[Any, Any], asked: Asked, executor: str) -> Standing:
        if step.kind == "ai" and not self._ledger.is_there:
            return Standing()  # nobody can have stopped it
        with self._ledger.read() as connection:
            return standing(connection, step, asked, executor)
