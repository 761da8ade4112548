"""A span for each request, and its trace on every line of the log that the request causes."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inbox.guard import HEALTH, STATIC
from observability.about import about

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_FAULT = 500
_propagator = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("workunits")


class Traced:
    """Stands before everything else. A caller's own trace is linked and not gone on with: anyone may send one."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass within its span."""
        if scope["type"] != "http" or scope["path"] == HEALTH or scope["path"].startswith(STATIC):
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        with _tracer.start_as_current_span(
            method,
            Context(),
            SpanKind.SERVER,
            {"http.request.method": method, "url.scheme": scope["scheme"]},
            links=_callers(scope),
            record_exception=False,
        ) as span:
            here = f"{span.get_span_context().trace_id:032x}"

            def facts() -> dict[str, str]:
                return {"trace": here} | _asked_for(scope)

            async def answer(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= _FAULT:
                        span.set_status(Status(StatusCode.ERROR))
                await send(message)

            with about(facts):
                try:
                    await self._app(scope, receive, answer)
                finally:
                    _name(span, method, scope)


def _callers(scope: Scope) -> list[Link]:
    headers = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in scope["headers"]
        if name in (b"traceparent", b"tracestate")
    }
    found = trace.get_current_span(_propagator.extract(headers, Context())).get_span_context()
    return [Link(found)] if found.is_valid else []


def _name(span: trace.Span, method: str, scope: Scope) -> None:
    """Name it after its route, which is known when it has been found, and not after its address, which holds ids."""
    route = getattr(scope.get("route"), "path", "")
    if route:
        span.update_name(f"{method} {route}")
        span.set_attribute("http.route", route)


def _asked_for(scope: Scope) -> dict[str, str]:
    """The case that a request is about, as its route names it."""
    given = scope.get("path_params") or {}
    case = given.get("case_id") or str(given.get("task_id") or "").rpartition("/")[0]
    return {"case": str(case)[:200]} if case else {}
