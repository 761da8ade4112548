"""Logging in and out."""

from __future__ import annotations

import html
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from inbox import sessions
from inbox.guard import address_of, too_many
from inbox.oidc import CALLBACK, LOGGED_OUT
from inbox.security import Problem

if TYPE_CHECKING:
    from inbox.doors import Doors
    from inbox.oidc import Provider

DEV_WARNING = "Development login: anyone on this machine may be anyone. Never use it for real work."
"""Stands on every page while the development login is on."""
_LONGEST_NEXT = 2000

router = APIRouter(include_in_schema=False)


def local(target: str | None) -> str:
    """Where to go after the login: a path of ours, whatever was asked for."""
    if not target or len(target) > _LONGEST_NEXT or not target.isprintable() or "\\" in target:
        return "/"
    parts = urlsplit(target)
    ours = target.startswith("/") and not target.startswith("//") and not parts.scheme and not parts.netloc
    inside = parts.path not in ("/logout", LOGGED_OUT) and not parts.path.startswith(("/login", "//"))
    return target if ours and inside else "/"


@router.get("/login")
async def choose(request: Request, next: str = "/") -> Response:  # noqa: A002 - the name that links have
    """Offer the ways to log in; go on at once when there is one only."""
    doors = _doors(request)
    if doors.provider is not None and not doors.dev_login:
        return RedirectResponse(f"/login/oidc?next={quote(local(next), safe='')}", 303)
    return _page(request, "login_page", plain_login)


@router.post("/login/dev")
async def be_anyone(request: Request, name: Annotated[str, Form()], next: Annotated[str, Form()] = "/") -> Response:  # noqa: A002
    """Be someone of the directory, where that is allowed."""
    doors = _doors(request)
    if not doors.dev_login:
        raise Problem(404, "not_found", "there is no development login here")
    _count_failure(request, failed=doors.directory.person(name) is None)
    if doors.directory.person(name) is None:
        raise Problem(403, "login_failed", "the directory has no such person; choose one of those on the login page")
    sessions.begin(request.session, name, by="dev")
    return RedirectResponse(local(next), 303)


@router.get("/login/oidc")
async def ask_provider(request: Request, next: str = "/") -> Response:  # noqa: A002
    """Go to the provider."""
    response = await _provider(request).redirect(request, _doors(request).url)
    request.session["next"] = local(next)
    return response


@router.get(CALLBACK)
async def come_back(request: Request) -> Response:
    """Take the provider's answer."""
    doors, provider = _doors(request), _provider(request)
    target = local(request.session.get("next"))
    try:
        known = await provider.identify(request)
    except Problem:
        _count_failure(request, failed=True)
        raise
    mapped = set(doors.directory.roster.groups)
    groups = [group for group in known.groups if group in mapped]  # the cookie is small
    sessions.begin(request.session, known.name, by="oidc", display=known.display, email=known.email, groups=groups)
    return RedirectResponse(target, 303)


@router.post("/logout")
async def leave(request: Request) -> Response:
    """End the session here, and at the provider."""
    doors = _doors(request)
    session = sessions.present(request.session)
    request.session.clear()
    target = LOGGED_OUT
    if session is not None:
        doors.ended.add(session)
        if session.by == "oidc" and doors.provider is not None:
            target = await doors.provider.logout_url(doors.url) or LOGGED_OUT
    return RedirectResponse(target, 303)


@router.get(LOGGED_OUT)
async def left(request: Request) -> Response:
    """Say that the session has ended."""
    return _page(request, "logged_out_page", plain_logged_out)


def plain_login(request: Request, target: str) -> Response:
    """The login page, where the pages are not installed."""
    doors = _doors(request)
    said = ""
    if doors.provider is not None:
        said += f'<p><a href="/login/oidc?next={quote(target, safe="")}">Log in</a></p>'
    if doors.dev_login:
        now = datetime.now(UTC)
        options = "".join(
            f'<option value="{html.escape(one.name)}">{html.escape(one.display)}: '
            f"{html.escape(', '.join(doors.directory.roles_of(one.name, now)) or 'no role')}</option>"
            for one in doors.directory.everybody
        )
        said += (
            f'<p>{DEV_WARNING}</p><form method="post" action="/login/dev"><label>Person <select name="name">{options}'
            f'</select></label><input type="hidden" name="next" value="{html.escape(target)}">'
            "<button>Log in</button></form>"
        )
    return _plain("Log in", said or "<p>Nobody can log in: see docs/people.md, Logging in.</p>")


def plain_logged_out(request: Request, target: str) -> Response:
    """The last page, where the pages are not installed."""
    del request, target
    return _plain("Logged out", '<p>You are logged out. <a href="/login">Log in again</a></p>')


def _plain(title: str, body: str) -> Response:
    head = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
    return HTMLResponse(f"{head}<body><main><h1>{title}</h1>{body}</main></body></html>")


def _page(request: Request, name: str, plain: Any) -> Response:
    """The page that `inbox.pages` has installed, else a plain one."""
    page = getattr(request.app.state, name, plain)
    response: Response = page(request, local(request.query_params.get("next")))
    return response


def _doors(request: Request) -> Doors:
    doors: Doors = request.app.state.doors
    return doors


def _provider(request: Request) -> Provider:
    provider = _doors(request).provider
    if provider is None:
        raise Problem(404, "not_found", "there is no login service here")
    return provider


def _count_failure(request: Request, *, failed: bool) -> None:
    limits, address = _doors(request).limits, address_of(request)
    wait = limits.take("failures", address) if failed else limits.empty("failures", address)
    if wait:
        raise too_many(wait)
