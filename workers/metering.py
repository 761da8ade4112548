"""A worker's own figures on one port: what happens in it now, and the SDK's metrics beside it.

The SDK's core serves its metrics by itself, on a port that it does not tell; it gets one of the loopback, and what it
says there is repeated on the worker's, so that a worker is one target.
"""

from __future__ import annotations

import logging
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from wsgiref.simple_server import WSGIServer

from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.metrics.view import DefaultAggregation, DropAggregation, View
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from temporalio.contrib.opentelemetry import ReplaySafeMeterProvider
from temporalio.runtime import PrometheusConfig

from observability.runtime_metrics import OURS
from observability.tracing import sends, service_name
from workers.engine.ports import LOOPBACK
from workers.settings import Settings, SettingsError

log = logging.getLogger("workunits")
PATIENCE = 2.0
"""Seconds for the core to say what it has."""
_DAY = 86_400.0
_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 4 * 3600.0, _DAY)
_CYCLE = (1.0, 60.0, 3600.0, 4 * 3600.0, 8 * 3600.0, _DAY, 3 * _DAY, 7 * _DAY, 14 * _DAY, 30 * _DAY)
_ATTRIBUTES = {*OURS, "result", "code"}
_GEN_AI = {f"gen_ai.{name}" for name in ("operation.name", "provider.name", "request.model", "token.type")}
_ASKED = {*_GEN_AI, "unit", "step", "error.type"}


def core_metrics(port: int) -> PrometheusConfig:
    """How the SDK's core serves its metrics; its own buckets end at a few minutes, and queues may be longer."""
    return PrometheusConfig(
        bind_address=f"{LOOPBACK}:{port}",
        counters_total_suffix=True,
        unit_suffix=True,
        durations_as_seconds=True,
        histogram_bucket_overrides={
            "temporal_activity_schedule_to_start_latency": _SECONDS,
            "temporal_workflow_task_schedule_to_start_latency": _SECONDS,
            "temporal_activity_execution_latency": _SECONDS,
            "temporal_activity_succeed_endtoend_latency": _SECONDS,
            "temporal_workflow_endtoend_latency": _CYCLE,
        },
    )


def choose_port(settings: Settings, asked: int | None) -> tuple[int, bool]:
    """The worker's port, and whether it has to be that one: the usual one may be another worker's; any will do then.

    Args:
        settings: Name the usual port.
        asked: By the command line; None for the settings'.
    """
    port = settings.worker_metrics_port if asked is None else asked
    return port, asked is not None or "worker_metrics_port" in settings.model_fields_set


@contextmanager
def served(host: str, port: int, core_port: int, service: str, *, only_there: bool = True) -> Iterator[int]:
    """Measure this process and answer on a port. Gives the port.

    Args:
        host: The address to listen on.
        port: 0 for a free one.
        core_port: Where the SDK's core serves its metrics.
        service: `service.name`, unless `OTEL_SERVICE_NAME` says otherwise.
        only_there: Refuse when the port is taken; else another one is used, for metrics keep nobody from working.

    Raises:
        SettingsError: it cannot listen there.
    """
    from opentelemetry.exporter.prometheus import PrometheusMetricReader

    registry = CollectorRegistry()
    readers: list[MetricReader] = [
        PrometheusMetricReader(disable_target_info=True, scope_info_enabled=False, registry=registry)
    ]
    if sends("METRICS"):
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

        readers.append(PeriodicExportingMetricReader(OTLPMetricExporter()))
    provider = MeterProvider(
        metric_readers=readers, resource=Resource.create({"service.name": service_name(service)}), views=_views()
    )
    metrics.set_meter_provider(ReplaySafeMeterProvider(provider))
    registry.register(_Core(f"http://{LOOPBACK}:{core_port}/metrics"))
    try:
        server, thread = _listen(port, host, registry, only_there=only_there)
    except OSError as error:
        why = f"cannot listen on {host}:{port} for metrics: {error.strerror}"
        raise SettingsError(
            f"{why}; name another port with --metrics-port or WORKUNITS_WORKER_METRICS_PORT",
            field="worker_metrics_port",
        ) from None
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        with suppress(Exception):  # what cannot be sent any more must not keep a worker from ending
            provider.shutdown()


def _listen(port: int, host: str, registry: CollectorRegistry, *, only_there: bool) -> tuple[WSGIServer, Thread]:
    try:
        return start_http_server(port, host, registry)
    except OSError:
        if only_there:
            raise
        log.warning("port %d has another process; metrics of this worker are on another one", port)
        return start_http_server(0, host, registry)


def _views() -> list[View]:
    """Bounded label sets, whatever a library records; a model answers with names of its own."""
    return [
        View(instrument_name="workunit.*", attribute_keys=_ATTRIBUTES, aggregation=DefaultAggregation()),
        *(
            View(instrument_name=f"gen_ai.client.{name}", attribute_keys=_ASKED, aggregation=DefaultAggregation())
            for name in ("token.usage", "operation.duration")
        ),
        View(instrument_name="gen_ai.client.operation.time_to_first_chunk", aggregation=DropAggregation()),
        View(instrument_name="operation.cost", aggregation=DropAggregation()),
    ]


class _Core(Collector):
    """What the SDK's core has to say."""

    def __init__(self, url: str) -> None:
        self._url = url

    def describe(self) -> list[Metric]:
        """Nothing: by default the registry would ask the core at once, to know the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Repeat it; a core that does not answer leaves ours to be seen alone."""
        try:
            with urllib.request.urlopen(self._url, timeout=PATIENCE) as answer:  # noqa: S310 - our own loopback
                said = answer.read().decode()
        except OSError as error:
            log.warning("the SDK's metrics are missing: %s", error)
            return
        yield from text_string_to_metric_families(said)
