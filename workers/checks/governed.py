"""What `doctor` checks of published definitions."""

from __future__ import annotations

from collections.abc import Sequence

from temporalio.client import Client

from workers.checks.finding import Finding
from workers.governing.governed import is_governed, open_cases_of
from workers.settings import Settings
from workunits.governance import STARTED
from workunits.judged import Judged, judge_all
from workunits.registry import Catalog

_ANYWHERE = "this engine takes any definition"


async def published(client: Client, settings: Settings, catalog: Catalog) -> Sequence[Finding]:
    """Which definitions workers and `start` would leave out on this engine.

    Raises:
        RPCError: the engine does not say whether it is an embedded one.
    """
    found = judge_all(catalog)
    kept_out = [one for one in found if one.stage not in STARTED]
    if not await is_governed(client, settings):
        ready = f"{len(found) - len(kept_out)} of {len(found)} units are published"
        return [Finding("published", "ok", f"{_ANYWHERE}; {ready}")]
    if not kept_out:
        leaving = [one.unit for one in found if one.stage == "deprecated"]
        said = f"; deprecated: {', '.join(leaving)}" if leaving else ""
        return [Finding("published", "ok", f"all {len(found)} units are published as they are loaded{said}")]
    return [await _left_out(client, one) if one.stage == "retired" else _kept_out(one) for one in kept_out]


def _kept_out(one: Judged) -> Finding:
    why = f"{one.unit} version {one.version} {one.why}: workers leave it out, and no case of it can be started"
    return Finding("published", "fail", why, one.remedy)


async def _left_out(client: Client, one: Judged) -> Finding:
    """A unit that is retired is meant to end; what it has is told."""
    left = await open_cases_of(client, one.unit)
    serve = f"workers serve its {left} open case(s)" if left else "workers leave it out"
    return Finding("published", "ok", f"{one.unit} version {one.version} is retired: {serve}, and none can be started")
