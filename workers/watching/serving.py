"""Cases that no worker serves: a queue that nobody polls, or a build that open cases are pinned to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from temporalio.api.enums.v1 import PendingWorkflowTaskState, TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse as Described

from workers.deployment import describe_deployment, pollers
from workers.queues import Share, shares
from workers.settings import Settings
from workers.watching.engine import PATIENCE, EngineSide, OpenCase, moment
from workers.watching.failing import ATTEMPT
from workers.watching.finding import Finding
from workunits.registry import Catalog

_COMMAND = "workunits worker"


class Serving:
    """Looks at who polls."""

    def __init__(self, engine: EngineSide, settings: Settings, catalog: Catalog) -> None:
        """Look at nothing yet."""
        self._engine = engine
        self._client = engine.client
        self._settings = settings
        self._catalog = catalog

    async def unserved(self, ahead: float) -> list[Finding]:
        """Queues and builds that open cases wait for, and nobody polls for.

        Args:
            ahead: Seconds by which our clock is ahead of the engine's.

        Raises:
            RPCError.
        """
        found: list[Finding] = []
        for part in shares(self._settings, self._catalog):
            found += await self._of_queue(part, ahead)
        if not any(finding.about == f"queue {self._settings.queue}" for finding in found):
            found += await self._of_builds(ahead)
        return found

    async def _of_queue(self, part: Share, ahead: float) -> list[Finding]:
        """What waits at a queue; one that has cases and steps is polled for both by the same workers."""
        if not part.cases and not part.steps:
            return []
        if await pollers(self._client, part.queue, None, cases=part.cases, ahead=ahead):
            return []
        units = {step.unit for step in part.steps} if not part.cases else {unit.unit_name for unit in self._catalog}
        what = "cases" if part.cases else f"{' and '.join(part.kinds)} steps"
        since = await self._last_poll(part.queue, "", cases=part.cases)
        waits = "wait for it" if part.cases else "wait when they come to such a step"
        return await self._each(
            units,
            self._on_our_queue,
            about=f"queue {part.queue}",
            cause=f"no worker polls queue {part.queue} for {what}: {{}} open case(s) {waits}",
            remedy=f"start one: {_COMMAND}" + ("" if part.cases else f" --executors {','.join(part.kinds)}"),
            since=since,
        )

    async def _of_builds(self, ahead: float) -> list[Finding]:
        name, queue = self._settings.deployment, self._settings.queue
        there = await describe_deployment(self._client, name)
        units = [unit.unit_name for unit in self._catalog]
        found: list[Finding] = []
        for build in there.builds:
            pinned = f"TemporalWorkerDeploymentVersion = '{name}:{build}'"
            if not await self._engine.count(pinned):
                continue
            if await pollers(self._client, queue, build, cases=True, ahead=ahead):
                continue
            found += await self._each(
                units,
                pinned,
                about=f"version {name}:{build}",
                cause=f"no poller for version {name}:{build}: {{}} open case(s) are pinned to it",
                remedy=f"start a worker of that code: {_COMMAND} --build-id {build}",
                since=await self._last_poll(queue, build, cases=True),
            )
        if there.builds and not there.current and not await pollers(self._client, queue, "", cases=True, ahead=ahead):
            found += await self._each(
                units,
                f"TemporalWorkerDeploymentVersion IS NULL AND {self._on_our_queue}",
                about=f"deployment {name}",
                cause=f"no build of {name} is current: {{}} open case(s) wait for one",
                remedy=f"workunits deploy {there.builds[0]}",
            )
        return found

    @property
    def _on_our_queue(self) -> str:
        return f"TaskQueue = '{self._settings.queue}'"

    async def _each(
        self, units: Iterable[str], query: str, *, about: str, cause: str, remedy: str, since: datetime | None = None
    ) -> list[Finding]:
        """One finding for each unit that has such cases; `cause` has a place for their number."""
        found = []
        for unit in units:
            count = await self._engine.count(f"WorkflowType = '{unit}' AND {query}")
            if count:
                found.append(Finding("no_worker", cause.format(count), remedy, since=since, unit=unit, about=about))
        return found

    async def _last_poll(self, queue: str, build: str, *, cases: bool) -> datetime | None:
        """When somebody polled last, as far as the engine remembers."""
        kind = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW if cases else TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
        said = await self._client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=self._client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
            ),
            timeout=PATIENCE,
        )
        mine = (p for p in said.pollers if not build or p.deployment_options.build_id == build)
        return max((at for p in mine if (at := moment(p.last_access_time))), default=None)


def untaken(case: OpenCase, described: Described, now: datetime, grace: timedelta) -> list[Finding]:
    """A case whose next workflow task nobody takes, on whatever queue or build that is."""
    pending = described.pending_workflow_task
    waits = pending.state == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED
    since = moment(pending.scheduled_time)
    if case.paused or not waits or pending.attempt >= ATTEMPT or since is None or since + grace >= now:
        return []
    version = described.workflow_execution_info.versioning_info.deployment_version
    build = f", build {version.build_id} of {version.deployment_name}" if version.build_id else ""
    return [
        Finding(
            "no_worker",
            f"nobody takes its next workflow task, on queue {case.queue}{build}",
            f"start one for that queue{' and build' if build else ''}; if there is one, it has too much to do",
            since=since,
            case=case.id,
            unit=case.unit,
        )
    ]
