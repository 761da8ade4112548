"""Open clocks go on by another version of their calendar: each case is told, with the reason."""

from __future__ import annotations

import asyncio
import time
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
from workunits.core.record import ClockEntry
from workunits.core.spec import OPEN_STATES
from workunits.delivery import UndeliveredError

PATIENCE = 5.0
"""Seconds that a case has to go on by what it has accepted, before it is said that it does not yet."""
_PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Reprojected:
    """What became of one open case."""

    case: str
    before: str
    """The calendar and version by which it counted."""
    error: str = ""
    """Why it still does, also when it has accepted another one; empty when it goes on by that."""


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
            yield await _tell(cases, view, clock, (name, version), actor=actor, reason=reason)


def _first(view: CaseView, name: str, version: int) -> tuple[str, str] | None:
    """A clock of the case that still counts by another version, and by which: one entry moves all of them."""
    for facts in view.record.clocks if view.record else ():
        there, _, at = facts.calendar.rpartition("@")
        if there == name and at != str(version) and facts.state in ("running", "paused"):
            return facts.clock, facts.calendar
    return None


async def _tell(
    cases: Cases, view: CaseView, clock: tuple[str, str], wanted: tuple[str, int], *, actor: str, reason: str
) -> Reprojected:
    (key, before), (name, version) = clock, wanted
    revision = view.record.revision_of_clock(key) if view.record else 1
    envelope = {
        "action": "reproject_clock",
        "action_id": uuid.uuid4().hex,
        "task_id": f"{view.case}/{PREFIX}{key}",
        "revision": revision,
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
    return Reprojected(view.case, before, await _awaited(cases, view.case, key, revision - 1, f"{name}@{version}"))


async def _awaited(cases: Cases, case: str, key: str, number: int, wanted: str) -> str:
    """Read the case until it goes on by what is wanted, for a while; why it does not yet, or nothing."""
    until = time.monotonic() + PATIENCE
    while True:
        view = await cases.show(case)
        record = view.record
        own = [entry for entry in record.entries if entry.clock == key] if record else []
        entry = own[number] if number < len(own) else None
        counts = {facts.clock: facts.calendar for facts in record.clocks} if record else {}
        # What a case of an earlier program says of it is only by what it counts.
        if counts.get(key) == wanted and (entry is None or entry.came in ("", "done")):
            return ""
        why = _why(entry, is_open=view.is_open)
        if why or time.monotonic() > until:
            return f"accepted, not yet done: {why or 'it has not been looked for yet'}"
        await asyncio.sleep(_PAUSE)


def _why(entry: ClockEntry | None, *, is_open: bool) -> str:
    """What the case says of why it is not done; nothing while it has not looked."""
    if entry is not None and entry.came == "overtaken":
        return "another version was wanted since"
    return (entry.why if entry else "") or ("" if is_open else "the case has closed")
