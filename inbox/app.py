"""The inbox as one application: the guard, the sessions, the login, the API and the pages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import PlainTextResponse, Response

from inbox import api, login, pages, security, sessions
from inbox.doors import Doors
from inbox.guard import HEALTH, Guard
from inbox.service import TaskService
from inbox.traced import Traced

__all__ = ["Doors", "make_app"]


def make_app(doors: Doors) -> FastAPI:
    """Put the inbox together.

    Handlers find `doors`, the `service` and `stopping` (set when the server is asked to end: what would go on for
    ever ends then) in `request.app.state`. The pages put their versions of `problem_page(request, problem)`,
    `login_page(request, next)` and `logged_out_page(request, next)` there.
    """
    app = FastAPI(
        title="workunits",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=_deliver,
        # `Traced` instead: theirs tells the query, in which a login's code stands, and goes on with anyone's trace.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.doors = doors
    app.state.service = TaskService.of(doors)
    app.state.stopping = asyncio.Event()
    security.install(app)
    app.include_router(login.router)
    api.install(app)
    pages.install(app)
    app.add_api_route(HEALTH, _healthy, include_in_schema=False)
    app.add_middleware(
        SessionMiddleware,
        secret_key=doors.session_key,
        # With this prefix a browser takes the cookie from this host alone, by https alone.
        session_cookie="__Host-workunits" if doors.secure else "workunits",
        max_age=sessions.LIFETIME,
        same_site="lax",
        https_only=doors.secure,
    )
    app.add_middleware(Guard, doors=doors)
    app.add_middleware(Traced)  # the last one stands outermost
    return app


@asynccontextmanager
async def _deliver(app: FastAPI) -> AsyncIterator[None]:
    """Deliver what the journal holds, as long as the inbox is up."""
    stop = asyncio.Event()
    delivering = asyncio.create_task(app.state.service.deliver_forever(stop))
    try:
        yield
    finally:
        app.state.stopping.set()
        stop.set()
        await delivering


async def _healthy() -> Response:
    """Say that the process answers."""
    return PlainTextResponse("ok")
