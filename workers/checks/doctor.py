"""`workunits doctor`: what an operator would check, each finding with its remedy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from temporalio.client import Client
from temporalio.service import RPCError

from workers.checks.codec import codec
from workers.checks.finding import (
    Finding,
    attributes,
    calendars,
    clock,
    clock_ahead,
    namespace,
    performers,
    shadows,
    space,
    versions,
)
from workers.checks.governed import published
from workers.checks.ledger import ledger
from workers.checks.notices import notices
from workers.checks.people import people
from workers.checks.wiring import builds, queues
from workers.console import Setup
from workers.engine.address import UnreachableError, find_address
from workers.engine.connect import connect
from workers.wedged import wedged_cases

_Check = Callable[[], Awaitable[Sequence[Finding]]]


async def examine(setup: Setup) -> list[Finding]:
    """Check everything; without an engine, what can be checked without one.

    Args:
        setup: The settings and the catalog to check.

    Raises:
        SettingsError, CatalogError: there is nothing to check yet.
    """
    settings, catalog = setup.settings, setup.catalog
    found = [
        *shadows(catalog),
        performers(settings, catalog),
        calendars(settings, catalog),
        space(settings),
        *people(settings, catalog),
    ]
    found += notices(settings)
    where = find_address()
    try:
        client = await connect(settings, catalog, address=where)
    except UnreachableError as error:
        return [Finding("engine", "fail", str(error)), *found]
    found.insert(0, Finding("engine", "ok", f"answers at {where}"))
    measured = await clock_ahead(client)
    found.append(clock(measured))
    ahead = measured[0] if measured else 0.0
    checks: dict[str, _Check] = {
        "namespace": lambda: namespace(client),
        "attributes": lambda: attributes(client),
        "versions": lambda: versions(client),
        "queue": lambda: queues(client, settings, catalog, ahead=ahead),
        "build": lambda: builds(client, settings, ahead=ahead),
        "published": lambda: published(client, settings, catalog),
        "cases": lambda: wedged_cases(client, catalog),
        "ledger": lambda: ledger(client, settings),
        "codec": lambda: codec(client, catalog),
    }
    for name, check in checks.items():
        found += await _checked(name, check, client)
    return found


async def _checked(name: str, check: _Check, client: Client) -> Sequence[Finding]:
    """One check that the server refuses must not hide the others."""
    try:
        return await check()
    except RPCError as error:
        why = f"the server does not say: {error.status.name.lower()}: {error.message[:120]}"
        return [Finding(name, "warn", why, f"check the rights of this login in namespace {client.namespace}")]


def render(findings: Sequence[Finding]) -> str:
    """Findings as lines of text."""
    lines = []
    for finding in findings:
        lines.append(f"{finding.status:<5} {finding.check:<11} {finding.message}")
        if finding.remedy:
            lines.append(f"{'':<18}-> {finding.remedy}")
    bad = sum(finding.status != "ok" for finding in findings)
    lines.append("")
    lines.append(f"{bad} of {len(findings)} checks found something." if bad else f"All {len(findings)} checks passed.")
    return "\n".join(lines)
