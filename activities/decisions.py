"""The register of credit decisions, in a SQLite file that starts with some invented ones.

The credit decision writes into it, and a complaint looks the decision up in it.
"""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from activities.local_store import transaction

SHIPPED = Path(__file__).parent / "data" / "decisions.csv"
TABLE = """
CREATE TABLE IF NOT EXISTS decisions (
    entry INTEGER PRIMARY KEY, application TEXT NOT NULL, verdict TEXT NOT NULL, amount INTEGER NOT NULL,
    grade TEXT NOT NULL, reason TEXT NOT NULL, effect_key TEXT NOT NULL UNIQUE)
"""


@contextmanager
def register(data: Path) -> Iterator[sqlite3.Connection]:
    """Open the register for one transaction.

    Args:
        data: The folder of the performers' files.
    """
    with transaction(data / "lending.sqlite", TABLE) as db:
        db.row_factory = sqlite3.Row
        if db.execute("SELECT 1 FROM decisions LIMIT 1").fetchone() is None:
            with SHIPPED.open(encoding="utf-8", newline="") as file:
                rows = [(*row, f"shipped/{row[0]}") for row in list(csv.reader(file))[1:]]
            sql = "INSERT INTO decisions (application, verdict, amount, grade, reason, effect_key)"
            db.executemany(f"{sql} VALUES (?, ?, ?, ?, ?, ?)", rows)
        yield db
