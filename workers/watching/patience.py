"""A machine step that takes longer than all its attempts may: it is tried on and on, or nobody has a hand free."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, PendingActivityState
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse as Described
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryReverseRequest
from temporalio.client import Client
from temporalio.service import RPCError

from workers.opened import open_failure
from workers.watching.engine import PATIENCE, OpenCase, moment
from workers.watching.finding import Finding, ago
from workers.wedged import words_of
from workunits.core.spec import Step
from workunits.registry import Catalog

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(minutes=1)
"""Between attempts: it doubles from the one to the other."""
_EVENTS, _PAGES = 100, 5
_KEPT = 10_000


def patience_of(step: Step[Any, Any]) -> timedelta:
    """How long a step may take with all its attempts, and the pauses between them."""
    pauses = (min(FIRST_PAUSE * 2**number, LONGEST_PAUSE) for number in range(min(step.attempts, 100) - 1))
    return step.timeout * step.attempts + sum(pauses, timedelta(0))


class Patience:
    """Knows how long each step may take, and since when those that are at work have been."""

    def __init__(self, client: Client, catalog: Catalog, grace: timedelta) -> None:
        """Ask nothing yet."""
        self._client = client
        self._grace = grace
        self._steps = {step.activity: step for unit in catalog for step in unit.steps}
        self._begun: dict[tuple[str, str], datetime] = {}
        """When a step of a run was first scheduled: the engine tells of the present attempt only."""

    async def exceeded(self, case: OpenCase, described: Described, now: datetime) -> list[Finding]:
        """The steps of a case that are out of patience.

        Raises:
            RPCError.
        """
        found = []
        for activity in described.pending_activities:
            step = self._steps.get(activity.activity_type.name)
            if step is None or activity.paused:
                continue
            begun = await self._begin(case, activity)
            if begun and begun + patience_of(step) + self._grace < now:
                found.append(await self._finding(case, activity, step, begun, now))
        return found

    async def _finding(
        self, case: OpenCase, activity: PendingActivityInfo, step: Step[Any, Any], begun: datetime, now: datetime
    ) -> Finding:
        took = ago((now - begun).total_seconds())
        most = ago(patience_of(step).total_seconds())
        last = await self._last_words(case, activity)
        if activity.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED and _is_ready(activity, now):
            state = f"attempt {activity.attempt} waits for a worker with a free hand{last}"
            remedy = "start another worker, or restart the one whose hands are all taken (WORKUNITS_MAX_ACTIVITIES)"
        else:
            state = f"it is at attempt {activity.attempt} of {activity.maximum_attempts or 'any number'}{last}"
            remedy = "mend what the step calls, or its performer; the next attempt then ends it"
        return Finding(
            "out_of_patience",
            f"its step {activity.activity_id} has been at it for {took}, where all attempts may take {most}: {state}",
            remedy,
            since=begun,
            case=case.id,
            unit=case.unit,
            about=activity.activity_id,
        )

    async def _last_words(self, case: OpenCase, activity: PendingActivityInfo) -> str:
        if not activity.HasField("last_failure"):
            return ""
        failure = await open_failure(self._client, case.id, activity.last_failure)
        return f", after: {words_of(failure)}"

    async def _begin(self, case: OpenCase, activity: PendingActivityInfo) -> datetime | None:
        scheduled = moment(activity.scheduled_time)
        if activity.attempt <= 1:
            return scheduled
        key = case.run, activity.activity_id
        if key not in self._begun:
            if len(self._begun) >= _KEPT:
                self._begun.clear()
            begun = await self._from_history(case, activity.activity_id) or scheduled
            if begun is None:
                return None
            self._begun[key] = begun
        return self._begun[key]

    async def _from_history(self, case: OpenCase, activity_id: str) -> datetime | None:
        request = GetWorkflowExecutionHistoryReverseRequest(
            namespace=self._client.namespace,
            execution=WorkflowExecution(workflow_id=case.id, run_id=case.run),
            maximum_page_size=_EVENTS,
        )
        for _ in range(_PAGES):
            try:
                said = await self._client.workflow_service.get_workflow_execution_history_reverse(
                    request, timeout=PATIENCE
                )
            except RPCError:
                return None
            for event in said.history.events:
                if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                    named = event.activity_task_scheduled_event_attributes.activity_id
                    if named == activity_id:
                        return moment(event.event_time)
            if not said.next_page_token:
                return None
            request.next_page_token = said.next_page_token
        return None


def _is_ready(activity: PendingActivityInfo, now: datetime) -> bool:
    """Whether an attempt could be taken now, and is not in the pause after the one before."""
    due = moment(activity.next_attempt_schedule_time) or moment(activity.scheduled_time)
    return due is None or due <= now
