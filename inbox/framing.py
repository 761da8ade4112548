"""The frame of every page, and how a page knows who looks at it."""

from __future__ import annotations

from typing import Any

from fastapi import Depends, Request

from inbox.identity import Actor, current_actor
from inbox.rendering import Clock, Page
from inbox.rights import administrated


async def _sign_in(request: Request) -> Actor:
    """Who asks; notes first what has been seen of the world, so that a later change is not missed."""
    request.state.version = request.app.state.pulse.version
    return await current_actor(request)


signed_in: Any = Depends(_sign_in)
"""Of a handler: `actor: Actor = signed_in`."""


def frame(request: Request, actor: Actor | None, clock: Clock | None = None, *, at: str = "", search: str = "") -> Page:
    """What stands around a page.

    Args:
        request: Its request.
        actor: Who looks; None before the login.
        clock: Theirs.
        at: The entry of the main navigation that it belongs to.
        search: What was searched for.
    """
    doors = request.app.state.doors
    pulse = getattr(request.app.state, "pulse", None)
    return Page(
        clock=clock or Clock.of(actor),
        actor=actor,
        at=at,
        troubles=pulse.troubles if pulse is not None and actor is not None else (),
        version=getattr(request.state, "version", 0),
        dev_login=doors.dev_login,
        search=search,
        operates=actor is not None and bool(administrated(actor, doors.catalog, doors.directory)),
    )
