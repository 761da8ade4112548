"""F9: the ledger's database is down, locked or full. Cases go on; the follower says so, backs off and catches up."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
import sqlite3
import subprocess
import uuid
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
from pydantic import SecretStr
from sqlalchemy import select

from observability.ledger import store, tables
from observability.ledger.follower import Follower
from observability.ledger.status import read_status, render
from observability.ledger.store import Ledger
from tests.observability.trials import CATALOG, closes, serving
from tests.patience import PATIENCE, until
from workers.checks import ledger as ledger_checks
from workers.checks.finding import Finding
from workers.settings import Settings

SHORT = 1
"""Seconds after which a lock counts as held for long."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def trials(lab):
    """Cases of one unit."""
    async with serving(lab) as there:
        yield there


@asynccontextmanager
async def following(trials, ledger):
    """A follower that goes on, whatever happens, until the end."""
    stop = asyncio.Event()
    task = asyncio.create_task(Follower(trials.client, ledger, CATALOG, every=0.05).run(stop))
    try:
        yield task
    finally:
        stop.set()
        await task


async def rides_out(trials, ledger, caplog, outage, why):
    """Go through an outage with a follower beside: cases go on, and afterwards nothing is missing."""
    caplog.set_level(logging.INFO, "workunits.follower")
    async with following(trials, ledger):
        cases = [await trials.done()]
        await until(lambda: closes(ledger, cases) == dict.fromkeys(cases, "achieved"))
        async with outage, asyncio.timeout(PATIENCE):
            while len(pauses(caplog)) < 2 or why not in caplog.text:
                cases.append(await trials.done())
                await asyncio.sleep(0.05)
        await until(lambda: closes(ledger, cases) == dict.fromkeys(cases, "achieved"))
        await until(lambda: "following again" in caplog.text)
    status = read_status(ledger)

    assert len(cases) > 1
    assert pauses(caplog)[:2] == [1, 2]
    assert status.followers[0].error is None
    assert f"it could not: the ledger {ledger}: " in render(status)
    assert longest_wait(ledger, cases) > 1  # what closed in the outage was written after it
    assert await trials.differences(ledger) == []


def longest_wait(ledger, among):
    """Seconds between a case's close and its row."""
    with ledger.read() as connection:
        rows = connection.execute(select(tables.cases).where(tables.cases.c.case_id.in_(among)))
        return max((row.written_at - row.closed_at).total_seconds() for row in rows)


def pauses(caplog):
    """The pauses of which the follower has told."""
    told = (re.search(r"cannot follow: .+; the next try is in (\S+) s, cases go on", m) for m in caplog.messages)
    return [float(found[1]) for found in told if found]


async def test_f09_down(trials, postgres, caplog):
    """The server goes without a word and comes back; meanwhile `doctor` says what is wrong and what happens."""
    ledger = Ledger(postgres.create(f"t{uuid.uuid4().hex[:12]}"))
    ledger.migrate()
    settings = Settings(ledger=SecretStr(ledger.url.render_as_string(hide_password=False)))
    found: list[Finding] = []

    @asynccontextmanager
    async def outage():
        postgres.stop(hard=True)
        try:
            yield
            found.extend(await ledger_checks.ledger(trials.client, settings))
        finally:
            postgres.start()

    await rides_out(trials, ledger, caplog, outage(), "nothing listens there")
    healed = await ledger_checks.ledger(trials.client, settings)
    ledger.close()

    assert [(one.status, "nothing listens there" in one.message, one.remedy) for one in found] == [
        ("fail", True, "cases go on; the follower catches up when it answers")
    ]
    assert {one.status for one in healed} == {"ok"}


async def test_f09_locked(trials, ledger, caplog, monkeypatch):
    """Another program holds the writers' lock: nobody waits for it without end, and nobody needs to end us."""
    monkeypatch.setattr(store, "PATIENCE", SHORT)
    hasty = Ledger(ledger.url.render_as_string(hide_password=False))

    @asynccontextmanager
    async def outage():
        holder = hold(ledger)
        yield
        holder.close()

    await rides_out(trials, hasty, caplog, outage(), "another program holds it for long")
    hasty.close()


def hold(ledger):
    """Take the writers' lock, on a connection of our own."""
    if ledger.sqlite:
        writer = sqlite3.connect(ledger.url.database, isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")
        return writer
    holder = psycopg.connect(ledger.url.set(drivername="postgresql").render_as_string(hide_password=False))
    holder.execute("SELECT pg_advisory_lock(%s)", (store._LOCK,))
    return holder


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_f09_disk_full(trials, request, caplog, kind):
    """Nothing more fits on the disk; when there is space again, what is missing is written."""
    with {"sqlite": on_a_small_disk, "postgresql": in_a_small_tablespace}[kind](request) as (ledger, disk):

        @asynccontextmanager
        async def outage():
            filler = fill(disk)
            yield
            filler.unlink()

        await rides_out(trials, ledger, caplog, outage(), "the disk is full; free some space")


@contextmanager
def on_a_small_disk(request):
    """A ledger in a file, on a disk of its own."""
    with small_disk(request.getfixturevalue("tmp_path") / "disk", "3m") as disk:
        ledger = Ledger(f"sqlite:///{disk / 'ledger.sqlite'}")
        ledger.migrate()
        try:
            yield ledger, disk
        finally:
            ledger.close()


@contextmanager
def in_a_small_tablespace(request):
    """A ledger of the server that the other tests use, with a disk of its own."""
    postgres = request.getfixturevalue("postgres")
    name = f"t{uuid.uuid4().hex[:12]}"
    # Under the server's own folder: its user may not enter the tests'.
    with small_disk(postgres.folder / name, "24m") as disk:
        if os.getuid() == 0:
            shutil.chown(disk, "postgres", "postgres")
        with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE TABLESPACE {name} LOCATION '{disk}'")
            connection.execute(f"CREATE DATABASE {name} TABLESPACE {name}")
            ledger = Ledger(postgres.url(name))
            ledger.migrate()
            try:
                yield ledger, disk
            finally:
                ledger.close()
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
                connection.execute(f"DROP TABLESPACE {name}")


@contextmanager
def small_disk(folder, size):
    """A disk of its own, in memory."""
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=False)
    if made.returncode:
        pytest.skip("a tmpfs cannot be mounted here: run as root")
    try:
        yield folder
    finally:
        # Lazily: the server may still have a file open.
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk):
    """Leave no byte free."""
    filler = Path(disk) / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue
    return filler
