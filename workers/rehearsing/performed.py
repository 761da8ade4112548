"""What a step of a closed case was given, what its performer gave, and what a person decided: read from the history."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.service import RPCError

from workers.opened import open_events
from workunits.cases import is_unknown
from workunits.codec import is_sealed


@dataclass(slots=True)
class Performed:
    """One performance of a machine step, and the messages that decided on it."""

    given: bytes = b""
    """The input as JSON; empty: the history has none."""
    gave: bytes = b""
    """What the performer gave, as JSON; empty: nothing."""
    code: str = ""
    """Why it gave nothing."""
    business: bool = False
    """Whether that is a business exception."""
    sealed: bool = False
    """Whether it is sealed with a key that is not here."""
    bodies: dict[str, Any] = field(default_factory=dict)
    """What came with each of the actions asked for, by its id."""


async def history_of(client: Client, case: str, run: str) -> list[HistoryEvent]:
    """The events of all runs of a case that the engine still has, oldest first.

    Args:
        client: A connected client; with the keys, where there are some.
        case: The case.
        run: Its last run.

    Raises:
        RPCError: the engine does not answer.
    """
    found: list[HistoryEvent] = []
    while run:
        try:
            history = await client.get_workflow_handle(case, run_id=run).fetch_history()
        except RPCError as error:
            if not is_unknown(error):
                raise
            break
        found = [*await open_events(client, case, history.events), *found]
        run = history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id
    return found


def read_performed(events: Iterable[HistoryEvent], key: str, actions: Collection[str]) -> Performed:
    """Read one performance; of several tries of it, the last.

    Args:
        events: The history.
        key: Of the performance.
        actions: The ids of the actions that decided on it.
    """
    found, scheduled = Performed(), 0
    for event in events:
        kind = event.WhichOneof("attributes") or ""
        said: Any = getattr(event, kind, None)
        if kind == "workflow_execution_started_event_attributes":
            scheduled = 0  # the events of the next run are numbered anew
        elif kind == "activity_task_scheduled_event_attributes" and said.activity_id == key:
            scheduled = event.event_id
            found.given, found.sealed = _first(said.input.payloads)
            found.gave, found.code, found.business = b"", "", False
        elif scheduled and getattr(said, "scheduled_event_id", 0) == scheduled:
            _read_end(found, kind, said)
        else:
            _read_message(found, kind, said, actions)
    return found


def _read_end(found: Performed, kind: str, said: Any) -> None:
    """What came of a try."""
    if kind == "activity_task_completed_event_attributes":
        found.gave, sealed = _first(said.result.payloads)
        found.sealed = found.sealed or sealed
    elif kind == "activity_task_failed_event_attributes":
        info = said.failure.application_failure_info
        details = _json(_first(info.details.payloads)[0])
        found.code = info.type or "failed"
        found.business = isinstance(details, dict) and details.get("business") is True
    elif kind == "activity_task_timed_out_event_attributes":
        found.code = "timeout"


def _read_message(found: Performed, kind: str, said: Any, actions: Collection[str]) -> None:
    """What a person sent, as an update or as a signal."""
    if kind == "workflow_execution_update_accepted_event_attributes":
        payloads = said.accepted_request.input.args.payloads
    elif kind == "workflow_execution_signaled_event_attributes":
        payloads = said.input.payloads
    else:
        return
    envelope = _json(_first(payloads)[0])
    if isinstance(envelope, dict) and envelope.get("action_id") in actions:
        found.bodies.setdefault(str(envelope["action_id"]), envelope.get("body"))


def _first(payloads: Sequence[Payload]) -> tuple[bytes, bool]:
    """The first payload's bytes, and whether they are sealed."""
    if not payloads:
        return b"", False
    payload = payloads[0]
    return (b"", True) if is_sealed(payload) else (bytes(payload.data), False)


def _json(data: bytes) -> Any:
    try:
        return json.loads(data) if data else None
    except ValueError:
        return None
