"""An action that a case took, as two spans that name each other: one in the sender's trace, one in the case's.

Told by the worker while the case takes it: it alone knows both traces. Nothing is kept of it in the case, and a replay
tells nothing. Told only when spans are sent somewhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from temporalio import workflow
from temporalio.api.common.v1 import Payload

from workunits import trace_ids

HEADER = "_tracer-data"
"""Where Temporal's interceptor carries a trace."""
_NAMES = ("task_id", "action_id", "action")
_LONGEST = 60

_propagator = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("workunits")
_told: list[bool] = []


def tell_from_now_on() -> None:
    """Spans are sent somewhere."""
    _told[:] = [True]


def is_told() -> bool:
    """Whether spans are sent somewhere."""
    return bool(_told)


def trace_in(headers: Mapping[str, Payload]) -> trace.SpanContext | None:
    """The span that stands in a message's headers."""
    payload = headers.get(HEADER)
    if payload is None:
        return None
    try:
        carrier = json.loads(payload.data)
        found = trace.get_current_span(_propagator.extract(carrier, Context())).get_span_context()
    except (ValueError, TypeError, AttributeError):
        return None
    return found if found.is_valid else None


def tell(args: Sequence[Any], headers: Mapping[str, Payload]) -> None:
    """Tell of the action that has just been handled; in a workflow.

    Args:
        args: Of the message: the action's envelope.
        headers: Of the message.
    """
    if not _told or workflow.unsafe.is_replaying_history_events():
        return
    said = _envelope(args)
    if said is None:
        return
    info = workflow.info()
    case, starter = info.workflow_id, trace_in(info.headers)
    of_case = starter.trace_id if starter else trace_ids.trace_of(case)
    about = {
        "workunit.unit": info.workflow_type,
        "workunit.case": case,
        "workunit.step": said["task_id"].rpartition("/")[2],
        "workunit.action": said["action"],
    }
    step = trace_ids.step_span(case, about["workunit.step"])
    sender = trace_in(headers)
    name = f"workunit.action {said['action']}"
    here = trace_ids.action_span(case, said["action_id"], "case")
    there = trace_ids.action_span(case, said["action_id"], "decision")
    links = [] if sender is None else [trace.Link(trace_ids.remote(sender.trace_id, there))]
    with trace_ids.named(here):
        _tracer.start_span(name, trace_ids.within(of_case, step), attributes=about, links=links).end()
    if sender is not None:
        links = [trace.Link(trace_ids.remote(of_case, span)) for span in (here, step)]
        with trace_ids.named(there):
            inside = trace_ids.within(sender.trace_id, sender.span_id)
            _tracer.start_span(name, inside, attributes=about, links=links).end()


def _envelope(args: Sequence[Any]) -> dict[str, str] | None:
    """What it is about; None when it is no action that a unit could have taken."""
    given = args[-1] if args else None
    first = given[0] if isinstance(given, list) and given else given  # a dynamic handler's are in a list
    raw = getattr(first, "payload", None)
    try:
        said = json.loads(raw.data) if raw is not None else {}
        return {name: str(said[name])[: None if name == "task_id" else _LONGEST] for name in _NAMES}
    except (ValueError, TypeError, KeyError):
        return None
