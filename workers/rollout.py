"""Rolling a version out to a share of the new cases, and taking it back: by an owner, or because it is worse."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from temporalio.client import Client
from temporalio.service import RPCError

from observability.ledger.auditing import ROLLOUT, note_audit
from observability.ledger.store import Ledger, LedgerError
from workers.deployment import describe_deployment, pollers
from workunits import rollout
from workunits.core.errors import BadInput, WorkUnitsError
from workunits.registry import Catalog
from workunits.rollout import Rollout

if TYPE_CHECKING:
    from observability.learning.comparing import Comparison

GUARDED_EVERY = 600.0
"""Seconds from one look at what is being rolled out to the next."""

log = logging.getLogger("workunits.rollout")


class RolloutError(WorkUnitsError):
    """A version cannot be rolled out as things stand."""

    code = "not_deployable"


@dataclass(frozen=True, slots=True)
class Place:
    """Where rollouts are made."""

    client: Client
    ledger: Ledger
    deployment: str
    queue: str
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    """What time it is: whoever skips time has another one, and cases are compared by when their split began."""


async def roll_out(place: Place, unit: str, version: str, percent: float, actor: str) -> Rollout:
    """Send a share of a unit's new cases to a version; the others go where they went.

    Raises:
        RolloutError: no build is current, or none of that version is served; says what to start.
        BadInput: it is the version that all cases get.
        RPCError, LedgerUnavailableError.
    """
    there = await describe_deployment(place.client, place.deployment)
    if there.current is None:
        builds = ", ".join(there.builds) or "none has polled"
        raise RolloutError(f"no build of {place.deployment} is current, so nothing can be split; builds: {builds}")
    served = {build: await rollout.units_of(place.client, place.deployment, build) for build in there.builds}
    older = served[there.current].get(unit, "")
    if older == version:
        raise BadInput("is the version that all new cases get already", field="--to")
    build = next((build for build in there.builds if served[build].get(unit) == version), None)
    if build is None or not await pollers(place.client, place.queue, build, cases=True):
        known = ", ".join(f"{units[unit]} ({build})" for build, units in served.items() if unit in units) or "none"
        remedy = "start one beside the others: workunits worker"
        raise RolloutError(f"no worker serves version {version} of {unit}; {remedy}. Known: {known}")
    made = Rollout(unit, older or "unknown", version, build, percent)
    splits = await rollout.read(place.client, place.deployment)
    there_is = splits.get(unit)
    # A split that a deployment ended left no entry of that: without a word this one would seem to go on with it.
    anew = there_is is None or (there_is.older, there_is.newer) != (made.older, made.newer)
    await asyncio.to_thread(_note, place, made, actor, anew=anew)
    await rollout.write(place.client, place.deployment, {**splits, unit: made}.values())
    return made


async def stop(place: Place, unit: str, actor: str, why: str) -> Rollout | None:
    """Send all new cases back to the current build; gives what was stopped. Running cases stay where they are.

    Raises:
        RPCError, LedgerUnavailableError.
    """
    splits = await rollout.read(place.client, place.deployment)
    stopped = splits.pop(unit, None)
    if stopped is not None:
        await rollout.write(place.client, place.deployment, splits.values())
        ended = Rollout(stopped.unit, stopped.older, stopped.newer, stopped.build, 0)
        await asyncio.to_thread(_note, place, ended, actor, why=why)
    return stopped


async def guard(place: Place, catalog: Catalog) -> list[str]:
    """Stop every rollout whose version is worse by its primary measure or by a guardrail; says which, and by what.

    One that cannot be judged keeps no other one going.

    Raises:
        RPCError, LedgerError.
    """
    said = []
    for unit, split in (await rollout.read(place.client, place.deployment)).items():
        try:
            broken = await asyncio.to_thread(_broken, place.ledger, catalog, split) if unit in catalog else ""
        except LedgerError:
            raise
        except Exception:  # whatever it is about this one, the next one may be worse
            log.exception("the guardrails of %s cannot be looked at", unit)
            continue
        if broken:
            await stop(place, unit, "guardrail", broken)
            said.append(f"{unit}: version {split.newer} gets no new cases any more: {broken}")
    return said


async def guard_often(place: Place, catalog: Catalog, every: float = GUARDED_EVERY) -> None:
    """Look at the guardrails again and again, until cancelled; whatever goes wrong, the next time comes."""
    while True:
        try:
            for one in await guard(place, catalog):
                log.error("%s", one)
        except (RPCError, LedgerError) as error:
            log.warning("the guardrails cannot be looked at: %s", str(error)[:200])
        except Exception:  # nobody waits for this task: it would end unseen, and nothing would be stopped any more
            log.exception("the look at the guardrails failed")
        await asyncio.sleep(every)


def _broken(ledger: Ledger, catalog: Catalog, split: Rollout) -> str:
    # Only where something is rolled out: its statistics take a second to load, and half as much memory again.
    from observability.learning.verdicts import judge, split_of

    unit, versions = catalog.get(split.unit), (split.older, split.newer)
    try:
        with ledger.read() as connection:
            holds = split_of(connection, split.unit, versions)
            # Also cases from before a late proposal: nothing that the split did is left out.
            found = judge(connection, unit, versions, datetime.now(UTC), since=holds.began if holds else None)
    except BadInput:  # one of them has no cases yet
        return ""
    return ", ".join(_against(found))


def _against(found: Comparison) -> Iterator[str]:
    # A guardrail that is the primary measure is judged as that alone, and any other that is worse harms just as much.
    if found.outcome == "worse":
        look = found.judged[-1].look
        yield f"{found.plan.measure}, by which it is judged, is worse at look {look.number} ({look.cases} ended cases)"
    for name, one in found.breaches.items():
        yield f"{name} got worse beyond chance at look {one.look.number} ({one.look.cases} ended cases)"


def _note(place: Place, made: Rollout, actor: str, **more: object) -> None:
    detail: dict[str, Any] = {
        "unit": made.unit,
        "from": made.older,
        "to": made.newer,
        "build": made.build,
        "percent": made.percent,
        **more,
    }
    with place.ledger.write() as connection:
        note_audit(connection, actor, ROLLOUT, place.clock(), **detail)
