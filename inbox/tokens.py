"""API tokens of machines: a file of their hashes, with what each may do, and until when.

::

    [[token]]
    name = "erp"
    sha256 = "<hash of the token>"
    roles = ["refund approver"]
    units = ["refund_request"]
    expires = 2027-01-01T00:00:00Z
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from inbox.files import LOOK_EVERY, Entry, FileError, Source, Watched, read
from workunits.core.lifecycle import SYSTEM

_HASH = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_PREFIX = "wu_"


@dataclass(frozen=True, slots=True)
class Token:
    """What one machine may do."""

    name: str
    sha256: str
    """Of the token; it is 256 random bits, so that a plain hash keeps it."""
    roles: tuple[str, ...]
    units: tuple[str, ...]
    expires: datetime


class Tokens:
    """All tokens, as of the file's last good version."""

    def __init__(self, tokens: Sequence[Token] = ()) -> None:
        """Take these once and for all; see `watch` for a file."""
        self._tokens = tuple(tokens)
        self._watched: Watched[tuple[Token, ...]] | None = None

    @classmethod
    def watch(cls, path: Path, *, every: float = LOOK_EVERY) -> Tokens:
        """Read a file, and read it again when it changes.

        Args:
            path: The file.
            every: Seconds between looks at it.

        Raises:
            FileError: it is not right; a later version that is not right is told in the log and not taken.
        """
        made = cls()
        made._watched = Watched(path, load_tokens, every)
        return made

    def find(self, shown: str) -> Token | None:
        """The token that was shown, unless it has expired; takes the same time whichever it is."""
        digest = hash_of(shown)
        tokens = self._watched.now if self._watched else self._tokens
        found = [token for token in tokens if hmac.compare_digest(token.sha256, digest)]
        return found[0] if found and datetime.now(UTC) < found[0].expires else None


def make_token() -> tuple[str, str]:
    """A new token and its hash; the token itself is kept nowhere."""
    token = _PREFIX + secrets.token_urlsafe(32)
    return token, hash_of(token)


def hash_of(token: str) -> str:
    """What the file keeps of a token."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def load_tokens(path: Path) -> tuple[Token, ...]:
    """Read a file of tokens.

    Raises:
        FileError: whatever is not right, with its line; never a hash.
    """
    return read_tokens(read(path, "token file"))


def read_tokens(source: Source) -> tuple[Token, ...]:
    """Take tokens from a file that was read.

    Raises:
        FileError: as `load_tokens`.
    """
    source.top().refuse_unknown(("token",))
    tokens = [_token(entry) for entry in source.entries("token")]
    for name in ("name", "sha256"):
        if len({getattr(token, name) for token in tokens}) < len(tokens):
            raise FileError(source.path, f"two tokens have the same {name}; keep one")
    return tuple(tokens)


def _token(entry: Entry) -> Token:
    entry.refuse_unknown(("name", "sha256", "roles", "units", "expires"))
    name, digest = entry.text("name"), entry.text("sha256")
    if not _NAME.fullmatch(name):
        raise entry.error("name", "1 to 40 small letters, digits and . _ -")
    if not _HASH.fullmatch(digest):
        raise entry.error("sha256", "64 hexadecimal digits, as `workunits token` prints them")
    for needed in ("roles", "units"):
        if not entry.texts(needed):
            raise entry.error(needed, 'it is missing: a token is for named ones only, such as ["one", "two"]')
    if SYSTEM in entry.texts("roles"):
        raise entry.error("roles", f"the role {SYSTEM} is the runtime's own; nobody else has it")
    expires = entry.data.get("expires")
    if not isinstance(expires, datetime) or expires.tzinfo is None:
        raise entry.error("expires", "a time with its zone, such as 2027-01-01T00:00:00Z")
    return Token(name, digest, entry.texts("roles"), entry.texts("units"), expires)
