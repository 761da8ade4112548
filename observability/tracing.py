"""Traces through OpenTelemetry: our own spans, replay-safe, without a span for each of Temporal's operations.

A case's record keeps the id of the trace that started it; the ids of its spans follow from its name. Spans leave the
process only when `OTEL_EXPORTER_OTLP_ENDPOINT` says where to.
"""

from __future__ import annotations

import os
from functools import cache
from threading import Thread
from typing import TYPE_CHECKING, Any

from opentelemetry import context, trace
from opentelemetry.util import types
from temporalio.contrib.opentelemetry import (
    OpenTelemetryInterceptor,
    OpenTelemetryPlugin,
    ReplaySafeTracerProvider,
)
from temporalio.contrib.opentelemetry._id_generator import TemporalIdGenerator
from temporalio.worker import ExecuteWorkflowInput, HandleUpdateInput, WorkflowInterceptorClassInput

from observability import deciding
from workunits import trace_ids

if TYPE_CHECKING:
    from observability.discreet import Discreet

QUEUE = 20_000
"""Spans that wait to be sent: a follower that catches up makes thousands at once. `OTEL_BSP_MAX_QUEUE_SIZE` wins."""
PATIENCE = 5.0
"""Seconds for a collector to take the next spans when the process ends; one that is down keeps nobody from ending."""
_exporters: list[Discreet] = []


def tracing_plugin(service: str = "workunits") -> OpenTelemetryPlugin:
    """Set up tracing for this process, and make the plugin that carries it through Temporal.

    Args:
        service: `service.name`, unless `OTEL_SERVICE_NAME` says otherwise.
    """
    set_up_once(service)
    plugin = OpenTelemetryPlugin(add_temporal_spans=False)
    plugin.interceptors = [_Interceptor(add_temporal_spans=False)]
    return plugin


def shut_down() -> None:
    """Send the spans that are still here, as long as they are taken; for the end of the process."""
    provider = trace.get_tracer_provider()
    if not isinstance(provider, ReplaySafeTracerProvider):
        return
    ending = Thread(target=provider.shutdown, daemon=True)
    ending.start()
    goes_on = True
    while goes_on:
        before = [exporter.taken for exporter in _exporters]
        ending.join(PATIENCE)
        goes_on = ending.is_alive() and before != [exporter.taken for exporter in _exporters]


def service_name(service: str) -> str:
    """What this process is called in traces and metrics."""
    return os.environ.get("OTEL_SERVICE_NAME") or service


def sends(signal: str) -> bool:
    """Whether the environment says where `TRACES` or `METRICS` go."""
    return bool(
        os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or os.environ.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    )


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

            async def handle_update_handler(self, input: HandleUpdateInput) -> Any:  # noqa: A002
                """Tell of an action that the case took, in its own trace and in that of who sent it."""
                said = await super().handle_update_handler(input)
                deciding.tell(input.args, input.headers)
                return said

        return Attached


class _Ids(TemporalIdGenerator):
    """Gives a span the id that it is to have; others are drawn as Temporal draws them."""

    def generate_span_id(self) -> int:
        """See base class."""
        return trace_ids.taken_span() or super().generate_span_id()

    def generate_trace_id(self) -> int:
        """See base class."""
        return trace_ids.taken_trace() or super().generate_trace_id()


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


def set_up_once(service: str) -> None:
    """Set up tracing for this process, unless that was done, by us or by the program that we are part of."""
    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    ids = _Ids(RandomIdGenerator())
    resource = Resource.create({"service.name": service_name(service)})
    provider = ReplaySafeTracerProvider(TracerProvider(resource=resource, id_generator=ids), ids)
    _remember_tracers(provider)
    trace.set_tracer_provider(provider)
    if not sends("TRACES"):
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    from observability.discreet import Discreet

    queue = None if os.environ.get("OTEL_BSP_MAX_QUEUE_SIZE") else QUEUE
    _exporters.append(Discreet(OTLPSpanExporter()))
    provider.add_span_processor(BatchSpanProcessor(_exporters[-1], max_queue_size=queue))
    deciding.tell_from_now_on()
