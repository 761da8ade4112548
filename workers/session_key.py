"""The key that signs session cookies: that of the settings, else a file in the state folder, made once."""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from workers.settings import SHORTEST_KEY, Settings, SettingsError

KEY_FILE = "session.key"
_RANDOM_BYTES = 48
_ELSE = "or set WORKUNITS_SESSION_KEY"


def session_key(settings: Settings) -> str:
    """The key of the settings, else that of the state folder, made when it is missing.

    Raises:
        SettingsError: the file cannot be made or read, or what stands in it is no key; never says what stands there.
    """
    if settings.session_key:
        return settings.session_key.get_secret_value()
    path = settings.state / KEY_FILE
    try:
        if not path.exists():
            with suppress(FileExistsError):  # another process was first: its key is everybody's
                _write_new(path, secrets.token_urlsafe(_RANDOM_BYTES))
        key = path.read_text(encoding="ascii")
    except OSError as error:
        why = f"cannot be made or read: {error.strerror}; mend that, {_ELSE}"
        raise SettingsError(f"session_key: {path}: {why}", field="session_key") from None
    except UnicodeDecodeError:
        key = ""
    if len(key.strip()) < SHORTEST_KEY:
        # With what anyone can guess, anyone could sign a login.
        why = f"holds no key of {SHORTEST_KEY} characters or more; remove it, so that a new one is made"
        raise SettingsError(f"session_key: {path}: {why} and people log in again, {_ELSE}", field="session_key")
    return key


def _write_new(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all, and never over another one."""
    handle, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(temporary)
    finally:
        Path(temporary).unlink()
