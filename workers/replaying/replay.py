"""The replay gate: stored and living histories, replayed against today's code and compared deed by deed.

What Temporal's own replayer refuses, the gate refuses. Beyond that it compares what the replayer passes over and
what would still change a case that is open now; see docs/decisions/0004-replay-gate.md.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from temporalio.client import WorkflowHistory
from temporalio.plugin import SimplePlugin
from temporalio.worker import Replayer, WorkflowReplayResult, WorkflowRunner

from observability.tracing import tracing_plugin
from workers.logs import quiet_core
from workers.replaying.commanded import Witness
from workers.replaying.deeds import INLINE, Deed
from workers.replaying.differences import Finding, compare
from workers.replaying.histories import History
from workers.replaying.recorded import completed_tasks, recorded
from workunits.core.errors import WorkUnitsError
from workunits.plugin import work_units
from workunits.registry import Catalog
from workunits.sandbox import strict_runner

Status = Literal["clean", "breaks", "older", "unknown_unit", "unreadable"]

_GUIDE = "CONTRIBUTING.md, Change a unit"
CHANGED = (
    'give {unit} a new version="...", keep this history while a case of version {version} may be open, and record '
    f'new ones; or, for cases of weeks, guard the change with workflow.patched("...") ({_GUIDE})'
)
RETIRED = (
    "it belongs to version {version}, the catalog has {today}; cases stay on the build they began on, so nothing has "
    "to be done. Delete the file once no case of version {version} is open"
)
UPGRADED = (
    "cases of version {version} may be open and are given to today's code: guard the change with "
    f'workflow.patched("..."), or let them end on a build of their own ({_GUIDE})'
)
UNKNOWN = (
    "the catalog has no unit {unit}: name its package with --module, or, once no case of it can be open, "
    "delete the file"
)
_SDK_SAID = re.compile(r'message: "((?:[^"\\]|\\.)*)"')


class ReplayError(WorkUnitsError):
    """Nothing can be replayed: a unit's file does what replayed code may not do."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one history."""

    history: str
    unit: str = ""
    version: str | None = None
    close: str = ""
    status: Status = "clean"
    findings: tuple[Finding, ...] = ()
    remedy: str = ""
    """What to do; for a history of an older version, when to delete it."""


async def replay(
    histories: Sequence[History], catalog: Catalog, *, upgrade: bool = False, queues: Collection[str] = ()
) -> list[Verdict]:
    """Replay histories against the units of a catalog, on the sandbox and the plugins of a worker.

    Args:
        histories: Stored ones, or those of an engine.
        catalog: Today's code.
        upgrade: Whether open cases of older versions are given to today's code, too.
        queues: Task queues that executor kinds have by configuration.

    Raises:
        ReplayError: the sandbox refuses a unit's file.
    """
    known = [history for history in histories if history.unit in catalog]
    verdicts = {id(history): _unknown(history) for history in histories if history.unit not in catalog}
    async for history, replayed in replays(known, catalog):
        there = _with_limits(recorded(history.events, queues), history)
        findings = compare(there, replayed.deeds, stopped=bool(replayed.trouble))
        if replayed.trouble and (replayed.raised or not findings):
            findings.insert(0, Finding("a workflow task", "completed", replayed.trouble))
        verdicts[id(history)] = _judge(history, findings, catalog, upgrade=upgrade)
    return [verdicts[id(history)] for history in histories]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What today's code did with a history."""

    deeds: list[Deed]
    trouble: str = ""
    """Why it did not get to the end."""
    raised: bool = False
    """Whether that was an exception in the unit's or the core's code."""


async def replays(histories: Sequence[History], catalog: Catalog) -> AsyncIterator[tuple[History, Replayed]]:
    """Replay histories of the catalog's units, one after the other.

    Raises:
        ReplayError: the sandbox refuses a unit's file.
    """
    if not histories:
        return
    quiet_core()
    witnesses: list[Witness] = []

    def watch(runner: WorkflowRunner | None) -> WorkflowRunner:
        witnesses.append(Witness(runner or strict_runner(*catalog.contracts)))
        return witnesses[-1]

    async def feed() -> AsyncIterator[WorkflowHistory]:
        for history in histories:
            witnesses[-1].forget()
            yield WorkflowHistory(history.case, history.events)

    plugins = [work_units(*catalog.contracts), tracing_plugin(), SimplePlugin("witness", workflow_runner=watch)]
    # Without the SDK's limit of 2 s a task: on a busy machine it fails sound code, and the replay may then never end.
    # Our own runner keeps its sandbox.
    replayer = Replayer(workflows=list(catalog), plugins=plugins, debug_mode=True)
    try:
        async with replayer.workflow_replay_iterator(feed()) as results:
            for history in histories:
                result = await anext(results)
                yield history, _seen(witnesses[-1], result, history)
    except (RuntimeError, ValueError) as error:
        raise ReplayError(f"a unit's file cannot be run: {error.__cause__ or error}") from error


def _seen(witness: Witness, result: WorkflowReplayResult, history: History) -> Replayed:
    deeds = witness.deeds(completed_tasks(history.events))
    if raised := witness.patience.seen or witness.raised:
        return Replayed(deeds, raised, raised=True)
    if result.replay_failure is None:
        return Replayed(deeds)
    # The SDK hands over the failure as Rust prints it; the sentence is in there.
    said = _SDK_SAID.search(str(result.replay_failure))
    return Replayed(deeds, said.group(1) if said else str(result.replay_failure))


def _with_limits(deeds: list[Deed], history: History) -> list[Deed]:
    """A history's inline steps with the limits that were noted when it was stored."""
    return [
        replace(deed, facts={**deed.facts, **history.inline.get(deed.name, {})}) if deed.kind == INLINE else deed
        for deed in deeds
    ]


def _judge(history: History, findings: list[Finding], catalog: Catalog, *, upgrade: bool) -> Verdict:
    today = catalog.get(history.unit).version
    verdict = Verdict(history.name, history.unit, history.version, history.close)
    words = {"unit": history.unit, "version": history.version, "today": today}
    if history.version in (None, today):
        changed = replace(verdict, status="breaks", findings=tuple(findings), remedy=CHANGED.format(**words))
        return changed if findings else verdict
    # Today's code writes its own version, and that alone breaks nothing.
    verdict = replace(verdict, findings=tuple(f for f in findings if not f.what.endswith("record.version")))
    if not (upgrade or (history.live and history.close == "open" and not history.pinned)):
        return replace(verdict, status="older", remedy=RETIRED.format(**words))
    return replace(verdict, status="breaks", remedy=UPGRADED.format(**words)) if verdict.findings else verdict


def _unknown(history: History) -> Verdict:
    remedy = UNKNOWN.format(unit=history.unit)
    return Verdict(history.name, history.unit, history.version, history.close, status="unknown_unit", remedy=remedy)
