"""Logging in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from inbox import sessions
from inbox.guard import address_of, too_many
from inbox.oidc import CALLBACK, LOGGED_OUT
from inbox.security import Problem

if TYPE_CHECKING:
    from inbox.doors import Doors
    from inbox.oidc import Provider

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
    page: Response = request.app.state.login_page(request, local(next))
    return page


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
    page: Response = request.app.state.logged_out_page(request, "/")
    return page


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
