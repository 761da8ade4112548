"""A case whose workflow task fails again and again: a bug in the unit's code, or a key that the worker lacks."""

from __future__ import annotations

from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse as Described
from temporalio.client import Client
from temporalio.service import RPCError

from workers.watching.engine import OpenCase, moment
from workers.watching.finding import Finding
from workers.wedged import why_it_fails

ATTEMPT = 3
"""From here on it fails; a second attempt is also what a killed worker leaves behind."""


async def failing(client: Client, case: OpenCase, described: Described) -> list[Finding]:
    """The finding, with the error and its place in the unit's code."""
    pending = described.pending_workflow_task
    if pending.attempt < ATTEMPT or case.paused:
        return []
    try:
        why = await why_it_fails(client, case.id)
    except RPCError:
        why = "see the worker's log"  # what matters is known; the words come with the next look
    return [
        Finding(
            "task_failing",
            f"its workflow task fails, attempt {pending.attempt}: {why}",
            "mend the code, or go back to the code before, and start a worker with it: the case goes on by itself",
            since=moment(pending.original_scheduled_time) or moment(pending.scheduled_time),
            case=case.id,
            unit=case.unit,
        )
    ]
