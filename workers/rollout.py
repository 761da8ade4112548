"""Rolling a version out to a share of the new cases, and taking it back: by an owner, or because a guardrail broke."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError

from observability.learning.verdicts import ROLLOUT, judge
from observability.ledger.auditing import note_audit
from observability.ledger.store import Ledger, LedgerError
from workers.deployment import describe_deployment, pollers
from workunits import rollout
from workunits.core.errors import BadInput, WorkUnitsError
from workunits.registry import Catalog
from workunits.rollout import Rollout

GUARDED_EVERY = 600.0
"""Seconds from one look at the guardrails of what is being rolled out to the next."""

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
    await asyncio.to_thread(_note, place, made, actor, "")
    splits = await rollout.read(place.client, place.deployment)
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
        await asyncio.to_thread(_note, place, ended, actor, why)
    return stopped


async def guard(place: Place, catalog: Catalog) -> list[str]:
    """Stop every rollout whose guardrails are broken; says which, and by what.

    Raises:
        RPCError, LedgerUnavailableError.
    """
    said = []
    for unit, split in (await rollout.read(place.client, place.deployment)).items():
        broken = await asyncio.to_thread(_broken, place.ledger, catalog, split) if unit in catalog else ""
        if broken:
            await stop(place, unit, "guardrail", broken)
            said.append(f"{unit}: version {split.newer} gets no new cases any more: {broken}")
    return said


async def guard_often(place: Place, catalog: Catalog, every: float = GUARDED_EVERY) -> None:
    """Look at the guardrails again and again, until cancelled; what is down is looked at the next time."""
    while True:
        try:
            for one in await guard(place, catalog):
                log.error("%s", one)
        except (RPCError, LedgerError) as error:
            log.warning("the guardrails cannot be looked at: %s", str(error)[:200])
        await asyncio.sleep(every)


def _broken(ledger: Ledger, catalog: Catalog, split: Rollout) -> str:
    try:
        with ledger.read() as connection:
            found = judge(connection, catalog.get(split.unit), (split.older, split.newer), datetime.now(UTC))
    except BadInput:  # one of them has no cases yet
        return ""
    return ", ".join(f"{name} got worse for certain" for name in found.breached)


def _note(place: Place, made: Rollout, actor: str, why: str) -> None:
    detail: dict[str, Any] = {
        "unit": made.unit,
        "from": made.older,
        "to": made.newer,
        "build": made.build,
        "percent": made.percent,
    }
    with place.ledger.write() as connection:
        note_audit(connection, actor, ROLLOUT, datetime.now(UTC), **detail, **({"why": why} if why else {}))
