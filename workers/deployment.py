"""Worker deployments: which builds have polled, and which one gets the new cases."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from temporalio.api.enums.v1 import RoutingConfigUpdateState, TaskQueueType, WorkerStatus
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeWorkerDeploymentRequest,
    ListWorkersRequest,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from workunits.core.errors import WorkUnitsError

PATIENCE = 30.0
"""Seconds to wait until a build has polled."""
_POLL = 0.1
_FRESH = 120.0
"""Seconds after which a poller that was not seen counts as gone; a long poll takes 60."""
_GOING = (WorkerStatus.WORKER_STATUS_SHUTTING_DOWN, WorkerStatus.WORKER_STATUS_SHUTDOWN)
_NOT_YET = (
    RPCStatusCode.NOT_FOUND,
    RPCStatusCode.FAILED_PRECONDITION,
    RPCStatusCode.ABORTED,
    RPCStatusCode.RESOURCE_EXHAUSTED,  # the server takes few changes of a deployment at a time
)


class NotDeployableError(WorkUnitsError):
    """A build cannot be made current."""


@dataclass(frozen=True)
class Deployment:
    """What the engine knows of our deployment."""

    builds: tuple[str, ...]
    """Those that have polled, newest first."""
    current: str | None
    settled: bool = True
    """Whether all task queues know by now which build is current."""


async def describe_deployment(client: Client, name: str) -> Deployment:
    """Ask the engine; a deployment that nobody has polled for has no builds."""
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=name)
    try:
        info = (await client.workflow_service.describe_worker_deployment(request, retry=True)).worker_deployment_info
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return Deployment((), None)
        raise
    summaries = sorted(info.version_summaries, key=lambda version: version.create_time.ToNanoseconds(), reverse=True)
    current = info.routing_config.current_deployment_version.build_id
    return Deployment(
        tuple(version.deployment_version.build_id for version in summaries),
        current or None,
        info.routing_config_update_state != RoutingConfigUpdateState.ROUTING_CONFIG_UPDATE_STATE_IN_PROGRESS,
    )


async def current_build(client: Client, name: str) -> str | None:
    """The build that gets new cases."""
    return (await describe_deployment(client, name)).current


async def make_current(client: Client, name: str, build: str, *, patience: float = PATIENCE) -> str | None:
    """Send new cases to a build, once it has polled.

    Args:
        client: A connected client.
        name: The deployment.
        build: The build id.
        patience: Seconds to wait for its first poll.

    Returns:
        The build that was current before.

    Raises:
        NotDeployableError: it has not polled; names those that have.
    """
    until = time.monotonic() + patience
    while True:
        there = await describe_deployment(client, name)
        why = "it has not polled yet"
        if build in there.builds:
            if there.current == build:
                return build
            request = SetWorkerDeploymentCurrentVersionRequest(
                namespace=client.namespace, deployment_name=name, build_id=build, identity="workunits"
            )
            try:
                await client.workflow_service.set_worker_deployment_current_version(request)
            except RPCError as error:
                if error.status not in _NOT_YET:
                    raise
                why = error.message[:200]
            else:
                await _until_settled(client, name)
                return there.current
        if time.monotonic() > until:
            known = ", ".join(there.builds) or "none; start one: workunits worker"
            raise NotDeployableError(f"build {build} of {name} cannot be made current: {why}. Builds known: {known}")
        await asyncio.sleep(_POLL)


async def _until_settled(client: Client, name: str) -> None:
    """Wait until a case that is started now goes to the current build."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if (await describe_deployment(client, name)).settled:
            return
        await asyncio.sleep(_POLL)


async def pollers(client: Client, queue: str, build: str | None, *, cases: bool, ahead: float = 0.0) -> int:
    """How many workers poll a queue now.

    Args:
        client: A connected client.
        queue: The task queue.
        build: Only workers of this build; all when None.
        cases: Whether those for cases are meant, or those for machine steps.
        ahead: Seconds by which our clock is ahead of the engine's.
    """
    kind = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW if cases else TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
    said = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind)
    )
    gone = await _stopped(client, queue)
    now = time.time() - ahead
    return sum(
        1
        for poller in said.pollers
        if poller.identity not in gone
        and now - poller.last_access_time.ToNanoseconds() / 1e9 < _FRESH
        and (build is None or poller.deployment_options.build_id == build)
    )


async def _stopped(client: Client, queue: str) -> set[str]:
    """The workers that said good-bye: the engine goes on to list them as pollers for minutes."""
    request = ListWorkersRequest(namespace=client.namespace, query=f"TaskQueue = '{queue}'")
    gone: set[str] = set()
    try:
        while True:
            said = await client.workflow_service.list_workers(request)
            gone.update(worker.worker_identity for worker in said.workers if worker.status in _GOING)
            if not said.next_page_token:
                return gone
            request.next_page_token = said.next_page_token
    except RPCError:  # an older server: it takes a few minutes to know
        return gone
