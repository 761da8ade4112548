"""The engine as the watchdog asks it: pages of open cases, and one case in full; bounded, and never for long.

Its own protocol and not the SDK's listing: that one raises on a case that is paused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import WorkflowExecution as Execution
from temporalio.api.enums.v1 import WorkflowExecutionStatus as Status
from temporalio.api.workflow.v1 import WorkflowExecutionInfo as Info
from temporalio.api.workflowservice.v1 import CountWorkflowExecutionsRequest, ListWorkflowExecutionsRequest
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest as Describe
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse as Described
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

from workunits.cases import UnreadableError, is_unknown, read_execution
from workunits.core.lifecycle import Task
from workunits.core.record import Record
from workunits.registry import Catalog

PATIENCE = timedelta(seconds=10)
"""For one answer; an engine that takes longer counts as unavailable."""
AT_ONCE = 10
BY_ID = 100
"""Cases that one query names."""
_OF_THE_CASE = (
    RPCStatusCode.INTERNAL,
    RPCStatusCode.INVALID_ARGUMENT,
    RPCStatusCode.DATA_LOSS,
    RPCStatusCode.FAILED_PRECONDITION,
    RPCStatusCode.OUT_OF_RANGE,
)
"""What the engine answers when it is well and the one case is not."""


@dataclass(frozen=True, slots=True)
class OpenCase:
    """One open case, as a listing shows it."""

    id: str
    unit: str
    run: str
    queue: str
    started: datetime
    """Its start delay included."""
    paused: bool
    record: Record | None
    """None in its first machine steps, and while no worker has seen it."""
    tasks: tuple[Task, ...]
    unreadable: str = ""
    """Why its memo cannot be read."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a listing."""

    cases: tuple[OpenCase, ...]
    token: bytes
    """Where the next page begins; empty on the last."""


class EngineSide:
    """Asks one namespace about the open cases of a catalog."""

    def __init__(self, client: Client, catalog: Catalog) -> None:
        """Ask nothing yet.

        Args:
            client: Connected, with the plugin and its keys.
            catalog: Whose cases are looked at.
        """
        self.client = client
        self._mine = f"WorkflowType IN ({', '.join(repr(unit.unit_name) for unit in catalog)})"

    async def page(self, query: str, size: int, token: bytes = b"") -> Page:
        """List open cases, paused ones among them.

        Args:
            query: What they have in common; empty for all of them.
            size: At most so many.
            token: Of the page before.

        Raises:
            RPCError.
        """
        said = await self.client.workflow_service.list_workflow_executions(
            ListWorkflowExecutionsRequest(
                namespace=self.client.namespace,
                query=" AND ".join(part for part in (self._mine, "CloseTime IS NULL", query) if part),
                page_size=size,
                next_page_token=token,
            ),
            timeout=PATIENCE,
        )
        cases = await asyncio.gather(*(self._read(info) for info in said.executions))
        return Page(tuple(cases), said.next_page_token)

    async def named(self, cases: Sequence[str]) -> dict[str, OpenCase]:
        """Those of some cases that are open.

        Raises:
            RPCError.
        """
        found: dict[str, OpenCase] = {}
        for begin in range(0, len(cases), BY_ID):
            names = ", ".join(_quoted(case) for case in cases[begin : begin + BY_ID])
            page = await self.page(f"WorkflowId IN ({names})", BY_ID)
            found |= {case.id: case for case in page.cases}
        return found

    async def count(self, query: str) -> int:
        """How many open cases have something in common.

        Raises:
            RPCError.
        """
        request = CountWorkflowExecutionsRequest(
            namespace=self.client.namespace, query=f"{self._mine} AND CloseTime IS NULL AND {query}"
        )
        return (await self.client.workflow_service.count_workflow_executions(request, timeout=PATIENCE)).count

    async def describe(self, cases: Iterable[str]) -> dict[str, Described | str | None]:
        """Describe cases one by one: None for one that is gone, words for one that cannot be described.

        Raises:
            RPCError: the engine does not serve us.
        """
        gate = asyncio.Semaphore(AT_ONCE)
        names = list(dict.fromkeys(cases))
        said = await asyncio.gather(*(self._described(case, gate) for case in names))
        return dict(zip(names, said, strict=True))

    async def read(self, described: Described) -> OpenCase:
        """A described case, as a listing shows it."""
        return await self._read(described.workflow_execution_info)

    async def _described(self, case: str, gate: asyncio.Semaphore) -> Described | str | None:
        request = Describe(namespace=self.client.namespace, execution=Execution(workflow_id=case))
        async with gate:
            try:
                said = await self.client.workflow_service.describe_workflow_execution(request, timeout=PATIENCE)
            except RPCError as error:
                if is_unknown(error):
                    return None
                if error.status in _OF_THE_CASE:
                    return f"the engine cannot describe it: {error.message[:200]}"
                raise
        return said if is_open(said.workflow_execution_info) else None

    async def _read(self, info: Info) -> OpenCase:
        record: Record | None = None
        tasks: tuple[Task, ...] = ()
        unreadable = ""
        try:
            execution = _as_sdk_has_it(self.client, info)
            _, record, tasks = await read_execution(self.client, execution)
            if record and (record.case, record.unit) != (info.execution.workflow_id, info.type.name):
                raise UnreadableError("it is another case's")
        except UnreadableError as error:
            record, tasks, unreadable = None, (), str(error)
        return OpenCase(
            id=info.execution.workflow_id,
            unit=info.type.name,
            run=info.execution.run_id,
            queue=info.task_queue,
            started=moment(info.execution_time) or moment(info.start_time) or datetime.now(UTC),
            paused=info.status == Status.WORKFLOW_EXECUTION_STATUS_PAUSED,
            record=record,
            tasks=tasks,
            unreadable=unreadable,
        )


def is_open(info: Info) -> bool:
    """Whether a case is running or paused."""
    return info.status in (Status.WORKFLOW_EXECUTION_STATUS_RUNNING, Status.WORKFLOW_EXECUTION_STATUS_PAUSED)


def moment(stamp: Timestamp) -> datetime | None:
    """A time of the engine's; none for one that it leaves empty, or fills with its own zero."""
    return stamp.ToDatetime(UTC) if stamp.seconds > 0 else None


def said_at(at: datetime) -> str:
    """A time as a query writes it."""
    return at.strftime("'%Y-%m-%dT%H:%M:%S.%fZ'")


def _as_sdk_has_it(client: Client, info: Info) -> WorkflowExecution:
    """As the SDK would list it, which knows no paused cases."""
    copy = Info()
    copy.CopyFrom(info)
    if copy.status == Status.WORKFLOW_EXECUTION_STATUS_PAUSED:
        copy.status = Status.WORKFLOW_EXECUTION_STATUS_RUNNING
    return WorkflowExecution._from_raw_info(  # noqa: SLF001 - the SDK's listing has no other way in
        copy, client.namespace, client.data_converter
    )


def _quoted(text: str) -> str:
    """An id as a query writes it; whoever starts a case past our doors may give it any."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
