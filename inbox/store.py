"""The inbox's own store: a SQLite file, or PostgreSQL; never the ledger's database: it works while that is down.

Here is what exists nowhere else: actions on their way, drafts, comments, saved views, and who looked at what.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    URL,
    BigInteger,
    Connection,
    Engine,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    insert,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from observability.ledger.columns import column, maybe
from observability.ledger.moment import Moment
from observability.ledger.store import explain
from workunits.core.errors import WorkUnitsError

SCHEMA = 1
"""The version of the tables below."""
PATIENCE = 10
"""Seconds to wait for another writer, and for a database that does not answer."""
_LOCK = 7_741_002
"""The number of PostgreSQL's advisory lock under which the tables are made."""

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"},
)

schema = Table("inbox_schema", metadata, column("version", Integer, "Of these tables.", primary_key=True))

actions = Table(
    "inbox_actions",
    metadata,
    column("action_id", String(100), "The sender's id.", primary_key=True),
    column("seq", BigInteger, "In which order they came."),
    column("task_id", String(480), "The task."),
    column("case_id", String(400), "Its case."),
    column("actor", String(200), "Who acts."),
    column("action", String(40), "Such as `complete`."),
    column("hash", String(64), "Of what the sender asked for."),
    column("envelope", JSON, "The whole action, as it travels."),
    column("state", String(10), "`held`, `sending`, `answered`, `refused` or `undone`."),
    column("sent_at", Moment, "When its sender decided."),
    maybe("held_until", Moment, "Until when it can be undone."),
    maybe("answer", JSON, "The unit's answer, or its refusal."),
    maybe("settled_at", Moment, "When that came."),
    column("attempts", Integer, "How often it was sent.", default=0),
    Index(None, "state", "seq"),
    Index(None, "actor", "sent_at"),
    Index(None, "task_id", "seq"),
)

drafts = Table(
    "inbox_drafts",
    metadata,
    column("actor", String(200), "Whose.", primary_key=True),
    column("task_id", String(480), "Of which task.", primary_key=True),
    column("body", JSON, "What was typed so far."),
    column("saved_at", Moment, "When."),
)

comments = Table(
    "inbox_comments",
    metadata,
    column("comment_id", String(32), "Its id.", primary_key=True),
    column("case_id", String(400), "The case."),
    maybe("task_id", String(480), "The task, where it is about one."),
    column("at", Moment, "When."),
    column("actor", String(200), "Who."),
    column("text", Text, "What."),
    Index(None, "case_id", "at"),
)

views = Table(
    "inbox_views",
    metadata,
    column("actor", String(200), "Whose.", primary_key=True),
    column("name", String(80), "Its name.", primary_key=True),
    column("query", Text, "The filters, as in the page's address."),
)

reads = Table(
    "inbox_reads",
    metadata,
    column("read_id", String(32), "Its id.", primary_key=True),
    column("at", Moment, "When."),
    column("actor", String(200), "Who looked."),
    column("origin", String(60), "Through which door."),
    column("address", String(60), "From where; empty when the door does not know."),
    column("case_id", String(400), "The case."),
    column("task_id", String(480), "The task."),
    column("revision", Integer, "Of the task, as it was shown."),
    column("seen", String(64), "A hash of what was shown."),
    Index(None, "task_id", "actor", "at"),
    Index(None, "at"),
)


class JournalError(WorkUnitsError):
    """The inbox's store cannot be used."""


class JournalUnavailableError(JournalError):
    """The inbox's store does not serve us now: nothing was accepted."""


class Store:
    """One store."""

    def __init__(self, url: str, *, synchronous: str = "FULL") -> None:
        """Prepare; nothing connects yet.

        Args:
            url: `sqlite:///file`, or `postgresql://user:password@host/database`.
            synchronous: SQLite's own word; anything less than FULL may lose what was accepted when the power fails.

        Raises:
            JournalError: it is no URL of these.
        """
        self.url = _parse(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self._synchronous = synchronous
        self._engine: Engine | None = None

    def __str__(self) -> str:
        """The URL, without its password."""
        return self.url.render_as_string(hide_password=True)

    def open(self) -> None:
        """Make the tables where they are missing.

        Raises:
            JournalError: they are those of a newer program.
            JournalUnavailableError: says why.
        """
        with self.write() as connection:
            if not self.sqlite:  # two may start at once
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            found = connection.scalar(select(schema.c.version)) if inspect(connection).has_table(schema.name) else None
            if found is not None and found > SCHEMA:
                raise JournalError(
                    f"the inbox's store {self} is at version {found}, newer than this program: upgrade the program"
                )
            if found is None:
                metadata.create_all(connection)
                connection.execute(insert(schema).values(version=SCHEMA))

    def close(self) -> None:
        """Let go of all connections."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def scrub(self) -> None:
        """Let nothing that was deleted be left in SQLite's log; PostgreSQL sees to it by itself, in time.

        Raises:
            JournalUnavailableError: says why.
        """
        if self.sqlite:
            with self._explained(), self._connected() as connection:
                cursor = connection.connection.cursor()  # a checkpoint needs to be outside of any transaction
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                cursor.close()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that reads.

        Raises:
            JournalUnavailableError: says why.
        """
        with self._explained(), self._connected() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction.

        Raises:
            JournalUnavailableError: says why; nothing was written.
        """
        with self._explained(), self._connected() as plain:
            connection = plain.execution_options(writing=True)
            with connection.begin():
                yield connection

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        if self._engine is None:
            self._engine = self._start()
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            why = explain(error).replace("WORKUNITS_LEDGER", "WORKUNITS_JOURNAL")
            raise JournalUnavailableError(f"the inbox's store {self}: {why}") from error

    def _start(self) -> Engine:
        if not self.sqlite:
            return create_engine(self.url, pool_pre_ping=True, connect_args={"connect_timeout": PATIENCE})
        path = Path(self.url.database or "")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise JournalUnavailableError(f"the inbox's store {self}: {error.strerror}; check its folder") from None
        engine = create_engine(self.url, connect_args={"timeout": PATIENCE})
        event.listen(engine, "connect", self._prepare)
        event.listen(engine, "begin", _begin)
        return engine

    def _prepare(self, connection: Any, _: object) -> None:
        connection.isolation_level = None
        own = f"synchronous={self._synchronous}", f"busy_timeout={PATIENCE * 1000}"
        for pragma in ("journal_mode=WAL", "secure_delete=ON", *own):
            connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    writing = connection.get_execution_options().get("writing")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _parse(url: str) -> URL:
    example = "write sqlite:///FILE, or postgresql://USER:PASSWORD@HOST/DATABASE"
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, NoSuchModuleError):
        raise JournalError(f"the address of the inbox's store is no database URL: {example}") from None
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise JournalError(f"the inbox's store can be SQLite in a file, or PostgreSQL: {example}")
    return parsed
