"""What the engine says of a case: its listing, its memo, and how it ended when it was ended from outside."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus, WorkflowHistoryEventFilterType
from temporalio.service import RPCError

from workunits.cases import UnreadableError, is_unknown, read_execution
from workunits.core.lifecycle import Task
from workunits.core.record import CHANGED_AT, Record, StartNote

Status = WorkflowExecutionStatus
OUTSIDE = {Status.TERMINATED: "terminated", Status.TIMED_OUT: "timed_out"}
"""How the engine calls the ends that no code of ours saw."""
LONGEST_ID = 400
"""Characters of a case's id that the ledger keeps; ours have at most 181, the engine takes a thousand from anyone."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One case as the engine had it at one moment."""

    case: str
    unit: str
    run: str
    run_started: datetime
    status: Status
    started: datetime
    """The start, its delay included."""
    closed: datetime | None
    changed: datetime
    note: StartNote
    record: Record | None
    tasks: tuple[Task, ...]
    ending: str = ""
    """What was said when it was ended from outside."""

    @property
    def order(self) -> tuple[datetime, bool, datetime]:
        """A later view is greater: a later run, a close, a later change."""
        return self.run_started, self.closed is not None, self.changed


def moment(execution: WorkflowExecution) -> datetime:
    """When the engine saw a case's last change."""
    changed = execution.typed_search_attributes.get(CHANGED_AT)
    return execution.close_time or changed or execution.start_time


def key(execution: WorkflowExecution) -> tuple[str, datetime, bool]:
    """What differs from one view of a case to the next."""
    return execution.run_id, moment(execution), execution.close_time is not None


def is_keepable(case: str) -> bool:
    """Whether the ledger can name a case; whoever starts one past our doors may give it any id."""
    return len(case) <= LONGEST_ID and "\0" not in case


async def see(client: Client, execution: WorkflowExecution) -> Seen:
    """Read a case from a listing; more requests only for records too large for it and ends from outside.

    Raises:
        UnreadableError: its memo cannot be read, or is another case's.
        RPCError: the engine does not answer.
    """
    if execution.status in OUTSIDE:
        execution = await _current(client, execution)
    note, record, tasks = await read_execution(client, execution)
    if not _is_own(execution, record, tasks):
        raise UnreadableError("it is another case's")
    status = execution.status or Status.RUNNING
    ended_outside = status in OUTSIDE and (record is None or record.close is None)
    return Seen(
        case=execution.id,
        unit=execution.workflow_type,
        run=execution.run_id,
        run_started=execution.start_time,
        status=status,
        started=execution.execution_time or execution.start_time,
        closed=execution.close_time,
        changed=moment(execution),
        note=note,
        record=record,
        tasks=tasks,
        ending=await _ending(client, execution) if ended_outside else "",
    )


def _is_own(execution: WorkflowExecution, record: Record | None, tasks: Iterable[Task]) -> bool:
    """Whether a memo is of the case that it is found on; otherwise its rows would take the place of another's."""
    if record and (record.case, record.unit) != (execution.id, execution.workflow_type):
        return False
    return all(task.id.rpartition("/")[0] == execution.id for task in tasks)


async def _current(client: Client, execution: WorkflowExecution) -> WorkflowExecution:
    """The run that a reset put in the place of this one; a listing may tell of the end before it tells of the begin."""
    try:
        return await client.get_workflow_handle(execution.id).describe()
    except RPCError as error:
        if is_unknown(error):
            return execution  # deleted between the listing and now
        raise


async def _ending(client: Client, execution: WorkflowExecution) -> str:
    """Who terminated a case, and why."""
    handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
    try:
        async for event in handle.fetch_history_events(event_filter_type=WorkflowHistoryEventFilterType.CLOSE_EVENT):
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
                said = event.workflow_execution_terminated_event_attributes
                return ": ".join(part for part in (said.identity, said.reason) if part)
    except RPCError as error:
        if not is_unknown(error):  # else: deleted between the listing and now
            raise
    return ""
