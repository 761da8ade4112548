"""A new version for some of the new cases: which build a case starts on, by the hash of its business key.

The split stands in Temporal, as metadata of the build that is current, so that everyone who starts cases sees the same
one, also while the ledger is down. It ends by itself when another build becomes current.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from temporalio.api.common.v1 import Payload
from temporalio.api.deployment.v1 import WorkerDeploymentVersion as Version
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentRequest,
    DescribeWorkerDeploymentVersionRequest,
    UpdateWorkerDeploymentVersionMetadataRequest,
)
from temporalio.client import Client, WorkflowHandle
from temporalio.common import PinnedVersioningOverride, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode

DEPLOYMENT = "workunits"
"""The Worker Deployment, unless another one is named."""
FRESH = 5.0
"""Seconds for which a starter goes by what it last saw."""
_SPLITS, _UNITS = "workunits.rollouts", "workunits.units"
_STEPS = 1_000_000
_PATIENCE = timedelta(seconds=5)
_GONE = (RPCStatusCode.NOT_FOUND, RPCStatusCode.UNIMPLEMENTED)

log = logging.getLogger("workunits.rollout")


@dataclass(frozen=True, slots=True)
class Rollout:
    """The split of one unit's new cases."""

    unit: str
    older: str
    """The version of the current build."""
    newer: str
    build: str
    """The build of the newer version."""
    percent: float
    """Of new cases go to it."""

    def takes(self, key: str) -> bool:
        """Whether the case of a business key goes to the newer version: always the same answer."""
        digest = hashlib.sha256(f"{self.unit}:{self.newer}:{key}".encode()).digest()
        return int.from_bytes(digest[:8]) % _STEPS < self.percent / 100 * _STEPS


class Rollouts:
    """What a starter knows of them."""

    def __init__(self, client: Client, deployment: str = DEPLOYMENT) -> None:
        """Ask nothing yet."""
        self._client = client
        self._deployment = deployment
        self._seen: Mapping[str, Rollout] = {}
        self._asked: float | None = None
        self._asking = asyncio.Lock()

    async def start(self, unit: str, key: str, case: BaseModel, **more: Any) -> WorkflowHandle[Any, Any]:
        """Start a case's workflow, on the build that a rollout gives to its key.

        A build that the engine does not find on the queue any more is not waited for: the current one takes the case.

        Args:
            unit: The workflow's type.
            key: The business key.
            case: The argument.
            more: As `Client.start_workflow` takes it.

        Raises:
            WorkflowAlreadyStartedError, RPCError.
        """
        build = await self.build_for(unit, key)
        if build is not None:
            pinned = PinnedVersioningOverride(WorkerDeploymentVersion(self._deployment, build))
            try:
                return await self._client.start_workflow(unit, case, versioning_override=pinned, **more)
            except RPCError as error:
                if error.status != RPCStatusCode.FAILED_PRECONDITION:
                    raise
                log.warning("build %s of %s takes no cases: %s", build, unit, error.message[:200])
        return await self._client.start_workflow(unit, case, **more)

    def look_again(self) -> None:
        """Ask the engine at the next start: somebody here has just changed a split."""
        self._asked = None

    async def build_for(self, unit: str, key: str) -> str | None:
        """The build on which a case starts; None: whichever is current."""
        async with self._asking:  # whoever starts meanwhile goes by the answer, too
            if self._asked is None or time.monotonic() - self._asked > FRESH:
                try:
                    self._seen = await read(self._client, self._deployment)
                except RPCError as error:  # a case does not wait for what it can do without
                    log.warning("the rollouts cannot be read, cases start by what was known: %s", error.message[:200])
                self._asked = time.monotonic()
        split = self._seen.get(unit)
        return split.build if split and split.takes(key) else None


async def current_build(client: Client, deployment: str) -> str | None:
    """The build that gets new cases.

    Raises:
        RPCError: the engine does not answer.
    """
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=deployment)
    try:
        said = await client.workflow_service.describe_worker_deployment(request, timeout=_PATIENCE)
    except RPCError as error:
        if error.status in _GONE:
            return None
        raise
    return said.worker_deployment_info.routing_config.current_deployment_version.build_id or None


async def read(client: Client, deployment: str) -> dict[str, Rollout]:
    """All splits that hold, by unit.

    Raises:
        RPCError: the engine does not answer.
    """
    current = await current_build(client, deployment)
    there = (await _metadata(client, deployment, current)).get(_SPLITS) if current else None
    return {unit: Rollout(**split) for unit, split in there.items()} if isinstance(there, dict) else {}


async def write(client: Client, deployment: str, splits: Iterable[Rollout]) -> None:
    """Let these splits hold, and no others.

    Raises:
        RPCError: the engine does not answer, or no build is current.
    """
    current = await current_build(client, deployment)
    if current is None:
        raise RPCError(f"no build of {deployment} is current", RPCStatusCode.FAILED_PRECONDITION, b"")
    await _note(client, deployment, current, _SPLITS, {split.unit: asdict(split) for split in splits})


async def note_units(client: Client, deployment: str, build: str, versions: Mapping[str, str]) -> None:
    """Say which version of each unit a build serves.

    Raises:
        RPCError: the engine does not answer, or does not know the build yet.
    """
    await _note(client, deployment, build, _UNITS, dict(versions))


async def units_of(client: Client, deployment: str, build: str) -> Mapping[str, str]:
    """Which version of each unit a build serves, as its workers said.

    Raises:
        RPCError: the engine does not answer.
    """
    found = (await _metadata(client, deployment, build)).get(_UNITS)
    return found if isinstance(found, dict) else {}


async def _metadata(client: Client, deployment: str, build: str) -> dict[str, object]:
    request = DescribeWorkerDeploymentVersionRequest(
        namespace=client.namespace, deployment_version=Version(deployment_name=deployment, build_id=build)
    )
    try:
        said = await client.workflow_service.describe_worker_deployment_version(request, timeout=_PATIENCE)
    except RPCError as error:
        if error.status in _GONE:
            return {}
        raise
    kept = said.worker_deployment_version_info.metadata.entries
    return {name: json.loads(payload.data) for name, payload in kept.items() if name in (_SPLITS, _UNITS)}


async def _note(client: Client, deployment: str, build: str, name: str, value: object) -> None:
    payload = Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(value, sort_keys=True).encode())
    request = UpdateWorkerDeploymentVersionMetadataRequest(
        namespace=client.namespace,
        deployment_version=Version(deployment_name=deployment, build_id=build),
        upsert_entries={name: payload},
        identity="workunits",
    )
    await client.workflow_service.update_worker_deployment_version_metadata(request)
