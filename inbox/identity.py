"""Who acts: the person of a session, or the machine of a token."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request

from inbox.security import Problem


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts now, and as what."""

    name: str
    """As it stands on the record."""
    display: str
    """As people read it."""
    roles: tuple[str, ...]
    """By the directory, or by the groups that the login brought, now."""
    origin: str
    """Through which door: `inbox`, `api`, `cli` or `token:<name>`."""
    zone: str = "UTC"
    """The IANA zone in which the actor reads times."""
    email: str = ""
    stands_in_for: tuple[str, ...] = ()
    """Absent people whose substitute the actor is now."""
    units: tuple[str, ...] | None = None
    """Of a token: only these units; all when None."""
    admin: bool = False
    """May see all tasks of all units."""


async def current_actor(request: Request) -> Actor:
    """Who sends this request.

    Raises:
        Problem: 401: nobody who is known, or no longer.
    """
    actor: Actor | None = await request.app.state.identify(request)
    if actor is None:
        raise Problem(401, "login_required", "say who you are: log in, or send a token that is valid")
    return actor
