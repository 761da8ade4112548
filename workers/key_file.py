"""The file of the codec's keys: TOML that only its owner reads.

::

    read_plaintext = false

    [[key]]
    id = "k20260105-9f3a"
    since = 2026-01-05T09:00:00Z
    secret = "<32 bytes in base64>"
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import stat
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from workers.settings import Settings, SettingsError, line_of, parse_toml
from workunits.codec import SECRET_LENGTH, Key, KeyRing, KeyRingError

SETTING = "codec_keys"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_KNOWN = ("read_plaintext", "key")
_OF_A_KEY = ("id", "since", "secret")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_HEAD = """\
# Keys of the payload codec: see docs/security.md, Data at rest. Without them nobody reads what they sealed, so keep a
# copy elsewhere, and never in the same backup as the engine's database.

"""


class KeyFileError(SettingsError):
    """The key file is not right."""

    def __init__(self, path: Path, why: str, line: int | None = None) -> None:
        """Say where and what; never a secret."""
        super().__init__(f"key file {path}{f':{line}' if line else ''}: {why}", field=SETTING)


def load_ring(path: Path) -> KeyRing:
    """Read a key file.

    Raises:
        KeyFileError: it is missing, others may read it, or its content does not fit; says what to do.
    """
    text = _read(path)
    said = _parse(path, text)
    keys = [_key(path, text, number, entry) for number, entry in enumerate(said["key"], 1)]
    try:
        return KeyRing(keys, read_plaintext=said["read_plaintext"])
    except KeyRingError as error:
        raise KeyFileError(path, str(error)) from None


def ring(settings: Settings) -> KeyRing | None:
    """The keys that the settings name; None when the codec is off.

    Raises:
        KeyFileError: the key file is not right.
    """
    return load_ring(settings.codec_keys) if settings.codec_keys else None


def add_key(path: Path, *, ahead: timedelta) -> Key:
    """Put a new key into the file, or make the file with it.

    Args:
        path: The key file.
        ahead: How long until it seals: every process has to know it by then. The first key of a file seals at once.

    Raises:
        KeyFileError: there is a file, and it is not right.
    """
    there = path.exists()
    if there:
        load_ring(path)
    now = datetime.now(UTC).replace(microsecond=0)
    since = now + ahead if there else now
    key = Key(f"k{now:%Y%m%d}-{secrets.token_hex(3)}", since, secrets.token_bytes(SECRET_LENGTH))
    entry = (
        f'[[key]]\nid = "{key.id}"\nsince = {since:%Y-%m-%dT%H:%M:%SZ}\n'
        f'secret = "{base64.b64encode(key.secret).decode()}"\n'
    )
    before = _read(path).rstrip("\n") + "\n\n" if there else _HEAD
    _write(path, before + entry)
    return key


def _read(path: Path) -> str:
    """Its text, if nobody else can have it."""
    try:
        with path.open(encoding="utf-8") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise KeyFileError(path, "it is no file")
            if status.st_mode & _OTHERS:
                mode = f"{stat.S_IMODE(status.st_mode):04o}"
                raise KeyFileError(path, f"others may read or write it (mode {mode}): chmod 600 it")
            if status.st_uid not in (os.geteuid(), 0):
                raise KeyFileError(path, "it belongs to another user: chown it to the one who runs this")
            return file.read()
    except FileNotFoundError:
        raise KeyFileError(path, "there is none; bring it here, or make one: workunits codec new-key") from None
    except UnicodeDecodeError:
        raise KeyFileError(path, "not UTF-8 text") from None
    except OSError as error:
        raise KeyFileError(path, f"cannot be read: {error.strerror}") from None


def _parse(path: Path, text: str) -> dict[str, Any]:
    said = parse_toml(path, text)
    for name in said:
        if name not in _KNOWN:
            raise KeyFileError(path, f"{name}: known are {', '.join(_KNOWN)}", line_of(text, name))
    plain = said.get("read_plaintext", False)
    if not isinstance(plain, bool):
        raise KeyFileError(path, "read_plaintext: should be true or false", line_of(text, "read_plaintext"))
    keys = said.get("key", [])
    if not (isinstance(keys, list) and keys and all(isinstance(entry, dict) for entry in keys)):
        raise KeyFileError(path, "it has no [[key]]; make one: workunits codec new-key")
    return {"read_plaintext": plain, "key": keys}


def _key(path: Path, text: str, number: int, entry: dict[str, Any]) -> Key:
    line = _line(text, number)
    for name in (*entry, *_OF_A_KEY):
        if name not in _OF_A_KEY or name not in entry:
            raise KeyFileError(path, f"[[key]] {number}: it has {', '.join(_OF_A_KEY)} and nothing else", line)
    name, since = entry["id"], entry["since"]
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise KeyFileError(path, f"[[key]] {number}: id: 1 to 32 letters, digits and . _ -", line)
    if not isinstance(since, datetime) or since.tzinfo is None:
        raise KeyFileError(path, f"key {name}: since: a time with its zone, such as 2026-01-05T09:00:00Z", line)
    try:
        secret = base64.b64decode(entry["secret"], validate=True)
    except (ValueError, TypeError):
        raise KeyFileError(path, f"key {name}: secret: not base64", line) from None
    if len(secret) != SECRET_LENGTH:
        why = f"key {name}: secret: {len(secret)} bytes instead of {SECRET_LENGTH}; make one: workunits codec new-key"
        raise KeyFileError(path, why, line)
    return Key(name, since, secret)


def _line(text: str, number: int) -> int | None:
    """The line on which the n-th key begins."""
    lines = [at for at, line in enumerate(text.splitlines(), 1) if line.strip().replace(" ", "") == "[[key]]"]
    return lines[number - 1] if number <= len(lines) else None


def _write(path: Path, text: str) -> None:
    """Replace the file in one go, so that a crash leaves the old keys or all of them."""
    path = path.resolve()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
