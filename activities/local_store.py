"""A SQLite file in which an effect and the key that makes it happen once are written in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

WAIT = 20.0
"""Seconds to wait for another writer; below the 30 s that a step's attempt has."""


@contextmanager
def transaction(path: Path, schema: str) -> Iterator[sqlite3.Connection]:
    """Open the file, make its tables where they are missing, and commit all or nothing.

    The write lock is taken first: what is read inside stays true until the commit.

    Args:
        path: The SQLite file.
        schema: One `CREATE TABLE IF NOT EXISTS` statement after another, separated by `;`.
    """
    with closing(sqlite3.connect(path, timeout=WAIT, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        try:
            # Not `executescript`: it commits first.
            for statement in schema.split(";"):
                db.execute(statement)
            yield db
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")
