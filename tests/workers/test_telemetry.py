"""What a worker tells of itself: figures on its port, OTLP where that is configured, and a log of JSON lines."""

from __future__ import annotations

import json
import socket

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from temporalio.client import WorkflowFailureError

from observability.runtime_metrics import CORE, RESULTS, RUNTIME
from tests.otlp import sink
from tests.workers.test_worker import closed, start

PERFORMERS = """
import logging

from loans.contracts import Answer, Request
from loans.unit import Loan
from workunits.ai import Model
from workunits.performs import performs

log = logging.getLogger("workunits.loans")


@performs(Loan.CHECK)
def check(case: Request) -> Answer:
    log.info("two\\nlines")
    if "broken" in case.request:
        raise RuntimeError("secret words")
    return Answer(granted=True)


class Advice:
    def __init__(self, model: Model) -> None:
        self._model = model

    @performs(Loan.ADVISE)
    async def advise(self, case: Request) -> Answer:
        return await self._model.ask("Judge.", case, Answer, test_answer=Answer(granted=True))
"""
CHECK = {"unit": "loan", "version": "1", "step": "check", "executor": "automated"}
ADVISE = {"unit": "loan", "version": "1", "step": "advise", "executor": "ai"}


def scrape(url):
    """The samples of a page of metrics by name, and the names of its families."""
    families = text_string_to_metric_families(httpx2.get(url).text)
    return [sample for family in families for sample in family.samples]


def value(samples, name, **labels):
    """The only sample of a name and labels."""
    (found,) = [sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items()]
    return found


async def test_a_worker_tells_what_happens_in_it(shell, engine, at):
    """One port has its figures and the SDK's; spans and figures go to the collector; each line of the log is JSON."""
    shell.write_loans(performers=PERFORMERS)
    with sink() as there:
        env = {**at, **there.environment, "WORKUNITS_QUEUE": "telling", "WORKUNITS_MODULES": "loans.package"}
        worker = shell.spawn("worker", "--unversioned", "--metrics-port", "0", WORKUNITS_LOG="json", **env)
        url = worker.until("polling").partition("metrics=")[2].partition('"')[0]
        before = scrape(url)
        assert value(before, "workunit_runtime_attempts_total", **CHECK, result="failed") == 0
        case = start(shell, "good", **env)
        assert (await closed(engine, case))[0]["close"] == "achieved"
        bad = start(shell, "broken", **env)
        with pytest.raises(WorkflowFailureError):
            await closed(engine, bad)
        samples = scrape(url)
        assert worker.stop() == 0

    names = {sample.name for sample in samples}
    for metric in (*RUNTIME, *CORE):
        name = f"{metric.name}_count" if metric.type == "histogram" else metric.name
        assert name in names, metric.name
        labels = {label for sample in samples if sample.name == name for label in sample.labels}
        assert labels - {"service_name", "le"} <= set(metric.labels), metric.name
    done, failed = (value(samples, "workunit_runtime_attempts_total", **CHECK, result=r) for r in ("done", "failed"))
    assert (done, failed) == (1, 3)
    assert {s.labels["result"] for s in samples if s.name == "workunit_runtime_attempts_total"} == set(RESULTS)
    assert value(samples, "workunit_runtime_failures_total", **CHECK, code="RuntimeError") == 3
    assert value(samples, "workunit_runtime_attempt_duration_seconds_count", **ADVISE) == 1
    assert value(samples, "workunit_runtime_attempts_running", **ADVISE) == 0
    asked = {"unit": "loan", "step": "advise"}
    assert value(samples, "gen_ai_client_token_usage_count", gen_ai_token_type="input", **asked) == 1  # noqa: S106 - a label
    assert value(samples, "gen_ai_client_operation_duration_seconds_count", **asked) == 1

    assert {"workunit.runtime.attempts", "gen_ai.client.token.usage"} <= there.metrics
    attempt = next(span for span in there.named("attempt advise"))
    chat = next(span for span in there.spans if span.name.startswith("chat"))
    run = next(span for span in there.spans if span.span_id == chat.parent_span_id)
    assert run.parent_span_id == attempt.span_id, "the call to the model stands below the attempt"
    assert chat.trace_id == attempt.trace_id
    sent = b"".join(span.SerializeToString() for span in there.spans)
    assert b"secret words" not in sent
    assert b"<data>" not in sent, "nothing of what a model is asked leaves with a span"

    lines = [json.loads(line) for line in worker.said.splitlines()]
    (told,) = [line for line in lines if line["message"] == "two\nlines" and line["case"] == case]
    assert {"unit": "loan", "step": "check", "attempt": "1"}.items() <= told.items()
    assert told["trace"] == next(
        s.trace_id.hex() for s in there.named("attempt check") if s.trace_id == attempt.trace_id
    )
    failures = [line for line in lines if line.get("error") == "ApplicationError" and line.get("case") == bad]
    assert len(failures) == 3
    assert all(line["step"] == "check" and line["trace"] and line["unit"] == "loan" for line in failures)


def test_a_port_that_is_taken(shell, at):
    """One that was asked for must be free; the usual one may be another worker's."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = shell.run("worker", "--metrics-port", port, **at)
        assert refused.returncode == 2
        assert "cannot listen on 127.0.0.1" in refused.stderr
        assert "WORKUNITS_WORKER_METRICS_PORT" in refused.stderr
        assert shell.run("worker", WORKUNITS_WORKER_METRICS_PORT=port, **at).returncode == 2


def test_the_form_of_the_log_is_one_that_there_is(shell, at):
    """Another one is refused with the variable's name."""
    refused = shell.run("worker", WORKUNITS_LOG="xml", **at)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "WORKUNITS_LOG: should be text or json" in refused.stderr
