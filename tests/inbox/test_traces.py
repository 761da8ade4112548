"""Traces of a case: from the call that started it through its steps and the wait for a person to the follower."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import httpx2
import pytest
import pytest_asyncio
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from temporalio.client import Client
from temporalio.contrib.opentelemetry import ReplaySafeTracerProvider
from temporalio.worker import Worker

from inbox.app import make_app
from observability import deciding
from observability.discreet import Discreet
from observability.performing import Performing
from observability.tracing import tracing_plugin
from tests.conftest import PACKAGE, Bench
from tests.inbox.calls import API, GRANT, JSON
from tests.inbox.conftest import client_of, log_in, serving
from tests.lab import performers
from tests.lab.units import UNITS
from tests.patience import PATIENCE
from workunits.client import Cases
from workunits.performs import collect, match
from workunits.plugin import work_units
from workunits.registry import Catalog

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Told:
    """The spans that were sent."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def of(self, name: str, case: str = "") -> list[ReadableSpan]:
        """Those of a name, and of a case if one is given."""
        found = [span for span in self._exporter.get_finished_spans() if span.name == name]
        return [span for span in found if not case or (span.attributes or {}).get("workunit.case") == case]

    def one(self, name: str, case: str = "") -> ReadableSpan:
        """The only one of a name."""
        (found,) = self.of(name, case)
        return found

    async def until(self, name: str, case: str) -> ReadableSpan:
        """The one of a name, once it was sent."""
        async with asyncio.timeout(PATIENCE):
            while not self.of(name, case):  # noqa: ASYNC110 - an exporter tells nobody
                await asyncio.sleep(0.02)
        return self.one(name, case)


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    """Where this process sends its spans."""
    tracing_plugin()
    provider = trace.get_tracer_provider()
    assert isinstance(provider, ReplaySafeTracerProvider)
    memory = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(Discreet(memory)))
    return memory


@pytest.fixture
def told(exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    """What is told in one test."""
    monkeypatch.setattr(deciding, "_told", [True])
    exporter.clear()
    yield Told(exporter)
    exporter.clear()


@pytest_asyncio.fixture
async def traced(bench: Bench) -> Cases:
    """The way to cases with a trace, on a queue that nobody serves yet."""
    config = bench.client.service_client.config
    client = await Client.connect(
        config.target_host,
        namespace=bench.client.namespace,
        plugins=[work_units("tests.lab.contracts"), tracing_plugin()],
    )
    return Cases(client, Catalog([PACKAGE]), queue=f"traced-{uuid.uuid4().hex[:8]}")


def worker(cases: Cases) -> Worker:
    """One that keeps no case in memory: each of its tasks is a whole replay."""
    steps = [step for unit in UNITS for step in unit.steps]
    activities = [performer.as_activity() for performer in match(steps, collect([performers], {}))]
    return Worker(
        cases.client,
        task_queue=cases._queue,
        workflows=list(UNITS),
        activities=activities,
        interceptors=[Performing(cases.catalog)],
        max_cached_workflows=0,
    )


@pytest_asyncio.fixture
async def ann(doors, traced: Cases) -> AsyncIterator[httpx2.AsyncClient]:
    """A clerk, at an inbox whose cases have traces."""
    async with serving(make_app(replace(doors, cases=traced))) as app, client_of(app) as client:
        await log_in(client, "ann")
        yield client


def _trace(span: ReadableSpan) -> int:
    assert span.context is not None
    found: int = span.context.trace_id
    return found


def _parent(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent else None


def _seconds(span: ReadableSpan) -> float:
    return ((span.end_time or 0) - (span.start_time or 0)) / 1e9


async def test_a_case_is_one_trace_over_two_workers_without_memory(told, traced, ann, bench):
    """From the request through unit, step, attempt and human wait: each span once, its parent and its time right."""
    key = uuid.uuid4().hex[:12]
    case = f"plain:{key}"
    started = await ann.post(
        f"{API}/units/plain/cases", json={"request": key, "mood": ""}, headers={"traceparent": CALLER, **JSON}
    )
    assert started.status_code == 201, started.text
    async with worker(traced):
        task = await bench.task(case, "decide")
    async with worker(traced):
        answer = await ann.post(f"{API}/tasks/{task.id}/complete", json=GRANT, headers=JSON)
        assert answer.status_code == 200, answer.text
        await bench.closed(case)
    unit = await told.until("workunit plain", case)

    request = told.one(f"POST {API}/units/{{unit}}/cases")
    start, look, decide = (told.one(name, case) for name in ("workunit.start", "step look", "step decide"))
    attempt = told.one("attempt look", case)
    ours = [request, start, unit, look, attempt, decide]
    assert {_trace(span) for span in ours} == {_trace(request)}
    assert [_parent(span) for span in ours] == [
        None, *(span.context.span_id for span in (request, start, unit, look, unit) if span.context)
    ]  # fmt: skip
    assert f"{request.links[0].context.trace_id:032x}" in CALLER, "a stranger's trace is linked, not gone on with"

    record = (await bench.cases.show(case)).record
    assert record is not None
    assert record.trace == f"{_trace(request):032x}"
    assert _seconds(unit) == pytest.approx((record.closed or 0) / 1e6)
    waited = record.steps[1]
    assert _seconds(decide) == pytest.approx(((waited.done or 0) - waited.ready) / 1e6)
    assert unit.start_time == pytest.approx(record.started.timestamp() * 1e9, abs=1000)
    assert attempt.attributes == {
        "workunit.unit": "plain",
        "workunit.version": "1",
        "workunit.step": "look",
        "workunit.executor": "automated",
        "workunit.case": case,
        "workunit.attempt": 1,
    }

    act, decided = told.one("workunit.act", case), told.of("workunit.action complete", case)
    there = next(span for span in decided if _trace(span) == _trace(act))
    here = next(span for span in decided if _trace(span) == _trace(request))
    assert len(decided) == 2
    assert _trace(act) == _trace(told.one(f"POST {API}/tasks/{{case_id}}/{{step}}/complete")) != _trace(request)
    assert _parent(there) == (act.context and act.context.span_id)
    assert _parent(here) == (decide.context and decide.context.span_id)
    assert [link.context.span_id for link in there.links] == [
        span.context.span_id for span in (here, decide) if span.context
    ]
    assert [link.context.span_id for link in here.links] == [there.context.span_id if there.context else 0]
    said = " ".join(str(span.to_json()) for span in told._exporter.get_finished_spans())
    assert '"ann"' not in said, "no person is named in a trace"


async def test_a_failing_attempt_says_its_kind_and_not_its_words(told, traced, caplog):
    """Spans of attempts that fail are errors without a text; a case without a starter's trace has one of its own."""
    raw = await Client.connect(
        traced.client.service_client.config.target_host, plugins=[work_units("tests.lab.contracts")]
    )
    started = await Cases(raw, traced.catalog, queue=traced._queue).start("ruled", b'{"request":"%s","mood":"odd"}' % (
        uuid.uuid4().hex[:12].encode()
    ))  # fmt: skip
    caplog.set_level(logging.INFO)
    async with worker(traced):
        failed = await told.until("attempt look", started.case)
        advice = await told.until("attempt advise", started.case)

    assert _trace(failed) == _trace(advice)
    assert (failed.attributes or {})["workunit.code"] == "odd"
    assert failed.status.is_unset
    assert not failed.events
