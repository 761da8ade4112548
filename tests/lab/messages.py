"""Messages to a case as clients send them, and as none of ours would."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from workunits.core.lifecycle import Task


def raw(data: bytes, encoding: bytes | None = b"json/plain") -> RawValue:
    """A payload that no client of ours would send."""
    return RawValue(Payload(metadata={"encoding": encoding} if encoding else {}, data=data))


def envelope(task: Task, **more: Any) -> dict[str, Any]:
    """An action as the client sends it."""
    return {
        "action": "complete",
        "action_id": uuid.uuid4().hex,
        "task_id": task.id,
        "revision": task.revision,
        "actor": "ann",
        "roles": [task.role],
        "acting_for": None,
        "sent_at": datetime.now(UTC).isoformat(),
        "body": {"decision": "grant"},
        **more,
    }


def cause(error: WorkflowUpdateFailedError | WorkflowFailureError) -> ApplicationError:
    """What the unit itself said."""
    said = error.cause
    assert isinstance(said, ApplicationError), repr(said)
    return said
