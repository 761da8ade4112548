"""The bell: a datagram by which a case says that it waits for its person.

The worker rings it outside the sandbox, where it sees what a workflow task sends: after a step's result, no
further step and no close means that the case waits. So neither the product nor its twin has a line for it,
and it costs both the same.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.plugin import SimplePlugin
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

HOST = "127.0.0.1"
_GOES_ON = ("schedule_activity", "schedule_local_activity", "complete_workflow_execution", "fail_workflow_execution")


class Bells(asyncio.DatagramProtocol):
    """Hears the bells of all cases."""

    def __init__(self) -> None:
        self._heard: dict[str, asyncio.Event] = {}
        self.port = 0

    @classmethod
    async def listen(cls) -> Bells:
        """Open a port."""
        transport, bells = await asyncio.get_running_loop().create_datagram_endpoint(cls, local_addr=(HOST, 0))
        bells.port = transport.get_extra_info("sockname")[1]
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        return bells

    def datagram_received(self, data: bytes, _: Any) -> None:
        """See base class."""
        self._event(data.decode()).set()

    async def rung(self, name: str) -> None:
        """Wait for one bell; a lost datagram ends the run loudly instead of hanging it."""
        async with asyncio.timeout(60):
            await self._event(name).wait()
        del self._heard[name]

    def _event(self, name: str) -> asyncio.Event:
        return self._heard.setdefault(name, asyncio.Event())


class Bell:
    """Rings from the worker."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._to = HOST, port

    def ring(self, name: str) -> None:
        """Send one datagram; the kernel takes it, so this does not wait."""
        self._socket.sendto(name.encode(), self._to)


class BellPlugin(SimplePlugin):
    """Rings for every case; on the worker, so that it comes after the plugins that choose the runner."""

    def __init__(self, bell: Bell) -> None:
        def with_bell(runner: WorkflowRunner | None) -> WorkflowRunner:
            if not isinstance(runner, SandboxedWorkflowRunner):
                raise TypeError("the benchmark measures sandboxed workflows")
            return _Runner(bell, runner)

        super().__init__("bench-bell", workflow_runner=with_bell)


class _Runner(WorkflowRunner):
    def __init__(self, bell: Bell, inner: SandboxedWorkflowRunner) -> None:
        self._bell, self._inner = bell, inner

    def prepare_workflow(self, defn: Any) -> None:
        self._inner.prepare_workflow(defn)

    def set_worker_level_failure_exception_types(self, types: Any) -> None:
        self._inner.set_worker_level_failure_exception_types(types)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return _Instance(self._bell, self._inner.create_instance(det))


class _Instance(WorkflowInstance):
    def __init__(self, bell: Bell, inner: WorkflowInstance) -> None:
        self._bell, self._inner = bell, inner
        # Asked once per payload: straight to the real instance, so that the bell costs nothing there.
        self.get_serialization_context = inner.get_serialization_context  # type: ignore[method-assign]
        self.get_external_store_context = inner.get_external_store_context  # type: ignore[method-assign]

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        completion = self._inner.activate(act)
        if not act.is_replaying and any(job.HasField("resolve_activity") for job in act.jobs):
            sent = completion.successful.commands
            if not any(command.WhichOneof("variant") in _GOES_ON for command in sent):
                self._bell.ring(self._inner.get_info().workflow_id)
        return completion

    def get_serialization_context(self, command_info: Any) -> Any:
        return self._inner.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> Any:
        return self._inner.get_external_store_context(command_info)

    def get_info(self) -> Any:
        return self._inner.get_info()

    def get_thread_id(self) -> int | None:
        return self._inner.get_thread_id()
