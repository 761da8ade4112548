"""What the SDK keeps of a workflow task's messages: an open case waits for days, and needs almost none of it.

A part of a message keeps the whole message in memory. So a case is given copies of the parts that it may ask for
later, and the rest is let go of at the end of each task: a twentieth of what an open case costs its worker.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payloads
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.common import RawValue
from temporalio.worker import WorkflowInstanceDetails

M = TypeVar("M", bound=Message)

SAID, BY, FLAGS, GIVEN = (
    "_current_completion",
    "_deployment_version_for_current_task",
    "_current_internal_flags",
    "_workflow_input",
)
"""Where the SDK keeps messages of a workflow task, or parts of them; all but the last are set anew at the next one."""
_NOTHING = Payloads()


def apart(det: WorkflowInstanceDetails) -> WorkflowInstanceDetails:
    """The details of a new case, without a hold on the message that they are from."""
    info = replace(
        det.info,
        headers={name: _copy(payload) for name, payload in det.info.headers.items()},
        raw_memo={name: _copy(payload) for name, payload in det.info.raw_memo.items()},
    )
    # Nearly always empty, and yet a part of the message.
    last = _copy(det.last_completion_result) if det.last_completion_result.payloads else _NOTHING
    return replace(
        det, info=info, last_completion_result=last, last_failure=det.last_failure and _copy(det.last_failure)
    )


def let_go(case: Any, info: Any) -> None:
    """Let go of a task's messages, at its end.

    Args:
        case: The SDK's instance of the workflow.
        info: The case's own, as `apart` made it.
    """
    # Not None: what is left of a case that was never evicted cancels its timer when it is collected.
    setattr(case, SAID, WorkflowActivationCompletion())
    setattr(case, BY, None)
    setattr(case, FLAGS, tuple(getattr(case, FLAGS, ())))
    given = getattr(case, GIVEN, None)
    if given is not None and given.headers is not info.headers:
        given.headers = info.headers
        for raw in given.args:
            if isinstance(raw, RawValue):  # anything else has been decoded
                object.__setattr__(raw, "payload", _copy(raw.payload))


def _copy(message: M) -> M:
    copy = type(message)()
    copy.CopyFrom(message)
    return copy
