"""Who is logged in: what a session cookie holds, and which sessions have ended before their time."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LIFETIME = 10 * 3600
"""Seconds until one has to log in again, however busy."""


@dataclass(frozen=True, slots=True)
class Session:
    """One login."""

    id: str
    name: str
    display: str
    email: str
    groups: tuple[str, ...] | None
    """Those that the provider named; None: the directory's."""
    since: float
    """Seconds since 1970."""
    by: str
    """`oidc` or `dev`."""

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return not 0 <= time.time() - self.since < LIFETIME


def begin(
    kept: dict[str, Any], name: str, *, by: str, display: str = "", email: str = "", groups: list[str] | None = None
) -> None:
    """Log in: whatever the cookie held before is gone, and the session has a new id.

    Args:
        kept: What the cookie holds.
        name: Who it is.
        by: How that is known: `oidc` or `dev`.
        display: As people read it.
        email: Their address.
        groups: Those that the provider named.
    """
    kept.clear()
    kept["in"] = {
        "id": secrets.token_urlsafe(16),
        "name": name,
        "display": display or name,
        "email": email,
        "groups": groups,
        "since": int(time.time()),
        "by": by,
    }


def present(kept: Mapping[str, Any]) -> Session | None:
    """The login that a cookie holds, unless its time is over."""
    said = kept.get("in")
    if not isinstance(said, dict):
        return None
    try:
        groups = said["groups"]
        session = Session(**{**said, "groups": None if groups is None else tuple(groups)})
    except (KeyError, TypeError):  # of another version of this program
        return None
    return None if session.expired else session


class Ended:
    """Sessions that were logged out of; a copy of their cookie is worth nothing, also after a restart."""

    def __init__(self, path: Path | None = None) -> None:
        """Read what a file remembers.

        Args:
            path: The file; without one, they are remembered until the process ends.
        """
        self._path = path
        self._until: dict[str, float] = {}
        if path is not None and path.exists():
            lines = (line.partition(" ") for line in path.read_text(encoding="ascii").splitlines())
            # The last line is cut where the power failed.
            self._until = {digest: float(until) for until, _, digest in lines if until.isdigit()}

    def __contains__(self, session: Session) -> bool:
        """Whether a session was logged out of."""
        return _digest(session) in self._until

    def add(self, session: Session) -> None:
        """End a session."""
        now = time.time()
        self._until = {digest: until for digest, until in self._until.items() if until > now}
        self._until[_digest(session)] = int(session.since) + LIFETIME
        if self._path is not None:
            self._write(self._path)

    def _write(self, path: Path) -> None:
        text = "".join(f"{until:.0f} {digest}\n" for digest, until in self._until.items())
        part = path.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_text(text, encoding="ascii")
        part.replace(path)


def _digest(session: Session) -> str:
    return hashlib.sha256(session.id.encode()).hexdigest()
