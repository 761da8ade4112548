"""What performers did, in tables that outlive their processes; and where a test holds them up."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TABLES = """
    create table if not exists calls (key text, attempt int, pid int, token blob, ended int default 0);
    create table if not exists effects (key text primary key, pid int);
    create table if not exists released (key text primary key);
"""
_POLL = 0.02


@dataclass(frozen=True)
class Call:
    """One attempt of a step."""

    attempt: int
    pid: int
    token: bytes
    """With which its worker answers to the engine."""
    ended: bool


class Book:
    """One SQLite file, shared by all workers and the test."""

    def __init__(self, folder: Path) -> None:
        """Open it, or make it."""
        self._path = folder / "book.db"
        with self._open() as tables:
            tables.executescript(_TABLES)

    def begin(self, key: str, attempt: int, token: bytes) -> None:
        """Note that an attempt begins."""
        with self._open() as tables:
            row = (key, attempt, os.getpid(), token)
            tables.execute("insert into calls (key, attempt, pid, token) values (?, ?, ?, ?)", row)

    def have_effect(self, key: str) -> None:
        """Have the step's effect on the world, unless an earlier attempt had it."""
        with self._open() as tables:
            tables.execute("insert into effects values (?, ?) on conflict do nothing", (key, os.getpid()))

    def end(self, key: str, attempt: int) -> None:
        """Note that an attempt came to its end."""
        with self._open() as tables:
            tables.execute("update calls set ended = 1 where key = ? and attempt = ?", (key, attempt))

    def wait(self, key: str) -> None:
        """Block until the test releases the step."""
        while True:
            with self._open() as tables:
                if tables.execute("select 1 from released where key = ?", (key,)).fetchone():
                    return
            time.sleep(_POLL)

    def release(self, key: str) -> None:
        """Let all attempts of a step go on."""
        with self._open() as tables:
            tables.execute("insert into released values (?)", (key,))

    def calls(self, key: str) -> list[Call]:
        """The attempts of a step, in order."""
        with self._open() as tables:
            rows = tables.execute("select attempt, pid, token, ended from calls where key = ? order by rowid", (key,))
            return [Call(attempt, pid, token, bool(ended)) for attempt, pid, token, ended in rows]

    def effects(self, case: str) -> list[str]:
        """The steps of a case that had their effect, in order."""
        with self._open() as tables:
            rows = tables.execute("select key from effects where key glob ? order by rowid", (f"{case}/*",))
            return [key.rpartition("/")[2] for (key,) in rows]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, timeout=30)
        try:
            with connection:
                yield connection
        finally:
            connection.close()
