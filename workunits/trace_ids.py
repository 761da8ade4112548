"""The ids of a case's spans: they follow from its name, so that processes that never meet tell of one trace.

Whoever starts a case, the worker of a step, the case itself and the follower each send the spans that they know of,
and name as parents spans that another one sends. Nothing is kept for that in a case or on its history.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

_SPAN, _TRACE = 8, 16
"""Bytes of an id."""


@dataclass(frozen=True, slots=True)
class Ids:
    """What the next span is to be called; None for an id drawn by chance."""

    span: int
    trace: int | None = None


_next: ContextVar[Ids | None] = ContextVar("ids of the next span", default=None)


def trace_of(case: str, known: str | None = None) -> int:
    """The trace of a case: the one that its starter had, else one that follows from its name.

    Args:
        case: Its id.
        known: The trace of its starter, in hexadecimal digits, as its record has it.
    """
    return int(known, 16) if known else _derived(case, "trace", size=_TRACE)


def start_span(case: str) -> int:
    """The span in which a case is started."""
    return _derived(case, "start")


def unit_span(case: str) -> int:
    """The span of a case, from its start to its close."""
    return _derived(case, "unit")


def step_span(case: str, key: str) -> int:
    """The span of one performance of a step, from when it was ready until it ended."""
    return _derived(case, "step", key)


def action_span(case: str, action_id: str, side: str) -> int:
    """The span of an action that a case took: on the `decision` side, or on the `case` side."""
    return _derived(case, "action", action_id, side)


def within(trace: int, span: int) -> Context:
    """A context whose current span is one that another process sends."""
    return set_span_in_context(NonRecordingSpan(remote(trace, span)), Context())


def remote(trace: int, span: int) -> SpanContext:
    """How to name a span that another process sends."""
    return SpanContext(trace, span, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


@contextmanager
def named(span: int, trace: int | None = None) -> Iterator[None]:
    """Give the next span, which must begin in here, this id, and if it is a root this trace."""
    token = _next.set(Ids(span, trace))
    try:
        yield
    finally:
        _next.reset(token)


def taken_span() -> int | None:
    """The id that the next span was given; it is given once."""
    ids = _next.get()
    if ids is None:
        return None
    _next.set(None)
    return ids.span


def taken_trace() -> int | None:
    """The trace that the next span was given, if it is a root."""
    ids = _next.get()
    if ids is None or ids.trace is None:
        return None
    _next.set(replace(ids, trace=None))
    return ids.trace


def _derived(*parts: str, size: int = _SPAN) -> int:
    """An id that is never zero, which would be none."""
    digest = hashlib.sha256("\0".join(("workunits", *parts)).encode(errors="replace")).digest()
    return int.from_bytes(digest[:size]) or 1
