"""Traces through OpenTelemetry: our own spans, replay-safe, without a span for each of Temporal's operations.

A case's record keeps the id of the trace that started it. Spans leave the process only when
`OTEL_EXPORTER_OTLP_ENDPOINT` says where to, and the exporter's package is installed.
"""

from __future__ import annotations

import logging
import os
from functools import cache

from opentelemetry import trace
from opentelemetry.util import types
from temporalio.contrib.opentelemetry import OpenTelemetryPlugin, ReplaySafeTracerProvider, create_tracer_provider

log = logging.getLogger(__name__)


def tracing_plugin(service: str = "workunits") -> OpenTelemetryPlugin:
    """Set up tracing for this process, and make the plugin that carries it through Temporal.

    Args:
        service: `service.name`, unless `OTEL_SERVICE_NAME` says otherwise.
    """
    _set_up_once(service)
    return OpenTelemetryPlugin(add_temporal_spans=False)


def shut_down() -> None:
    """Send the spans that are still here; for the end of the process."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, ReplaySafeTracerProvider):
        provider.shutdown()


def _remember_tracers(provider: ReplaySafeTracerProvider) -> None:
    """Have the same tracer given each time: Temporal's interceptors ask for theirs several times in every case."""
    make = provider.get_tracer
    remembered = cache(make)

    def get_tracer(
        name: str, version: str | None = None, schema_url: str | None = None, attributes: types.Attributes = None
    ) -> trace.Tracer:
        if attributes:
            return make(name, version, schema_url, attributes)
        return remembered(name, version, schema_url)

    provider.get_tracer = get_tracer  # type: ignore[method-assign,assignment]


def _set_up_once(service: str) -> None:
    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return  # set up already, by us or by the program that we are part of
    from opentelemetry.sdk.resources import Resource

    name = os.environ.get("OTEL_SERVICE_NAME") or service
    provider = create_tracer_provider(resource=Resource.create({"service.name": name}))
    _remember_tracers(provider)
    trace.set_tracer_provider(provider)
    if not (os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        log.warning("No spans are exported: pip install opentelemetry-exporter-otlp-proto-http")
        return
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
