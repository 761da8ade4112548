"""The deeds of a case as its history recorded them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from temporalio.api.history.v1 import HistoryEvent

from workers.replaying import deeds
from workers.replaying.deeds import INLINE, Deed

LOCAL_ACTIVITY = "core_local_activity"
"""The marker that the result of an inline step leaves in a history; its limits are in none."""
_OF_TEMPORAL = "Temporal"


def recorded(events: Sequence[HistoryEvent], queues: Collection[str] = ()) -> list[Deed]:
    """Read a history.

    Args:
        events: The history.
        queues: Task queues that are given by configuration and not by the unit.
    """
    started = events[0].workflow_execution_started_event_attributes
    return list(_Events({started.task_queue.name, *queues}).read(events))


def completed_tasks(events: Iterable[HistoryEvent]) -> set[int]:
    """The workflow tasks that a history has completed, by the id of the event that started them."""
    return {
        event.workflow_task_completed_event_attributes.started_event_id
        for event in events
        if event.HasField("workflow_task_completed_event_attributes")
    }


class _Events:
    """Reads events; the method that reads a kind has its name."""

    def __init__(self, own_queues: set[str]) -> None:
        self._own = own_queues
        self._steps: dict[int, str] = {}

    def read(self, events: Iterable[HistoryEvent]) -> Iterator[Deed]:
        for event in events:
            kind = (event.WhichOneof("attributes") or "").removesuffix("_event_attributes")
            read: Callable[[HistoryEvent, Any], Deed | None] | None = getattr(self, f"_{kind}", None)
            deed = read(event, getattr(event, f"{kind}_event_attributes")) if read else None
            if deed:
                yield deed

    def _activity_task_scheduled(self, event: HistoryEvent, said: Any) -> Deed:
        self._steps[event.event_id] = said.activity_id
        performer, queue, given = said.activity_type.name, said.task_queue.name, said.input.payloads
        return deeds.step(said, performer=performer, queue=queue, given=given, own=self._own)

    def _activity_task_cancel_requested(self, _: HistoryEvent, said: Any) -> Deed:
        return Deed("cancel step", self._steps[said.scheduled_event_id], {})

    def _timer_started(self, event: HistoryEvent, said: Any) -> Deed:
        return deeds.timer(said.timer_id, said, event.user_metadata.summary)

    def _timer_canceled(self, _: HistoryEvent, said: Any) -> Deed:
        return Deed("cancel timer", said.timer_id, {})

    def _marker_recorded(self, _: HistoryEvent, said: Any) -> Deed | None:
        if said.marker_name != LOCAL_ACTIVITY:
            return None  # of `workflow.patched`: the replayer's own affair
        data = deeds.decode(said.details["data"].payloads[0])
        return Deed(INLINE, data["activity_id"], {"performer": data["activity_type"]})

    def _workflow_properties_modified(self, _: HistoryEvent, said: Any) -> Deed:
        return deeds.writing("record", said.upserted_memo.fields)

    def _upsert_workflow_search_attributes(self, _: HistoryEvent, said: Any) -> Deed | None:
        given = said.search_attributes.indexed_fields.items()
        ours = {name: value for name, value in given if not name.startswith(_OF_TEMPORAL)}
        return deeds.writing("attributes", ours) if ours else None

    def _workflow_execution_update_completed(self, _: HistoryEvent, said: Any) -> Deed:
        return deeds.answer(said.meta.update_id, said.outcome.success.payloads, said.outcome.failure)

    def _start_child_workflow_execution_initiated(self, _: HistoryEvent, said: Any) -> Deed:
        return deeds.child(said.workflow_id, said.workflow_type.name, said.input.payloads)

    def _signal_external_workflow_execution_initiated(self, _: HistoryEvent, said: Any) -> Deed:
        return Deed("signal", said.signal_name, {"input": deeds.values(said.input.payloads)})

    def _workflow_execution_completed(self, _: HistoryEvent, said: Any) -> Deed:
        return Deed("close", "completed", {"result": deeds.values(said.result.payloads)})

    def _workflow_execution_failed(self, _: HistoryEvent, said: Any) -> Deed:
        return Deed("close", "failed", deeds.failure(said.failure))

    def _workflow_execution_canceled(self, *_: Any) -> Deed:
        return Deed("close", "cancelled", {})

    def _workflow_execution_continued_as_new(self, _: HistoryEvent, said: Any) -> Deed:
        return deeds.continued(said.input.payloads, said.memo.fields)
