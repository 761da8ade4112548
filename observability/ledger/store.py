"""The ledger's database: SQLite in a file, or PostgreSQL, by its URL; and whether its schema is ours."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from observability.ledger import migrations
from workunits.core.errors import WorkUnitsError

PATIENCE = 20
"""Seconds to wait for another writer, and for a database that does not answer."""
_LOCK = 7_741_001
"""The number of PostgreSQL's advisory lock under which all writers of a ledger take turns."""
_CAUSES = (
    ("Connection refused", "nothing listens there; start PostgreSQL, or set WORKUNITS_LEDGER"),
    ("could not translate host", "there is no such host; check WORKUNITS_LEDGER"),
    ("failed to resolve host", "there is no such host; check WORKUNITS_LEDGER"),
    ("password authentication failed", "the server refuses the login; check user and password in WORKUNITS_LEDGER"),
    ("no password supplied", "the server wants a password; put it into WORKUNITS_LEDGER"),
    ("does not exist", "there is no such database or role; create it, or check WORKUNITS_LEDGER"),
    ("timeout expired", "it does not answer"),
    ("is shutting down", "it is shutting down"),
    ("starting up", "it is starting up"),
    ("server closed the connection", "the connection broke"),
    ("terminating connection", "the connection broke"),
    ("read-only", "it may only be read; check the rights"),
    ("readonly", "it may only be read; check the owner of the file and its folder"),
    ("permission denied", "the login may not do that; check its rights"),
    ("unable to open", "its file cannot be opened; check the folder and its owner"),
    ("disk is full", "the disk is full; free some space"),
    ("No space left", "the disk is full; free some space"),
    ("database is locked", "another program holds it for long; end that one"),
    ("due to lock timeout", "another program holds it for long; end that one"),
    ("not a database", "its file is no SQLite database; name another one in WORKUNITS_LEDGER"),
    ("malformed", "its file is damaged; restore a backup"),
    ("disk I/O error", "the disk has an error"),
)


class LedgerError(WorkUnitsError):
    """The ledger cannot be used."""


class LedgerUnavailableError(LedgerError):
    """The ledger's database does not serve us now."""


class SchemaError(LedgerError):
    """The ledger's schema is another one than this program's."""


class Ledger:
    """One ledger."""

    def __init__(self, url: str) -> None:
        """Prepare; nothing connects yet.

        Args:
            url: `sqlite:///file`, or `postgresql://user:password@host/database`.

        Raises:
            LedgerError: it is no URL of these.
        """
        self.url = _parse(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self._engine: Engine | None = None

    def __str__(self) -> str:
        """The URL, without its password."""
        return self.url.set(drivername=self.url.get_backend_name()).render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one state of the ledger.

        Raises:
            LedgerUnavailableError: says why.
        """
        with self._explained(), self._connected() as plain:
            # By default, PostgreSQL shows each statement the state of its own moment.
            connection = plain if self.sqlite else plain.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction; all writers take turns, so that what was read inside stays true until its end.

        Raises:
            LedgerUnavailableError: says why; nothing was written.
        """
        with self._explained(), self._connected() as plain:
            connection = plain.execution_options(writing=True)
            with connection.begin():
                if not self.sqlite:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
                yield connection

    def check(self) -> None:
        """Make sure that the schema is the one of this program.

        Raises:
            SchemaError: it is older or newer; says what to do.
            LedgerUnavailableError.
        """
        head, there = migrations.head(), None
        if self.is_there:
            with self.read() as connection:
                there = migrations.revision(connection)
                if there == head:
                    return
        if there is None or there in migrations.known():
            older = f"is at revision {there}, this program needs {head}" if there else "has no tables yet"
            raise SchemaError(f"the ledger {self} {older}: workunits ledger migrate")
        raise SchemaError(
            f"the ledger {self} is at revision {there}, which is newer than this program: upgrade the program"
        )

    def migrate(self, to: str = "head") -> tuple[str | None, str]:
        """Bring the schema up to this program's; gives the revisions before and after.

        Args:
            to: An older revision, for tests of what comes after it.

        Raises:
            SchemaError: it is newer.
            LedgerUnavailableError.
        """
        if self.sqlite:
            self._make_file()
        with self.write() as connection:
            before = migrations.revision(connection)
            if before is not None and before not in migrations.known():
                raise SchemaError(f"the ledger {self} is at revision {before}, newer than this program: upgrade it")
            migrations.upgrade(connection, to)
        return before, migrations.head() if to == "head" else to

    def close(self) -> None:
        """Let go of all connections."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        if self._engine is None:
            self._engine = self._open()
        with self._engine.connect() as connection:
            yield connection

    def _open(self) -> Engine:
        if not self.sqlite:
            patience = {"connect_timeout": PATIENCE}
            engine = create_engine(self.url, pool_pre_ping=True, connect_args=patience, **_JSON)
            event.listen(engine, "connect", _prepare_postgresql)
            return engine
        if not self.is_there:
            raise LedgerUnavailableError(f"the ledger {self}: there is no such file; make it: workunits ledger migrate")
        engine = create_engine(self.url, connect_args={"timeout": PATIENCE}, **_JSON)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    @property
    def is_there(self) -> bool:
        """Whether there is a file; SQLite would make one for whoever only asks, and it would stop the next worker."""
        return not self.sqlite or os.path.exists(self.url.database or "")  # noqa: PTH110 - False also for what may not be seen

    def _make_file(self) -> None:
        """Make the file so that only its owner can read it."""
        path = Path(self.url.database or "")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise LedgerUnavailableError(f"the ledger {self}: {error.strerror}; check its folder") from None

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise LedgerUnavailableError(f"the ledger {self}: {explain(error)}") from error


def _as_json(value: Any) -> str:
    return to_json(value, inf_nan_mode="constants").decode()


_JSON: Mapping[str, Any] = {"json_serializer": _as_json, "json_deserializer": from_json}
"""Several times as fast as the standard library's, and a case has half a dozen columns of it."""


def explain(error: DBAPIError) -> str:
    """What a database's words mean, in one line; its first line where they are not known."""
    said = str(error.orig)
    for words, means in _CAUSES:
        if words in said:
            return means
    return said.strip().splitlines()[0][:200] if said.strip() else type(error.orig).__name__


def _parse(url: str) -> URL:
    example = "write sqlite:///FILE, or postgresql://USER:PASSWORD@HOST/DATABASE"
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, NoSuchModuleError):
        raise LedgerError(f"the ledger's address is no database URL: {example}") from None
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise LedgerError(f"the ledger can be SQLite in a file, or PostgreSQL: {example}")
    return parsed


def _prepare_postgresql(connection: Any, _: object) -> None:
    # By default it waits for a lock without end, and whoever follows would neither say so nor stop when asked.
    connection.execute(f"SET lock_timeout = '{PATIENCE}s'")
    connection.commit()


def _prepare_sqlite(connection: Any, _: object) -> None:
    # Without its own transactions: it would begin them late, and read before it holds the lock.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={PATIENCE * 1000}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get("writing")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
