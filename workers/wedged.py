"""Open cases whose workflow task fails again and again: a bug in a unit's code, which a deploy repairs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryReverseRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError

from workers.checks.finding import Finding
from workers.opened import open_failure
from workunits.registry import Catalog

LOOKED_AT = 500
"""Open cases that are described one by one; Temporal marks the others only from the sixth failure on."""
_AT_ONCE = 20
_SHOWN = 10
_EVENTS = 20
_FRAME = re.compile(r'File "([^"]+)", line (\d+)')
_EVENT = re.compile(r"HistoryEvent\(id: (\d+)")
_NOT_THEIRS = ("/temporalio/", "/asyncio/", "<frozen", "/concurrent/")


@dataclass(frozen=True)
class Wedged:
    """A case that cannot go on, and why."""

    case: str
    attempts: int
    why: str

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.case}: attempt {self.attempts}: {self.why}"


async def wedged_cases(client: Client, catalog: Catalog) -> Sequence[Finding]:
    """Look for open cases that are stuck."""
    types = ", ".join(f"'{unit.unit_name}'" for unit in catalog)
    mine = f"WorkflowType IN ({types}) AND ExecutionStatus = 'Running'"
    marked = [found.id async for found in client.list_workflows(f"{mine} AND {_MARKED}", limit=LOOKED_AT)]
    newest = [found.id async for found in client.list_workflows(mine, limit=LOOKED_AT)]
    gate = asyncio.Semaphore(_AT_ONCE)
    looked = await asyncio.gather(*(_look(client, case, gate) for case in dict.fromkeys([*marked, *newest])))
    stuck = [found for found in looked if found]
    count = (await client.count_workflows(mine)).count
    if not stuck:
        return [Finding("cases", "ok", f"{count} open, none is stuck")]
    more = f" (and {len(stuck) - _SHOWN} more)" if len(stuck) > _SHOWN else ""
    message = f"{len(stuck)} of {count} open cases are stuck: " + "; ".join(str(found) for found in stuck[:_SHOWN])
    remedy = "mend the code and start a worker with it: each goes on by itself, nothing is lost"
    return [Finding("cases", "fail", message + more, remedy)]


_MARKED = "TemporalReportedProblems IS NOT NULL"


async def _look(client: Client, case: str, gate: asyncio.Semaphore) -> Wedged | None:
    """Describe one case; None when its workflow task does not fail."""
    execution = WorkflowExecution(workflow_id=case)
    async with gate:
        try:
            said = await client.workflow_service.describe_workflow_execution(
                DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=execution)
            )
            attempts = said.pending_workflow_task.attempt
            if attempts <= 1:
                return None
            return Wedged(case, attempts, await why_it_fails(client, case))
        except RPCError:
            return None  # closed and deleted meanwhile


async def why_it_fails(client: Client, case: str) -> str:
    """The failure of the last workflow task: its words and its place in the unit's code.

    Raises:
        RPCError.
    """
    execution = WorkflowExecution(workflow_id=case)
    said = await client.workflow_service.get_workflow_execution_history_reverse(
        GetWorkflowExecutionHistoryReverseRequest(
            namespace=client.namespace, execution=execution, maximum_page_size=_EVENTS
        )
    )
    for event in said.history.events:
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
            failure = event.workflow_task_failed_event_attributes.failure
            words = words_of(await open_failure(client, execution.workflow_id, failure))
            return words + await _step(client, execution, words)
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT:
            return "its workflow task timed out: a worker ended, or the unit's code does not"
    return "its workflow task fails; see the worker's log"


async def _step(client: Client, execution: WorkflowExecution, words: str) -> str:
    """The step at which the code went another way than the case: the SDK only counts events."""
    named = _EVENT.search(words)
    if not named:
        return ""
    said = await client.workflow_service.get_workflow_execution_history(
        GetWorkflowExecutionHistoryRequest(namespace=client.namespace, execution=execution)
    )
    there = [event for event in said.history.events if event.event_id == int(named[1])]
    step = there[0].activity_task_scheduled_event_attributes.activity_id if there else ""
    return f", the step {step!r}" if step else ""


def words_of(failure: Failure) -> str:
    """What a failure says, and at which place in code of ours or of a unit's."""
    # The innermost cause has the place.
    place = ""
    while True:
        frames = [frame for frame in _FRAME.findall(failure.stack_trace) if not _foreign(frame[0])]
        if frames:
            place = f" at {frames[-1][0]}:{frames[-1][1]}"
        if not failure.HasField("cause"):
            break
        failure = failure.cause
    kind = failure.application_failure_info.type
    text = " ".join(failure.message.split())[:200]
    return f"{kind}: {text}{place}" if kind else f"{text}{place}"


def _foreign(path: str) -> bool:
    return any(part in path for part in _NOT_THEIRS)
