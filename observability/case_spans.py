"""The spans of a case that has closed, made from its record: the case, and each step from ready to ended.

Made by the follower, which sees every close: a case keeps no span for as long as it is open, nothing is told twice when
it is replayed, and a wait of weeks over ten workers is one span with the times that the record has. A case that is
taken again, after a correction, sends the same spans under the same ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Status, StatusCode

from observability import deciding
from workunits import trace_ids
from workunits.core.record import Interval, Microseconds, Record, Work

_tracer = trace.get_tracer("workunits")
_ZERO = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def tell(records: Iterable[Record]) -> None:
    """Send the spans of cases that have closed, when spans are sent somewhere."""
    if not deciding.is_told():
        return
    for record in records:
        if record.closed is not None:
            _tell_case(record, record.closed)


def _tell_case(record: Record, closed: Microseconds) -> None:
    of_case = trace_ids.trace_of(record.case, record.trace)
    own = trace_ids.unit_span(record.case)
    about = {"workunit.unit": record.unit, "workunit.version": record.version, "workunit.case": record.case}
    parent = trace_ids.within(of_case, trace_ids.start_span(record.case)) if record.trace else None
    with trace_ids.named(own, of_case):
        span = _tracer.start_span(
            f"workunit {record.unit}",
            parent or Context(),
            attributes={**about, "workunit.close": record.close or "", "workunit.runs": record.runs},
            start_time=_at(record, 0),
        )
    if record.reason:
        span.set_attribute("workunit.reason", record.reason)
    if record.close == "failed":
        span.set_status(Status(StatusCode.ERROR))
    for rung in record.rungs:
        span.add_event(f"{rung.clock} {rung.rung}", timestamp=_at(record, rung.at))
    span.end(_at(record, closed))
    for work in record.steps:
        _tell_step(record, work, closed, of_case, about)


def _tell_step(record: Record, work: Work, closed: Microseconds, of_case: int, about: dict[str, str]) -> None:
    with trace_ids.named(trace_ids.step_span(record.case, work.key)):
        span = _tracer.start_span(
            f"step {work.step}",
            trace_ids.within(of_case, trace_ids.unit_span(record.case)),
            attributes={
                **about,
                "workunit.step": work.key,
                "workunit.executor": work.kind,
                "workunit.ended": work.end or "cancelled",
                "workunit.attempts": work.attempts,
            },
            start_time=_at(record, work.ready),
        )
    if work.code:
        span.set_attribute("error.type" if work.end == "failed" else "workunit.code", work.code)
    if work.end == "failed":
        span.set_status(Status(StatusCode.ERROR))
    for name, at in sorted(_moments(work), key=lambda moment: moment[1]):
        span.add_event(name, timestamp=_at(record, at))
    span.end(_at(record, work.done if work.done is not None else closed))


def _moments(work: Work) -> Iterator[tuple[str, Microseconds]]:
    """What happened between its begin and its end."""
    if work.claimed is not None:
        yield "claimed", work.claimed
    spans: tuple[tuple[str, list[Interval]], ...] = (
        ("work", work.work),
        ("wait", work.waits),
        ("hold", work.held),
        ("failed attempts", work.retry),
    )
    for name, intervals in spans:
        for begin, end in intervals:
            yield f"{name} begins", begin
            yield f"{name} ends", end


def _at(record: Record, offset: Microseconds) -> int:
    """Nanoseconds since 1970."""
    return (record.when(offset) - _ZERO) // timedelta(microseconds=1) * 1000
