"""Who acts: the person of a session, or the machine of a token."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fastapi import Request

from inbox import sessions
from inbox.guard import address_of, has_token, is_safe, too_many
from inbox.security import API, Problem

if TYPE_CHECKING:
    from inbox.doors import Doors


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
        Problem: 401: nobody who is known, or no longer; 429: too much at once.
    """
    doors: Doors = request.app.state.doors
    actor = _of_token(doors, request) if has_token(request) else _of_session(doors, request)
    if actor is None:
        raise Problem(401, "login_required", "say who you are: log in, or send a token that is valid")
    wait = doors.limits.take("reads" if is_safe(request) else "writes", actor.name)
    if wait:
        raise too_many(wait)
    request.state.actor = actor
    return actor


def of_directory(doors: Doors, name: str, origin: str) -> Actor | None:
    """Someone of the directory, as of now; None when it has no such person."""
    return _actor(doors, name, origin) if doors.directory.person(name) else None


def _of_token(doors: Doors, request: Request) -> Actor | None:
    address = address_of(request)
    wait = doors.limits.empty("failures", address)
    if wait:
        raise too_many(wait)
    token = doors.tokens.find(request.headers["authorization"][7:].strip())
    if token is None:
        doors.limits.take("failures", address)
        return None
    name = f"token:{token.name}"
    return Actor(name, token.name, token.roles, name, units=token.units)


def _of_session(doors: Doors, request: Request) -> Actor | None:
    session = sessions.present(request.session)
    if session is None or session in doors.ended:
        return None
    origin = "api" if request.url.path.startswith(API) else "inbox"
    if session.by == "dev":  # a cookie of yesterday's development login opens nothing today
        return of_directory(doors, session.name, origin) if doors.dev_login else None
    return _actor(doors, session.name, origin, session) if doors.provider is not None else None


def _actor(doors: Doors, name: str, origin: str, session: sessions.Session | None = None) -> Actor:
    now, roster = datetime.now(UTC), doors.directory.roster
    person = roster.people.get(name)
    groups = session.groups if session and session.groups is not None else person.groups if person else ()
    return Actor(
        name=name,
        display=person.display if person else session.display if session else name,
        roles=roster.roles_of(name, now, groups),
        origin=origin,
        zone=person.zone if person else "UTC",
        email=(person.email if person else "") or (session.email if session else ""),
        stands_in_for=roster.stands_in_for(name, now),
        admin=not roster.admins.isdisjoint(groups),
    )
