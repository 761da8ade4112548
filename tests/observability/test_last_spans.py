"""The end of a process that sends spans: they are sent as long as somebody takes them, and no longer."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from temporalio.contrib.opentelemetry import ReplaySafeTracerProvider

from observability import tracing
from observability.discreet import Discreet

LONG = 30.0


class Ending(ReplaySafeTracerProvider):
    """Ends as it is told to."""

    def __init__(self, how: Callable[[], object]) -> None:
        self.how = how
        self.ended = Event()

    def shutdown(self) -> None:
        """See base class."""
        self.how()
        self.ended.set()


class Taking(SpanExporter):
    """A collector that takes what it is sent, or refuses it."""

    def __init__(self, result: SpanExportResult) -> None:
        self.result = result

    def export(self, spans):
        """See base class."""
        return self.result


def test_a_collector_that_is_down_keeps_no_process_from_ending(monkeypatch: pytest.MonkeyPatch):
    """What nobody takes is let go: a command would else end ten seconds late, a follower thirty."""
    released = Event()
    provider = Ending(lambda: released.wait(LONG))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    monkeypatch.setattr(tracing, "PATIENCE", 0.01)
    tracing.shut_down()

    assert not provider.ended.is_set()
    released.set()
    assert provider.ended.wait(LONG)


def test_what_is_taken_is_waited_for(monkeypatch: pytest.MonkeyPatch):
    """While spans are taken, however many there are, the process does not end; what is refused is not taken."""
    exporter = Discreet(Taking(SpanExportResult.SUCCESS))

    class Waits:
        """As a thread that takes three times as long as anybody waits at once."""

        def __init__(self, **_: object) -> None:
            self.left = 3

        def start(self) -> None: ...

        def is_alive(self) -> bool:
            return self.left > 0

        def join(self, _: float) -> None:
            self.left -= 1
            exporter.export([])

    provider = Ending(lambda: None)
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    monkeypatch.setattr(tracing, "_exporters", [exporter])
    monkeypatch.setattr(tracing, "Thread", Waits)
    tracing.shut_down()

    refused = Discreet(Taking(SpanExportResult.FAILURE))
    refused.export([])
    assert (exporter.taken, refused.taken) == (3, 0)
