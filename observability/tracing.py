"""Traces through OpenTelemetry: our own spans, replay-safe, without a span for each of Temporal's operations.

A case's record keeps the id of the trace that started it. Spans leave the process only when
`OTEL_EXPORTER_OTLP_ENDPOINT` says where to, and the exporter's package is installed.
"""

from __future__ import annotations

import logging
import os
from functools import cache
from typing import Any

from opentelemetry import context, trace
from opentelemetry.util import types
from temporalio.contrib.opentelemetry import (
    OpenTelemetryInterceptor,
    OpenTelemetryPlugin,
    ReplaySafeTracerProvider,
    create_tracer_provider,
)
from temporalio.worker import ExecuteWorkflowInput, WorkflowInterceptorClassInput

log = logging.getLogger(__name__)


def tracing_plugin(service: str = "workunits") -> OpenTelemetryPlugin:
    """Set up tracing for this process, and make the plugin that carries it through Temporal.

    Args:
        service: `service.name`, unless `OTEL_SERVICE_NAME` says otherwise.
    """
    _set_up_once(service)
    plugin = OpenTelemetryPlugin(add_temporal_spans=False)
    plugin.interceptors = [_Interceptor(add_temporal_spans=False)]
    return plugin


def shut_down() -> None:
    """Send the spans that are still here; for the end of the process."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, ReplaySafeTracerProvider):
        provider.shutdown()


class _Interceptor(OpenTelemetryInterceptor):
    """Temporal's, which would keep four context managers open for as long as a case is: 3 kB of its memory."""

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> Any:  # noqa: A002 - its name there
        """See base class."""
        temporals: Any = super().workflow_interceptor_class(input)

        class Attached(temporals):  # type: ignore[misc]
            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002
                """Attach the starter's trace for good: the task that runs the case ends with it."""
                with self._top_level_workflow_context(input):
                    of_the_starter = context.get_current()
                context.attach(of_the_starter)
                return await self.next.execute_workflow(input)

        return Attached


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
