"""One soak, from the start of the site to what is wrong at its end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from temporalio.client import Client

from observability.ledger.store import LedgerUnavailableError
from tests.soak.checker import Violation, check_all
from tests.soak.observed import closed_in, differences, observe
from tests.soak.people import People
from tests.soak.plan import Plan
from tests.soak.site import Site, running
from tests.soak.storm import Storm, forecast
from tests.soak.world import World
from workunits.plugin import work_units

Tell = Callable[..., None]
"""Takes what happened, and its details."""

_EVERY = 10.0
"""Seconds between two words on how far it is."""
_CATCH_UP = 60.0
"""Seconds in which the ledger must have everything."""


@dataclass
class Outcome:
    """What came of a soak."""

    plan: Plan
    violations: list[Violation] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)


async def soak(plan: Plan, folder: Path, tell: Tell) -> Outcome:
    """Run a soak in an empty folder."""
    outcome = Outcome(plan)
    began = time.monotonic()
    async with running(folder) as site:
        client = await Client.connect(site.engine.address.host, plugins=[work_units("tests.faults.contracts")])
        people, faults = People(client, plan), forecast(plan)
        tell("begin", **asdict(plan))
        helpers = [asyncio.create_task(site.keep()), asyncio.create_task(_report(people, plan, tell))]
        storm = asyncio.create_task(_weather(Storm(site, faults, tell), people, plan, tell))
        try:
            ended = await asyncio.gather(
                *(people.see_through(number) for number in range(plan.cases)), return_exceptions=True
            )
            await storm
            await site.all_up()
            at_rest = time.monotonic()
            caught_up = await _caught_up(site, plan)
        finally:
            for helper in (*helpers, storm):
                helper.cancel()
            await asyncio.gather(*helpers, storm, return_exceptions=True)
        outcome.violations = [*_errors(ended), *_deaths(site)]
        if caught_up is None:
            outcome.violations.append(Violation("", f"the ledger has not caught up within {_CATCH_UP:g} s"))
        world = World(folder)
        facts = await observe(client, site.ledger, world)
        outcome.violations += [*check_all(people.journal.stories, facts), *await differences(client, site.ledger)]
        effects = sum(fact.effects.total() for fact in facts.values())
        outcome.figures = {
            "cases": plan.cases,
            "faults": dict(Counter(f"{' and '.join(fault.parts)} {fault.how}" for fault in faults)),
            "fault_count": len(faults),
            "closes": dict(closed_in(site.ledger)),
            "people": dict(people.journal.counts),
            "errors_seen": dict(people.journal.errors),
            "actions": sum(fact.actions.total() for fact in facts.values()),
            "effects": effects,
            "attempts": world.calls(),
            "seconds": round(at_rest - began, 1),
            "caught_up_seconds": caught_up,
        }
    return outcome


async def _weather(storm: Storm, people: People, plan: Plan, tell: Tell) -> None:
    """The storm; when it is over, nobody may be stuck for long."""
    await storm.blow()
    tell("calm", closed=people.closed)
    people.insist.end = time.monotonic() + plan.patience


async def _report(people: People, plan: Plan, tell: Tell) -> None:
    while True:
        await asyncio.sleep(_EVERY)
        tell("progress", started=people.journal.counts["starts"], closed=people.closed, of=plan.cases)


async def _caught_up(site: Site, plan: Plan) -> float | None:
    """Seconds until the ledger has all cases closed."""
    began = time.monotonic()
    while time.monotonic() - began < _CATCH_UP:
        try:
            there = await asyncio.to_thread(closed_in, site.ledger)
        except LedgerUnavailableError:
            continue
        if there.total() == plan.cases and not there["running"] and not there["waiting"]:
            return round(time.monotonic() - began, 1)
        await asyncio.sleep(0.2)
    return None


def _errors(ended: list[BaseException | None]) -> list[Violation]:
    found = []
    for number, error in enumerate(ended):
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]  # noqa: PLW2901, the first of them says what is wrong
        if error is not None:
            found.append(Violation(f"case {number}", f"{type(error).__name__}: {error}"))
    return found


def _deaths(site: Site) -> list[Violation]:
    return [Violation("", death) for program in site.programs for death in program.deaths]
