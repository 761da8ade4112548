"""Recording: stores a history for every way in which a unit can close, from an engine that has such cases."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError

from workers.opened import open_events
from workers.replaying.deeds import INLINE
from workers.replaying.histories import ENDED_OUTSIDE, History, UnreadableHistoryError, file_name, files_in, load, store
from workers.replaying.replay import replays
from workunits.core.spec import On
from workunits.core.unit import WorkUnit
from workunits.registry import Catalog

Way = tuple[str, str | None]
"""How a case closes, and why."""


@dataclass
class Recording:
    """What was stored, and what could not be."""

    stored: list[Path] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)
    """Units and ways of closing of which neither the folder nor the engine has a case."""
    refused: list[str] = field(default_factory=list)
    """Cases that today's code does not replay: another code ran them."""


def ways(unit: type[WorkUnit]) -> list[Way]:
    """Every way in which a unit can close, as its declaration says.

    Left out is what no unit's author decides: a value over the platform's limits, and an end from outside.
    """
    machines = [step for step in unit.steps if step.has_performer]
    exceptions = [rule.exception.code for rule in unit.rules if isinstance(rule, On) and rule.instead is None]
    found: list[Way] = [("achieved", None), ("achieved_late", None), ("not_achieved", "outcome_not_met")]
    found += [("not_achieved", code) for code in dict.fromkeys(exceptions)]
    if any(step.expires for step in unit.steps):
        found.append(("expired", "no_answer"))
    found += [("cancelled", "cancel_requested"), ("failed", "bad_input")]
    if machines:
        found.append(("failed", "technical_failure"))
    return found


def say(way: Way) -> str:
    """A way of closing, in words."""
    return " ".join(part for part in way if part)


def stored_in(folder: Path) -> list[History]:
    """The histories that a folder has; what is none is passed over."""
    return list(_readable(files_in([folder]) if folder.is_dir() else []))


def lacking(unit: type[WorkUnit], there: Iterable[History]) -> tuple[list[Way], list[str]]:
    """The ways of closing, and the steps, that no stored history of a unit's version shows."""
    own = [history for history in there if (history.unit, history.version) == (unit.unit_name, unit.version)]
    closed = {(history.close, history.reason) for history in own}
    performed = {step for history in own for step in history.steps}
    return [way for way in ways(unit) if way not in closed], [s.name for s in unit.steps if s.name not in performed]


async def record(client: Client, catalog: Catalog, folder: Path, units: Iterable[type[WorkUnit]]) -> Recording:
    """Store what a folder lacks; a file that is there stays as it is.

    Args:
        client: Of an engine on which cases of these units have closed.
        catalog: Today's code.
        folder: Where the histories are kept.
        units: Whose histories.

    Raises:
        ReplayError: the sandbox refuses a unit's file.
    """
    done = Recording()
    there = stored_in(folder)
    for unit in units:
        query = f"WorkflowType = '{unit.unit_name}' AND ExecutionStatus != 'Running'"
        async for found in histories_of(client, query):
            shows = _shows(unit, found, there)
            if shows is not None:
                there += await _store(found, catalog, folder / file_name(found, shows), done)
        done.missing += [(unit.unit_name, say(way)) for way in lacking(unit, there)[0]]
    return done


async def histories_of(client: Client, query: str, limit: int | None = None) -> AsyncIterator[History]:
    """The histories of cases, newest first; one that is gone by the time it is fetched is left out."""
    async for execution in client.list_workflows(query, limit=limit):
        events = await _events(client, execution)
        if events:
            yield History(execution.id, events, live=True)


async def _events(client: Client, execution: WorkflowExecution) -> Any:
    try:
        handle: Any = client.get_workflow_handle(execution.id, run_id=execution.run_id)
        return await open_events(client, execution.id, (await handle.fetch_history()).events)
    except RPCError:
        return None  # deleted, or past its retention


def _shows(unit: type[WorkUnit], found: History, there: list[History]) -> str | None:
    """What a history shows that no stored one does: "" for a way of closing, else a step; None for nothing."""
    if found.version != unit.version or found.close in ENDED_OUTSIDE:
        return None
    own = [history for history in there if (history.unit, history.version) == (found.unit, found.version)]
    if (found.close, found.reason) not in {(history.close, history.reason) for history in own}:
        return ""
    performed = {step for history in own for step in history.steps}
    return next((step for step in found.steps if step not in performed), None)


async def _store(found: History, catalog: Catalog, path: Path, done: Recording) -> list[History]:
    """Store a history if today's code replays it, with the limits of its inline steps, which Temporal does not keep."""
    # To its end: a replayer that is left half-way complains while the loop closes.
    for _, replayed in [pair async for pair in replays([found], catalog)]:
        if replayed.trouble:
            done.refused.append(found.name)
            return []
        limits = {deed.name: deed.facts for deed in replayed.deeds if deed.kind == INLINE}
        whole = replace(found, inline=limits)
        if store(whole, path):
            done.stored.append(path)
            return [whole]
    return []


def _readable(paths: Iterable[Path]) -> Iterator[History]:
    for path in paths:
        try:
            yield load(path)
        except UnreadableHistoryError:
            continue
