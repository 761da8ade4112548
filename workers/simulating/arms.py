"""Which build a case is started on: in a trial, some cases go to one build and some to another, by their key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from temporalio.client import Client, Interceptor, OutboundInterceptor, StartWorkflowInput, WorkflowHandle
from temporalio.common import PinnedVersioningOverride, WorkerDeploymentVersion

Choice = Callable[[str], str | None]
"""The build of a case, by its business key; None: the current one."""
_SHARES = 10_000


def share(unit: str, key: str) -> float:
    """Where a business key lies between 0 and 1: always at the same place, and evenly spread."""
    digest = hashlib.sha256(f"{unit}:{key}".encode()).digest()
    return int.from_bytes(digest[:8]) % _SHARES / _SHARES


class Arms(Interceptor):
    """Pins each case that is started to the build that is chosen for it; it stays there whatever is current later."""

    def __init__(self, deployment: str) -> None:
        """Choose nothing yet: cases go to the current build."""
        self.deployment = deployment
        self.choose: Choice = lambda _key: None

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002, the SDK's name
        """Take part in what the client sends."""
        return _Pinning(next, self)

    def on(self, client: Client) -> Client:
        """The same client, with these arms."""
        config = client.config()
        config["interceptors"] = [*config["interceptors"], self]
        return Client(**config)


class _Pinning(OutboundInterceptor):
    def __init__(self, following: OutboundInterceptor, arms: Arms) -> None:
        super().__init__(following)
        self._arms = arms

    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:  # noqa: A002, the SDK's name
        build = self._arms.choose(input.id.partition(":")[2])
        if build is None:
            return await super().start_workflow(input)
        pinned = PinnedVersioningOverride(WorkerDeploymentVersion(self._arms.deployment, build))
        return await super().start_workflow(replace(input, versioning_override=pinned))
