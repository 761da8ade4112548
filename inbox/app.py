"""The inbox as one application: the guard, the sessions, the login, the API and the pages."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import PlainTextResponse, Response

from inbox import login, security, sessions
from inbox.doors import Doors
from inbox.guard import HEALTH, Guard

__all__ = ["Doors", "make_app"]


def make_app(doors: Doors) -> FastAPI:
    """Put the inbox together.

    Handlers find `doors` and the `service` in `request.app.state`. The pages may put their own versions of
    `problem_page(request, problem)`, `login_page(request, next)` and `logged_out_page(request, next)` there.
    """
    app = FastAPI(title="workunits", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.doors = doors
    security.install(app)
    app.include_router(login.router)
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
    app.add_middleware(Guard, doors=doors)  # the last one stands outermost
    return app


async def _healthy() -> Response:
    """Say that the process answers."""
    return PlainTextResponse("ok")
