"""What machine steps did to the world: a table of effects that outlives every worker, counted by idempotency key."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TABLES = """
    pragma journal_mode = wal;
    create table if not exists effects (key text);
    create index if not exists effects_key on effects (key);
    create table if not exists calls (key text);
"""


class World:
    """One SQLite file, shared by all workers and the checker."""

    def __init__(self, folder: Path) -> None:
        """Open it, or make it."""
        self._path = folder / "world.db"
        with self._open() as tables:
            tables.executescript(_TABLES)

    def call(self, key: str) -> None:
        """Note that a step is tried."""
        with self._open() as tables:
            tables.execute("insert into calls values (?)", (key,))

    def have_effect(self, key: str) -> None:
        """Have a step's effect, unless an earlier attempt had it."""
        with self._open() as tables:
            tables.execute("begin immediate")
            if not tables.execute("select 1 from effects where key = ?", (key,)).fetchone():
                tables.execute("insert into effects values (?)", (key,))

    def effects(self) -> Counter[str]:
        """How often each effect was had."""
        with self._open() as tables:
            return Counter(dict(tables.execute("select key, count(*) from effects group by key").fetchall()))

    def calls(self) -> int:
        """How often steps were tried."""
        with self._open() as tables:
            found: int = tables.execute("select count(*) from calls").fetchone()[0]
            return found

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, timeout=30)
        try:
            with connection:
                yield connection
        finally:
            connection.close()
