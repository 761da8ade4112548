"""A PostgreSQL server of the tests' own, on a free loopback port, with its data in a temporary folder."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import psycopg

from tests.patience import PATIENCE
from workers.engine.ports import LOOPBACK, free_ports

BIN = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
"""Where Debian puts the newest server's programs."""


@dataclass
class Postgres:
    """One server; it can be stopped hard and started again."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def make(cls) -> Postgres:
        """Initialise an empty server's folder."""
        folder = Path(mkdtemp(prefix="workunits-postgres-"))
        if os.getuid() == 0:  # the server refuses to run as root
            shutil.chown(folder, "postgres", "postgres")
        _run(["initdb", "-D", str(folder / "data"), "-U", "workunits", "-A", "trust", "-E", "UTF8", "--no-sync"])
        return cls(folder, free_ports(1)[0])

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = ["-D", str(self.folder / "data"), "-p", str(self.port), "-k", str(self.folder), "-h", LOOPBACK]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*_as_postgres(), str(_program("postgres")), *options], stdout=log, stderr=log
            )
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.05)
            else:
                return

    def stop(self, *, hard: bool = False) -> None:
        """Stop it; hard is as in `pg_ctl stop -m immediate`: without a word to anyone."""
        if self.process is not None:
            # runuser passes signals on; the server's own process is what must go.
            pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
            os.kill(pid, signal.SIGQUIT if hard else signal.SIGINT)
            self.process.wait(PATIENCE)
            self.process = None

    def remove(self) -> None:
        """Stop it and remove its folder."""
        self.stop(hard=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str) -> str:
        """The address of a database."""
        return f"postgresql://workunits@{LOOPBACK}:{self.port}/{database}"

    def create(self, database: str) -> str:
        """Make a database; gives its address."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}"')
        return self.url(database)


def _program(name: str) -> Path:
    if BIN is None:
        raise FileNotFoundError("PostgreSQL's server is not installed: apt-get install postgresql")
    return BIN / name


def _as_postgres() -> list[str]:
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        return []
    return ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []


def _run(command: Sequence[str]) -> None:
    subprocess.run([*_as_postgres(), str(_program(command[0])), *command[1:]], check=True, capture_output=True)
