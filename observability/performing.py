"""What a worker tells of the machine steps that it performs: a span, figures, and what each line of the log is about.

Told around the performer and outside of replayed code, so that nothing is told twice. The span of an attempt stands
below the span of its step, which the follower sends when the case has closed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from observability import runtime_metrics
from observability.about import about_from_now_on
from workunits import trace_ids
from workunits.registry import Catalog

_tracer = trace.get_tracer("workunits")
_LONGEST_CODE = 60


@dataclass(frozen=True, slots=True)
class _Known:
    """A machine step of the catalog."""

    labels: dict[str, str]
    attributes: dict[str, str]


class Performing(Interceptor):
    """For a worker of a catalog's units."""

    def __init__(self, catalog: Catalog) -> None:
        """Know the steps; their series are there at once, at zero."""
        self._steps: dict[str, _Known] = {}
        for unit in catalog:
            for step in unit.steps:
                if step.kind != "human":
                    labels = {"unit": unit.unit_name, "version": unit.version, "step": step.name, "executor": step.kind}
                    named = {f"workunit.{name}": value for name, value in labels.items()}
                    self._steps[step.activity] = _Known(labels, named)
        runtime_metrics.born(known.labels for known in self._steps.values())

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - its name there
        """See base class."""
        return _Observed(next, self._steps)


class _Observed(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, steps: Mapping[str, _Known]) -> None:  # noqa: A002
        super().__init__(next)
        self._steps = steps

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        info = activity.info()
        known = self._steps.get(info.activity_type)
        if known is None or info.workflow_id is None:
            return await super().execute_activity(input)
        case, key = info.workflow_id, info.activity_id
        starter = trace.get_current_span().get_span_context()
        of_case = starter.trace_id if starter.is_valid else trace_ids.trace_of(case)
        facts = {
            "case": case,
            "unit": known.labels["unit"],
            "step": key,
            "attempt": str(info.attempt),
            "trace": f"{of_case:032x}",
        }
        inside = trace_ids.within(of_case, trace_ids.step_span(case, key))
        what: dict[str, str | int] = {
            **known.attributes,
            "workunit.case": case,
            "workunit.step": key,
            "workunit.attempt": info.attempt,
        }
        about_from_now_on(facts)  # the SDK writes of a failure when we have passed it on
        with (
            _tracer.start_as_current_span(
                f"attempt {known.labels['step']}",
                inside,
                SpanKind.CONSUMER,
                what,
                record_exception=False,
                set_status_on_exception=False,
            ) as span,
            _counted(known.labels, span),
        ):
            return await super().execute_activity(input)


@contextmanager
def _counted(labels: dict[str, str], span: trace.Span) -> Iterator[None]:
    """Measure one attempt, and say on its span how it ended."""
    runtime_metrics.running.add(1, labels)
    began, result, code = time.perf_counter(), "failed", "cancelled"
    try:
        yield
        result, code = "done", ""
    except ApplicationError as error:
        code = _code(error)
        result = "exception" if error.category == ApplicationErrorCategory.BENIGN else "failed"
        raise
    except Exception as error:
        code = type(error).__name__
        raise
    finally:
        runtime_metrics.running.add(-1, labels)
        runtime_metrics.durations.record(time.perf_counter() - began, labels)
        runtime_metrics.attempts.add(1, {**labels, "result": result})
        if result == "failed":
            runtime_metrics.failures.add(1, {**labels, "code": code})
            span.set_attribute("error.type", code)
            span.set_status(Status(StatusCode.ERROR))
        elif code:
            span.set_attribute("workunit.code", code)


def _code(error: ApplicationError) -> str:
    """The kind of a failure, fit for a label."""
    said = (error.type or type(error).__name__)[:_LONGEST_CODE]
    return said if said.isascii() and said.isprintable() else "unprintable"
