"""Spans as they leave the process: without the texts of errors, which repeat parts of a case."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Status

_TEXTS = ("exception.message", "exception.stacktrace")


class Discreet(SpanExporter):
    """Hands spans on to another exporter; of an error it leaves the kind."""

    def __init__(self, inner: SpanExporter) -> None:
        """Export through `inner`."""
        self._inner = inner
        self.taken = 0
        """How often spans were taken from here."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See base class."""
        result = self._inner.export([_without_texts(span) for span in spans])
        self.taken += result is SpanExportResult.SUCCESS
        return result

    def shutdown(self) -> None:
        """See base class."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """See base class."""
        return self._inner.force_flush(timeout_millis)


def _without_texts(span: ReadableSpan) -> ReadableSpan:
    events = [_without(event) for event in span.events]
    if span.status.description is None and all(a is b for a, b in zip(events, span.events, strict=True)):
        return span
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes,
        events=events,
        links=span.links,
        kind=span.kind,
        instrumentation_scope=span.instrumentation_scope,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
    )


def _without(event: Event) -> Event:
    there = event.attributes or {}
    if not any(name in there for name in _TEXTS):
        return event
    return Event(event.name, {name: value for name, value in there.items() if name not in _TEXTS}, event.timestamp)
