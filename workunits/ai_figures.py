"""What asking a model takes in time and tokens, named as OpenTelemetry's conventions have it, by unit and step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.metrics import Histogram, get_meter
from opentelemetry.util.types import Attributes
from temporalio import activity
from temporalio.exceptions import ApplicationError

_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0)
_took = get_meter("workunits").create_histogram(
    "gen_ai.client.operation.duration",
    unit="s",
    description="How long a model took for an answer, with the repeats that it needed.",
    explicit_bucket_boundaries_advisory=list(_BUCKETS),
)


class ByStep(Histogram):
    """Another histogram that also says for which step something was recorded."""

    def __init__(self, recorded: Histogram) -> None:
        """Record there."""
        self._recorded = recorded

    def record(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        """See base class."""
        self._recorded.record(amount, {**(attributes or {}), **_step()}, context)


@contextmanager
def timed(model: str) -> Iterator[None]:
    """Measure an answer of a model, whether or not it comes.

    Args:
        model: As the settings name it, `<provider>:<model>`.
    """
    provider, _, name = model.partition(":")
    said = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": name or provider,
    }
    began, failed = time.perf_counter(), {}
    try:
        yield
    except BaseException as error:
        code = error.type if isinstance(error, ApplicationError) else None
        failed = {"error.type": code or type(error).__name__}
        raise
    finally:
        _took.record(time.perf_counter() - began, {**said, **failed, **_step()})


def _step() -> dict[str, str]:
    if not activity.in_activity():
        return {}
    unit, _, step = activity.info().activity_type.partition(".")
    return {"unit": unit, "step": step}
