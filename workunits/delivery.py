"""Delivering an action to its case: sent until it is answered, and applied at most once."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from datetime import timedelta
from typing import Any

from temporalio.client import (
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from workunits.cases import CaseView, is_unknown
from workunits.core.errors import BadInput, Refused, WorkUnitsError
from workunits.core.human import MESSAGE, fingerprint
from workunits.core.lifecycle import Action
from workunits.core.strict_json import parse

_ABORTED = ("AcceptedUpdateCompletedWorkflow", "AdmittedUpdateCompletedWorkflow", "UpdateWorkflowExecutionAborted")
_INPUT_CODES = ("bad_body", "invalid_field", "too_large")


class UndeliveredError(WorkUnitsError):
    """Nobody answered: whether the action took effect is not known yet."""

    def __init__(self, action_id: str, why: str) -> None:
        """Carry the id with which to repeat it."""
        self.action_id = action_id
        super().__init__(f"{why}; repeat it with the same action id {action_id}: it takes effect at most once")


async def deliver(handle: WorkflowHandle[Any, Any], envelope: dict[str, Any], patience: float) -> dict[str, Any] | None:
    """Send an action until it is answered; the same action id makes repeating safe.

    Args:
        handle: The case.
        envelope: The action.
        patience: Seconds of repeating while nobody answers.

    Returns:
        The unit's answer; None when the case is not open: its record may know one.

    Raises:
        BadInput, Refused: as the unit says.
        UndeliveredError: nobody answered in time.
    """
    until = time.monotonic() + patience
    # Temporal answers a known update id without reading what came with it; the content is part of ours.
    content = json.dumps({k: v for k, v in envelope.items() if k not in ("sent_at", "revision")}, sort_keys=True)
    update_id = f"{envelope['action_id']}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"
    why = "no worker answered"
    while (left := until - time.monotonic()) > 0:
        try:
            said: dict[str, Any] = await handle.execute_update(
                MESSAGE, envelope, id=update_id, rpc_timeout=timedelta(seconds=left)
            )
        except WorkflowUpdateFailedError as error:
            if isinstance(error.cause, ApplicationError) and error.cause.type in _ABORTED:
                await asyncio.sleep(0.1)  # the run ended under it: the next one, or the record, knows
                continue
            raise _refusal(error) from None
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            break
        except RPCError as error:
            if is_unknown(error):
                return None
            why = f"the engine does not answer ({error.status.name.lower()}: {error.message[:120]})"
            await asyncio.sleep(min(0.5, max(0.0, until - time.monotonic())))
        else:
            return said
    raise UndeliveredError(envelope["action_id"], why)


def size_of(envelope: dict[str, Any]) -> int:
    """Bytes of an action as it travels."""
    try:
        return len(json.dumps(envelope, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode())
    except (TypeError, ValueError):  # what it says repeats the value
        raise BadInput("what JSON can hold: no NaN, no half character", field="body", code="bad_body") from None


def _refusal(error: WorkflowUpdateFailedError) -> WorkUnitsError:
    cause = error.cause
    if not isinstance(cause, ApplicationError):
        return Refused("refused", str(cause))
    if cause.type in _INPUT_CODES:
        detail = cause.details[0] if cause.details else {}
        field = str(detail.get("field", "")) if isinstance(detail, dict) else ""
        return BadInput(cause.message.removeprefix(f"{field}: "), field=field, code=cause.type)
    return Refused(cause.type or "refused", cause.message)


def after_close(view: CaseView, envelope: dict[str, Any]) -> dict[str, Any]:
    """Answer for a case that has closed: its record remembers what it accepted.

    Raises:
        Refused: `closed`, `action_id_reused`.
    """
    case, record = view.case, view.record
    if record is None or view.close is None:
        raise Refused("closed", f"the case is {view.state}")
    for acted in record.actions:
        if acted.id == envelope["action_id"]:
            if acted.hash != fingerprint(parse(Action, json.dumps(envelope).encode())):
                raise Refused("action_id_reused", "the same action id came before with other content")
            return {"task_id": f"{case}/{acted.task}", "state": acted.state, "revision": acted.revision}
    when = record.when(record.closed or 0).isoformat(timespec="seconds")
    by = f" by {', '.join(record.decided_by)}" if record.decided_by else ""
    raise Refused("closed", f"the case closed as {view.close} at {when}{by}")
