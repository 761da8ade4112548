"""What operators see and decide: the open incidents of the units that they administrate.

Unlike a task's action, a decision is not written down first: it goes to the case at once, or nothing was decided.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from temporalio.service import RPCError

from inbox.directory import Directory
from inbox.doors import Doors
from inbox.identity import Actor
from inbox.rights import administrated, admins_of, authority, vouched
from inbox.security import Problem, not_yours, problem_of
from workunits.client import case_of
from workunits.core.errors import WorkUnitsError
from workunits.core.spec import Step
from workunits.operating import RetryEnd, Trouble, decide, end_of_retry, open_troubles, troubles_of

MOST = 200
"""Incidents on a page: more need the command line."""
PATIENCE = 10.0
"""Seconds in which a page waits for what comes of a retry."""
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of a decision."""

    name: str
    good: bool
    word: str
    text: str = ""


_ENDS: Mapping[RetryEnd, tuple[bool, str, str]] = {
    "succeeded": (True, "Resolved", "The step has succeeded."),
    "failed_again": (False, "Failed again", "It is the same incident, with one more try."),
    "case_ended": (False, "Not resolved", "Its case ended otherwise."),
    "unknown": (False, "Being tried", "Nobody knows yet; look again in a while."),
}


async def incidents_for(doors: Doors, actor: Actor) -> tuple[list[Trouble], bool]:
    """The open incidents of the units that the actor administrates, and whether there are more than a page shows.

    Raises:
        Problem: 404: the actor administrates none.
        RPCError: the engine does not answer.
    """
    units = administrated(actor, doors.catalog, doors.directory)
    if not units:
        raise not_yours()
    found: list[Trouble] = []
    for unit in units:
        async for trouble in open_troubles(doors.cases, unit.unit_name):
            if len(found) == MOST:
                return found, True
            found.append(trouble)
    return found, False


async def find(doors: Doors, actor: Actor, name: str) -> tuple[Trouble, Step[Any, Any]]:
    """An incident of a unit that the actor administrates, and its step.

    Raises:
        Problem: 404: there is none, or it is not the actor's.
        UnknownCaseError, RPCError.
    """
    view = await doors.cases.show(case_of(name))
    unit = doors.catalog.get(view.unit)
    trouble = next((one for one in troubles_of(view) if one.name == name), None)
    step = next((step for step in unit.steps if trouble and step.name == trouble.incident.step), None)
    if trouble is None or step is None or unit not in administrated(actor, doors.catalog, doors.directory):
        raise not_yours()
    return trouble, step


async def settle(
    doors: Doors, actor: Actor, trouble: Trouble, action: str, body: Mapping[str, Any], *, action_id: str
) -> Decided:
    """Decide on one incident, and wait for what comes of a retry.

    Raises:
        BadInput: what it says does not fit.
        Refused: `stale_revision` and the like.
        UnknownCaseError, UndeliveredError, RPCError.
    """
    unit, now = doors.catalog.get(trouble.view.unit), datetime.now(UTC)
    speaks = authority(actor, doors.directory, now)
    said = await decide(
        doors.cases,
        trouble,
        action,
        actor=actor.name,
        roles=vouched(speaks.roles),
        body=body,
        action_id=action_id,
        acting_for=_acting_for(actor, set(admins_of(unit)), doors.directory, now),
        accountable=doors.directory.accountable(unit.outcome.accountable, now),
        origin=actor.origin[:60],
    )
    if action == "retry":
        good, word, text = _ENDS[await end_of_retry(doors.cases, trouble, PATIENCE)]
        return Decided(trouble.name, good, word, text)
    return Decided(trouble.name, good=True, word="Resolved" if said["state"] == "resolved" else "Failed as decided")


async def retry_all(doors: Doors, actor: Actor, chosen: Sequence[Trouble], *, action_id: str) -> list[Decided]:
    """Retry several, each for itself."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int, trouble: Trouble) -> Decided:
        async with turns:
            try:
                return await settle(doors, actor, trouble, "retry", {}, action_id=f"{action_id}-{number}")
            except (WorkUnitsError, RPCError) as error:
                return Decided(trouble.name, good=False, word="Refused", text=problem_of(error).detail)
            except Problem as problem:
                return Decided(trouble.name, good=False, word="Refused", text=problem.detail)

    return list(await asyncio.gather(*(one(number, trouble) for number, trouble in enumerate(chosen))))


def _acting_for(actor: Actor, admins: set[str], directory: Directory, now: datetime) -> str | None:
    """For whom the actor decides, where it is not by a role of their own."""
    if set(actor.roles) & admins:
        return None
    return next((name for name in actor.stands_in_for if set(directory.roles_of(name, now)) & admins), None)
