"""Open clocks go on by another version of their calendar: each case is told, with the reason."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

from workers.acts import ORIGIN
from workunits.cases import CaseView
from workunits.client import Cases, UnknownCaseError
from workunits.core.clock_acts import PREFIX
from workunits.core.errors import BadInput, Refused
from workunits.core.lifecycle import SYSTEM
from workunits.core.spec import OPEN_STATES
from workunits.delivery import UndeliveredError


@dataclass(frozen=True, slots=True)
class Reprojected:
    """What became of one open case."""

    case: str
    before: str
    """The calendar and version by which it counted."""
    error: str = ""
    """Why it still does; empty when it goes on by the other version."""


async def reproject(cases: Cases, name: str, version: int, *, actor: str, reason: str) -> AsyncIterator[Reprojected]:
    """Tell every open case that counts by another version of a calendar.

    Args:
        cases: The way to the cases.
        name: The calendar.
        version: By which they are to go on.
        actor: Who says so; it stands on each record.
        reason: Why.
    """
    waiting = [view for state in OPEN_STATES async for view in cases.list(state=state)]
    for view in waiting:
        clock = _first(view, name, version)
        if clock is not None:
            yield await _tell(cases, view, clock, version, actor=actor, reason=reason)


def _first(view: CaseView, name: str, version: int) -> tuple[str, str] | None:
    """A clock of the case that still counts by another version, and by which: one entry moves all of them."""
    for facts in view.record.clocks if view.record else ():
        there, _, at = facts.calendar.rpartition("@")
        if there == name and at != str(version) and facts.state in ("running", "paused"):
            return facts.clock, facts.calendar
    return None


async def _tell(
    cases: Cases, view: CaseView, clock: tuple[str, str], version: int, *, actor: str, reason: str
) -> Reprojected:
    key, before = clock
    entries = view.record.entries if view.record else []
    envelope = {
        "action": "reproject_clock",
        "action_id": uuid.uuid4().hex,
        "task_id": f"{view.case}/{PREFIX}{key}",
        "revision": 1 + sum(entry.clock == key for entry in entries),
        "actor": actor,
        "roles": [SYSTEM],
        "acting_for": None,
        "origin": ORIGIN,
        "sent_at": datetime.now(UTC).isoformat(),
        "body": {"reason": reason, "version": version},
    }
    try:
        await cases.send(envelope)
    except (BadInput, Refused, UndeliveredError, UnknownCaseError) as error:
        return Reprojected(view.case, before, str(error))
    return Reprojected(view.case, before)
