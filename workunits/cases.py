"""What can be seen of a case and of its tasks from outside, as the unit itself wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from temporalio.api.enums.v1 import EventType
from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus, WorkflowHistoryEventFilterType
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from workunits.core.errors import WorkUnitsError
from workunits.core.lifecycle import Task
from workunits.core.record import MEMO, START_MEMO, Closed, Record, StartNote
from workunits.core.sealed import require_open


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case at one moment."""

    case: str
    unit: str
    key: str
    run: str
    is_open: bool
    state: str
    """`running`, `waiting`, `incident`, how it closed, or `terminated` and the like when it was ended from outside."""
    started: datetime
    closed: datetime | None
    record: Record | None
    """None until the case has published one: it is still in its first machine steps."""
    tasks: tuple[Task, ...]

    @property
    def close(self) -> str | None:
        """How it closed, once it has."""
        return self.record.close if self.record else None

    @property
    def due(self) -> datetime | None:
        """When the outcome is due."""
        return self.record.when(self.record.due) if self.record and self.record.due else None


@dataclass(frozen=True, slots=True)
class TaskView:
    """An open task, with what one needs to choose it."""

    task: Task
    case: str
    unit: str
    key: str
    due: datetime | None


class UnreadableError(WorkUnitsError):
    """What a case left in its memo cannot be read."""


def is_unknown(error: RPCError) -> bool:
    """Whether the engine says that it has no such case.

    After it stood still, it may for a moment not even find its namespace, which says nothing about any case.
    """
    if error.status != RPCStatusCode.NOT_FOUND:
        return False
    return not any(detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in error.grpc_status.details)


async def view_of(client: Client, execution: WorkflowExecution) -> CaseView:
    """Read a case from what Temporal lists; one whose memo cannot be read is shown as far as the engine knows it."""
    try:
        note, record, tasks = await read_execution(client, execution)
    except UnreadableError:
        note, record, tasks = StartNote(), None, ()
    is_open = execution.status == WorkflowExecutionStatus.RUNNING
    status = execution.status.name.lower() if execution.status else "unknown"
    state = (record.close if record else None) or status
    if is_open:
        state = record.state(tasks) if record else "running"
    return CaseView(
        case=execution.id,
        unit=execution.workflow_type,
        key=record.key if record else note.key,
        run=execution.run_id,
        is_open=is_open,
        state=state,
        # With a start delay, the execution time is the moment at which the case begins.
        started=record.started if record else execution.execution_time or execution.start_time,
        closed=execution.close_time,
        record=record,
        tasks=tasks if is_open else (),
    )


async def read_execution(
    client: Client, execution: WorkflowExecution
) -> tuple[StartNote, Record | None, tuple[Task, ...]]:
    """Read a memo: what the starter noted, the record and the open tasks; no record in the first machine steps.

    One more request when a closed case's record is too large for a listing.

    Raises:
        UnreadableError: says why, without what stands there.
        RPCError: the engine does not answer.
    """
    record: Record | None = None
    tasks: tuple[Task, ...] = ()
    try:
        memo = await execution.memo()
        said: Any = memo.get(MEMO)
        require_open(said, memo.get(START_MEMO))
        if isinstance(said, RawValue):
            raise UnreadableError("it was not written by a unit of this installation, or was changed since")
        if said is not None:
            record = Record.model_validate(said["record"])
            tasks = tuple(Task.model_validate(task) for task in said["tasks"])
            if record.elsewhere and record.close:
                record = await _record_of_closing_event(client, execution) or record
    except (RPCError, UnreadableError):
        raise
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        where = ".".join(str(part)[:60] for part in faults[0]["loc"])
        raise UnreadableError(f"{where}: {faults[0]['msg']}") from None
    except Exception as error:  # a foreign memo, another key: whatever a converter or codec raises
        raise UnreadableError(f"{type(error).__name__}: {str(error)[:200]}") from error
    return start_note(memo.get(START_MEMO)), record, tasks


def start_note(said: Any) -> StartNote:
    """Read what the starter of a case noted; whatever an outsider put there instead counts as nothing."""
    try:
        return StartNote.model_validate(said or {})
    except ValidationError:
        return StartNote()


async def _record_of_closing_event(client: Client, execution: WorkflowExecution) -> Record | None:
    handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
    converter = execution.data_converter
    async for event in handle.fetch_history_events(event_filter_type=WorkflowHistoryEventFilterType.CLOSE_EVENT):
        closed: Closed | None = None
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
            payloads = event.workflow_execution_completed_event_attributes.result.payloads
            closed = (await converter.decode(payloads, [Closed]))[0]
        elif event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
            failure = await converter.decode_failure(event.workflow_execution_failed_event_attributes.failure)
            if isinstance(failure, ApplicationError) and failure.details:
                closed = Closed.model_validate(failure.details[0])
        if closed and closed.record:
            return Record.model_validate(closed.record)
    return None
