"""F10: kill -9 the follower between pages and anywhere else. Each case is in the ledger once, none is missing."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest_asyncio
from sqlalchemy import func, select

from observability.ledger.keeping import followers
from observability.ledger.tables import actions, cases, steps, tasks
from tests.observability.scraping import differing, recounted, scraped, series
from tests.observability.trials import CATALOG, closes, serving
from tests.patience import until
from tests.workers.conftest import clean_environment

ROOT = Path(__file__).parents[2]
PAGES, BEFORE, DURING, LIVES = 3, 60, 15, 2
SMALL_PAGES = "import observability.ledger.follower as f; f.PAGE = 5; from workers.cli import main; main()"
STANDS_STILL = f"""
import asyncio, observability.ledger.follower as f
pages_of = f.Follower._pages
async def some(self, query):
    async for page in pages_of(self, query):
        yield page
        some.left -= 1
        if not some.left:
            await asyncio.Event().wait()
some.left, f.Follower._pages = {PAGES}, some
"""
"""After some pages it waits to be killed: however slow its killer is, the pass does not end before."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def trials(lab):
    """Cases of one unit."""
    async with serving(lab) as there:
        yield there


@contextmanager
def follower(trials, ledger, folder, prelude=""):
    """`workunits follow` as a process that lists little at a time; killed at the end at the latest."""
    env = clean_environment(
        PYTHONPATH=str(ROOT),
        TEMPORAL_ADDRESS=trials.client.service_client.config.target_host,
        WORKUNITS_LEDGER=ledger.url.render_as_string(hide_password=False),
        WORKUNITS_MODULES="tests.observability.trials",
    )
    with (folder / "follower.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", prelude + SMALL_PAGES, "follow"], env=env, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


OFTEN = 0.001
"""Seconds between looks: a pass takes milliseconds."""


def count(ledger, table, among=None):
    """How many rows there are; of some cases alone, where they are named."""
    counting = select(func.count()).select_from(table)
    if among is not None:
        counting = counting.where(table.c.case_id.in_(among))
    with ledger.read() as connection:
        return connection.execute(counting).scalar_one()


async def test_f10_killed_again_and_again(trials, ledger, tmp_path):
    """Killed with some pages in and some not, the next one goes on; at the end all is there, and nothing twice."""
    rng = random.Random(10)  # noqa: S311, the same moments each time
    done = await trials.many_done(BEFORE)
    with follower(trials, ledger, tmp_path, STANDS_STILL):
        await until(lambda: count(ledger, cases) >= 5 * PAGES, pause=OFTEN)
    pages_in, marked = count(ledger, cases), count(ledger, followers)

    for _ in range(LIVES):
        enough = count(ledger, cases) + rng.randrange(1, DURING)
        work = asyncio.create_task(trials.many_done(DURING))
        with follower(trials, ledger, tmp_path):
            await until(lambda: count(ledger, cases) >= enough, pause=OFTEN)  # noqa: B023, over before the next
        done += await work
    with follower(trials, ledger, tmp_path) as process:
        await until(lambda: closes(ledger, done) == dict.fromkeys(done, "achieved"), pause=OFTEN)
        process.terminate()
        ended = await asyncio.to_thread(process.wait, 30)

    assert ended == 0, (tmp_path / "follower.log").read_text()
    assert 0 < pages_in < BEFORE
    assert marked == 0  # the watermark moves after a whole pass
    assert [count(ledger, table, done) for table in (cases, steps, tasks, actions)] == [BEFORE + LIVES * DURING] * 4
    assert await trials.differences(ledger) == []
    with ledger.read() as connection:
        closed = [dict(row) for row in connection.execute(select(cases).where(cases.c.close.is_not(None))).mappings()]
        ended = [
            dict(row, unit="trial", version="1")
            for row in connection.execute(select(steps).where(steps.c.done_at.is_not(None))).mappings()
        ]
    wanted = recounted(closed, ended)
    wanted[series("workunit_started_total", unit="trial", version="1")] = count(ledger, cases)
    assert differing(wanted, scraped(ledger, CATALOG)) == {}
