"""What can be wrong with an embedded engine, in an operator's words."""

from __future__ import annotations

from pathlib import Path

from workunits.core.errors import WorkUnitsError

PORT_TAKEN = "address already in use"
"""The server's words for a port that is not free."""
_SQLITE = b"SQLite format 3\0"
_REASONS = (
    (PORT_TAKEN, "one of its ports was taken by another program: try again"),
    ("disk is full", "the disk is full: free some space"),
    ("no space left", "the disk is full: free some space"),
    ("not a database", "its state file is damaged or no engine's: move it away to start afresh"),
    ("malformed", "its state file is damaged: restore a copy, or move it away to start afresh"),
    ("readonly database", "its state file may not be written: check the owner of the folder"),
    ("permission denied", "its state file may not be written: check the owner of the folder"),
    ("unable to open database", "its state file cannot be opened: check the folder"),
    ("no such table", "its state file was made by another version: move it away to start afresh"),
)


class EngineError(WorkUnitsError):
    """The embedded engine does not run."""


def check_state(path: Path) -> None:
    """Refuse a state file that the server would trip over, or overwrite.

    Raises:
        EngineError: it cannot be read, or is something else.
    """
    if not path.exists():
        return
    try:
        with path.open("rb") as file:
            head = file.read(len(_SQLITE))
    except OSError as error:
        raise EngineError(f"{path} cannot be read: {error.strerror}; check its owner") from None
    if head and head != _SQLITE:
        raise EngineError(f"{path} is no engine's state: move it away to start afresh")


def explain(said: str) -> str:
    """What the server's words mean; its last line when they are not known."""
    for words, means in _REASONS:
        if words in said.lower():
            return means
    lines = [line for line in said.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"
