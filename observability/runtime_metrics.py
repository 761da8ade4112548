"""The live telemetry of workers: each instrument's name, labels and meaning, and the instruments themselves.

What is measured here happens in a worker while it happens, outside of replayed code; it is gone with the worker. What
must be exact over all workers and all time comes from the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from opentelemetry import metrics

OURS = ("unit", "version", "step", "executor")
MODEL = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "unit", "step")
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)
"""Seconds, of one attempt at a machine step."""
RESULTS = ("done", "exception", "failed")


@dataclass(frozen=True, slots=True)
class RuntimeMetric:
    """One family on a worker's port."""

    name: str
    """As Prometheus has it, without the suffixes of its kind (`_bucket`, `_count`, `_sum`)."""
    type: Literal["counter", "gauge", "histogram"]
    unit: str
    labels: tuple[str, ...]
    meaning: str


RUNTIME: tuple[RuntimeMetric, ...] = (
    RuntimeMetric(
        "workunit_runtime_attempts_total",
        "counter",
        "",
        (*OURS, "result"),
        "Attempts at machine steps that ended in this worker: done, a declared exception, or failed.",
    ),
    RuntimeMetric(
        "workunit_runtime_failures_total",
        "counter",
        "",
        (*OURS, "code"),
        "Attempts that failed technically, by the kind of failure.",
    ),
    RuntimeMetric(
        "workunit_runtime_attempt_duration_seconds",
        "histogram",
        "seconds",
        OURS,
        "How long this worker worked on an attempt at a machine step.",
    ),
    RuntimeMetric(
        "workunit_runtime_attempts_running",
        "gauge",
        "",
        OURS,
        "Attempts at machine steps that this worker works on now.",
    ),
    RuntimeMetric(
        "gen_ai_client_token_usage",
        "histogram",
        "tokens",
        (*MODEL, "gen_ai_token_type"),
        "Tokens of one request to a language model, in and out; as OpenTelemetry's conventions name it.",
    ),
    RuntimeMetric(
        "gen_ai_client_operation_duration_seconds",
        "histogram",
        "seconds",
        (*MODEL, "error_type"),
        "How long a language model took for an answer, repeats included; `error_type` when none came.",
    ),
)
"""What `workunits worker` serves beside the SDK's own metrics."""

CORE: tuple[RuntimeMetric, ...] = tuple(
    RuntimeMetric(name, kind, unit, labels, meaning)  # type: ignore[arg-type]
    for name, kind, unit, labels, meaning in (
        (
            "temporal_activity_schedule_to_start_latency_seconds",
            "histogram",
            "seconds",
            ("namespace", "task_queue"),
            "How long a machine step waited for a worker.",
        ),
        (
            "temporal_workflow_task_schedule_to_start_latency_seconds",
            "histogram",
            "seconds",
            ("namespace", "task_queue"),
            "How long a case waited for a worker to go on.",
        ),
        (
            "temporal_sticky_cache_size",
            "gauge",
            "",
            ("namespace", "task_queue"),
            "Open cases that this worker keeps in memory.",
        ),
        (
            "temporal_workflow_task_execution_latency_seconds",
            "histogram",
            "seconds",
            ("namespace", "task_queue", "workflow_type"),
            "How long this worker took for a case to go on.",
        ),
        (
            "temporal_activity_execution_latency_seconds",
            "histogram",
            "seconds",
            ("namespace", "task_queue", "workflow_type", "activity_type"),
            "How long an attempt at a machine step took in this worker.",
        ),
        (
            "temporal_request_latency_seconds",
            "histogram",
            "seconds",
            ("namespace", "task_queue", "operation"),
            "How long the engine took to answer.",
        ),
        (
            "temporal_worker_task_slots_used",
            "gauge",
            "",
            ("namespace", "task_queue", "worker_type"),
            "What this worker does now.",
        ),
        (
            "temporal_worker_task_slots_available",
            "gauge",
            "",
            ("namespace", "task_queue", "worker_type"),
            "How much more this worker could do at a time.",
        ),
        (
            "temporal_num_pollers",
            "gauge",
            "",
            ("namespace", "task_queue", "poller_type"),
            "Pollers of this worker.",
        ),
    )
)
"""Of the SDK's own metrics those that dashboards and alerts may count on: a test sees each on a real worker.

Others, such as `temporal_workflow_task_execution_failed_total`, are there only once something has failed.
"""

_meter = metrics.get_meter("workunits")
attempts = _meter.create_counter("workunit.runtime.attempts", description=RUNTIME[0].meaning)
failures = _meter.create_counter("workunit.runtime.failures", description=RUNTIME[1].meaning)
durations = _meter.create_histogram(
    "workunit.runtime.attempt.duration",
    unit="s",
    description=RUNTIME[2].meaning,
    explicit_bucket_boundaries_advisory=list(BUCKETS),
)
running = _meter.create_up_down_counter("workunit.runtime.attempts.running", description=RUNTIME[3].meaning)


def born(steps: Iterable[dict[str, str]]) -> None:
    """Have the series of known steps there at zero: an alert cannot see one that is born with its first value.

    Args:
        steps: The labels of each.
    """
    for labels in steps:
        running.add(0, labels)
        for result in RESULTS:
            attempts.add(0, {**labels, "result": result})
