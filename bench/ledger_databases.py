"""Empty databases for the ledger, of both kinds: files, and a PostgreSQL server of the benchmark's own."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.observability.postgres import BIN, Postgres


@contextmanager
def databases(count: int) -> Iterator[dict[str, Sequence[str]]]:
    """Addresses of so many, by kind; nothing is left behind."""
    with tempfile.TemporaryDirectory(prefix="workunits-bench-") as folder:
        found: dict[str, Sequence[str]] = {"SQLite": [f"sqlite:///{Path(folder, f'{n}.sqlite')}" for n in range(count)]}
        if BIN is None:
            print("PostgreSQL is not measured: its server is not installed", file=sys.stderr)
            yield found
            return
        server = Postgres.make()
        try:
            server.start()
            yield {**found, "PostgreSQL": [server.create(f"ledger{n}") for n in range(count)]}
        finally:
            server.remove()
