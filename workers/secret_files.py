"""Secrets that stand in files: for each setting that is a secret, `WORKUNITS_<NAME>_FILE` may name one.

So that a container's secrets are mounted and stand in no environment, which others on the machine may see.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

END = "_FILE"


class SecretFileError(ValueError):
    """A secret cannot be taken from its file; `variable` says which."""

    def __init__(self, variable: str, why: str) -> None:
        """Say why, without what stands in the file."""
        self.variable = variable
        super().__init__(f"environment variable {variable}: {why}")


def from_files(secrets: Iterable[str], prefix: str) -> dict[str, str]:
    """Read the secrets that stand in files.

    Args:
        secrets: The names of the settings that are secrets.
        prefix: Of their variables.

    Raises:
        SecretFileError: a file cannot be read or is empty, or the secret is given twice.
    """
    found = {}
    for name in secrets:
        direct = f"{prefix}{name.upper()}"
        variable = f"{direct}{END}"
        path = os.environ.get(variable)
        if path is None:
            continue
        if direct in os.environ:
            raise SecretFileError(variable, f"{direct} is set too; keep one")
        try:
            said = Path(path).read_text(encoding="utf-8").strip()
        except UnicodeDecodeError:
            raise SecretFileError(variable, "the file is not UTF-8 text") from None
        except OSError as error:
            raise SecretFileError(variable, f"the file cannot be read: {error.strerror}") from None
        if not said:
            raise SecretFileError(variable, "the file is empty")
        found[name] = said
    return found
