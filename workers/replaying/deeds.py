"""What a case had done, deed by deed: read from its history (`recorded`) or from what today's code commands.

Temporal's own replayer compares the kind, the id and the type of a command. A deed has all that decides how a case
goes on: time limits, retries, queues, the lengths of timers, what goes in, what is written, how it closes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import Payload, RetryPolicy

from workunits.core.spec import Elapsed

INLINE = "inline step"
_CLOSES = {
    "completed": "the case closes with a result",
    "failed": "the case fails",
    "cancelled": "the case closes as cancelled",
    "continued": "the case goes on as a new run",
}
_WRITINGS = {
    "record": "the record is written",
    "attributes": "the search attributes are written",
    "answer": "an action is answered",
}
_SUBJECTS = {
    "record": "the memo",
    "attributes": "the search attributes",
    "answer": "the answer to an action",
    "close": "the close",
}


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that a case had done."""

    kind: str
    name: str
    """What it is about: the key of a step, the number of a timer, the manner of a close."""
    facts: Mapping[str, Any]
    """All that is compared, as JSON values; what says nothing is left out."""
    label: str = ""
    """What a timer is for."""

    def __str__(self) -> str:
        """Say it as part of a sentence."""
        if self.kind == "close":
            return _CLOSES[self.name]
        return _WRITINGS.get(self.kind) or f"{self.kind} {self.label or self.name}"

    @property
    def subject(self) -> str:
        """What its facts are about."""
        return _SUBJECTS.get(self.kind, str(self))


# Each is made the same way from an event and from a command, so that what they say can be compared.


def step(said: Any, *, performer: str, queue: str, given: Iterable[Payload], own: Collection[str]) -> Deed:
    """A machine step; its queue counts only when it is none of the case's `own`."""
    where = {} if queue in own else {"task queue": queue}
    facts = {"performer": performer, **where, **limits(said), "input": values(given)}
    return Deed("step", said.activity_id, facts)


def limits(said: Any) -> dict[str, Any]:
    """The time limits and retries of a step; events and commands have the same names for them."""
    spans = {
        "timeout": said.start_to_close_timeout,
        "heartbeat": getattr(said, "heartbeat_timeout", Duration()),
    }
    return {name: _span(span) for name, span in spans.items() if _span(span)} | _retries(said.retry_policy)


def timer(name: str, said: Any, summary: Payload) -> Deed:
    """A timer: a rung of the SLA, a task's expiry, a pause."""
    label = str(decode(summary) or "") if summary.data else ""
    return Deed("timer", name, {"length": said.start_to_fire_timeout.ToMicroseconds(), "for": label}, label)


def writing(kind: str, fields: Mapping[str, Payload]) -> Deed:
    """What a case writes where others see it: `record` and tasks, or search `attributes`."""
    facts: dict[str, Any] = {}
    for name, payload in sorted(fields.items()):
        value = decode(payload)
        # The unit's own part of the memo is {"record", "tasks"}.
        facts |= value if kind == "record" and isinstance(value, dict) else {name: value}
    return Deed(kind, "", facts)


def answer(update: str, payloads: Iterable[Payload], failed: Any) -> Deed:
    """What a person's action is answered."""
    return Deed("answer", update, failure(failed) if failed.message else {"answer": values(payloads)})


def child(case: str, unit: str, given: Iterable[Payload]) -> Deed:
    """A case that this one starts."""
    return Deed("child", case, {"unit": unit, "input": values(given)})


def continued(carried: Iterable[Payload], memo: Mapping[str, Payload]) -> Deed:
    """The end of a run that is not the end of the case."""
    return Deed("close", "continued", {"carries": values(carried), "memo": writing("record", memo).facts})


def failure(said: Any) -> dict[str, Any]:
    """A failure without its message, which is words for people, and without the place in the code."""
    info = said.application_failure_info
    return {"type": info.type, "details": values(info.details.payloads)}


def values(payloads: Iterable[Payload]) -> Any:
    """Decode payloads; of a single one, its value alone."""
    decoded = [decode(payload) for payload in payloads]
    return decoded[0] if len(decoded) == 1 else decoded


def decode(payload: Payload) -> Any:
    """A payload's JSON value; what is not JSON as its bytes in base64."""
    if payload.metadata.get("encoding") == b"binary/null":
        return None
    try:
        return json.loads(payload.data)
    except ValueError:
        return base64.b64encode(payload.data).decode()


def _retries(policy: RetryPolicy) -> dict[str, Any]:
    """With the server's defaults, which a history holds and a command leaves out."""
    first = policy.initial_interval.ToTimedelta() or timedelta(seconds=1)
    return {
        "attempts": policy.maximum_attempts or "without end",
        "first retry after": str(Elapsed(first)),
        "backoff": policy.backoff_coefficient or 2.0,
        "longest pause": str(Elapsed(policy.maximum_interval.ToTimedelta() or 100 * first)),
        "not retried": list(policy.non_retryable_error_types),
    }


def _span(span: Duration) -> str:
    length = span.ToTimedelta()
    return str(Elapsed(length)) if length else ""
