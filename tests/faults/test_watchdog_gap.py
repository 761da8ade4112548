"""The watchdog and the clock: a rung that was due and has not fired is a gap, which closes by itself."""

import asyncio
import json
import signal
import urllib.request
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from observability.ledger.keeping import followers
from tests.faults.durable import durable
from tests.faults.fleet import kill
from tests.faults.package import PACKAGE
from tests.faults.test_f07_sla_due_without_workers import DUE, WARN
from tests.faults.test_f17_wrong_clock import wrong
from tests.faults.units import Errand, Urgent
from tests.faults.watch import GRACE, Watch
from tests.patience import PATIENCE
from workers.watching.finding import Finding
from workers.watching.gauges import Gauges
from workers.watching.rungs import Gap, gaps
from workers.watching.suspects import LedgerSide
from workunits.registry import Catalog

CATALOG = Catalog([PACKAGE])
UNTAKEN = "nobody takes its next workflow task"


async def test_f07_a_due_time_that_passes_without_workers_is_a_gap_until_one_is_back(fleet, watch):
    """Warning and deadline are missing since they were due, for want of a worker; back, it fires each once."""
    worker = fleet.worker()
    case = await fleet.start(Urgent)
    task = await fleet.task(case)
    kill(worker)
    due = (await fleet.cases.show(case)).due

    def explained(look):
        return [one for one in look.change.now if (one.case, one.about) == (case, "deadline") and UNTAKEN in one.cause]

    look = await watch.until_look(lambda look: look if explained(look) else None)
    fleet.worker()
    await watch.until_well(case)
    after = await watch.look()
    await fleet.answer(task)
    record = await fleet.closed(case)

    missing = {one.about: one for one in look.change.now if one.case == case and one.rung}
    gap = {one.rung: one for one in look.gap if one.unit == "urgent"}
    # On a busy machine the worker may have lived until the warning.
    since = {about: one.since for about, one in missing.items()}
    assert {"warn": record.when(WARN)} | since == {"warn": record.when(WARN), "deadline": due}
    assert f"{UNTAKEN}, on queue {fleet.queue}" in missing["deadline"].cause
    assert missing["deadline"].remedy.startswith("start one for that queue")
    assert gap["deadline"].cases >= 1
    assert gap["deadline"].largest_seconds > GRACE
    assert (look.at - due).total_seconds() <= gap["deadline"].largest_seconds
    assert [one for one in after.change.now if one.case == case] == []
    assert [(rung.rung, rung.due) for rung in record.rungs] == [("warn", WARN), ("deadline", DUE)]


async def test_f07_a_case_that_no_worker_has_ever_seen(fleet, watch):
    """It has written no record: its due time follows from its start and its unit."""
    case = await fleet.start(Urgent)

    await watch.until("rung_missing", case, about="deadline")
    missing = {one.about: one.since for one in await watch.of(case)}
    started = (await fleet.client.get_workflow_handle(case).describe()).start_time
    fleet.worker()
    await watch.until_well(case)

    assert missing == {"warn": started + timedelta(seconds=3), "deadline": started + timedelta(seconds=4)}


async def test_f07_what_fired_long_ago_is_no_gap(fleet, watch):
    """A case that is late, and says so on its record, is late and nothing else."""
    fleet.worker()
    case = await fleet.start(Urgent)
    await fleet.until_case(case, lambda view: view.record and view.record.breached)

    found = await watch.of(case)

    assert found == []


async def test_f17_a_watchdog_with_a_wrong_clock_judges_by_the_engines(tmp_path):
    """400 days ahead, it finds nothing late; one that is late it finds as late as it is."""
    async with durable(tmp_path) as fleet:
        worker = fleet.worker()
        fleet.follower()
        await fleet.task(await fleet.start(Errand))
        await fleet.caught_up()
        well = once(fleet, 0, **wrong(400))
        late = await fleet.start(Urgent)
        await fleet.task(late)
        kill(worker)
        due = (await fleet.cases.show(late)).due
        assert due
        await fleet.until(lambda: datetime.now(UTC) > due + timedelta(seconds=GRACE))
        said = once(fleet, 1, **wrong(400))

    [gap] = [one for one in said["gap"] if one["kind"] == "deadline"]
    found = [(one["case"], one["about"]) for one in said["findings"] if one["kind"] == "rung_missing"]
    assert (well["gap"], well["findings"]) == ([], [])
    assert (gap["unit"], gap["cases"]) == ("urgent", 1)
    assert GRACE < gap["largest_seconds"] < 60
    # On a busy machine the worker may have lived until the warning.
    assert found in ([(late, "warn"), (late, "deadline")], [(late, "deadline")])
    assert abs((datetime.fromisoformat(said["at"]) - datetime.now(UTC)).total_seconds()) < 60


async def passed(ledger):
    """Wait until the follower has ended a whole pass."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with ledger.read() as connection:
                if connection.execute(select(followers.c.passed_at)).scalar():
                    return
            await asyncio.sleep(0.05)


async def test_f07_the_ledger_suspects_what_the_engine_then_says(tmp_path, monkeypatch):
    """A missing warning is in no search attribute: the ledger knows of it, at once, and of the due time too."""
    async with durable(tmp_path) as fleet:
        worker = fleet.worker()
        follower = fleet.follower()
        case = await fleet.start(Urgent)
        await fleet.task(case)
        kill(worker)
        await fleet.caught_up()
        await passed(fleet.ledger)
        side = LedgerSide(fleet.ledger.url.render_as_string(hide_password=False), CATALOG)
        record = (await fleet.cases.show(case)).record
        assert record

        def suspects(moment):
            look = side.look(moment, timedelta(0), namespace="default", directory=None)
            return look.cases, [one.kind for one in look.findings]

        before = suspects(record.when(WARN) - timedelta(milliseconds=1))
        warned = suspects(record.when(WARN) + timedelta(milliseconds=1))
        due = suspects(record.when(DUE) + timedelta(milliseconds=1))
        follower.stop(signal.SIGTERM)
        behind = suspects(datetime.now(UTC) + timedelta(seconds=61))
        side.close()
        monkeypatch.setenv("TEMPORAL_ADDRESS", fleet.engine.address.host)
        watch = Watch(fleet, ledger=fleet.ledger.url.render_as_string())
        await watch.until("rung_missing", case, about="warn")
        watch.watchdog.close()

    assert before == ((), [])
    assert warned == due == ((case,), [])
    assert behind == ((case,), ["ledger_behind"])


async def test_f07_the_gap_is_exported(tmp_path, monkeypatch):
    """Every series is there at zero from the start, has the unit and the kind alone, and follows the gap."""
    async with durable(tmp_path) as fleet:
        monkeypatch.setenv("TEMPORAL_ADDRESS", fleet.engine.address.host)
        monkeypatch.chdir(tmp_path)
        case = await fleet.start(Urgent)
        watch, gauges, stop = Watch(fleet, watchdog_every_seconds=0.2), Gauges(CATALOG), asyncio.Event()
        with gauges.served(0) as port:
            first = await scraped(port)
            running = asyncio.create_task(watch.watchdog.run(stop, gauges))
            for there in ('gap_cases{kind="deadline"', 'findings{kind="no_worker"'):
                await fleet.until(lambda there=there: has(port, f'workunit_watchdog_{there},unit="urgent"}} 1.0'))
            during = await scraped(port)
            fleet.worker()
            # Another thread answers the scrape: it may come in the middle of a look's figures.
            zero = ('gap_cases{kind="deadline"', 'gap_cases{kind="warn"', 'findings{kind="no_worker"')
            for gone in (*zero, 'findings{kind="rung_missing"'):
                await fleet.until(lambda gone=gone: has(port, f'workunit_watchdog_{gone},unit="urgent"}} 0.0'))
            after = await scraped(port)
            stop.set()
            await running
        watch.watchdog.close()

    names = {line.partition(" ")[0] for line in first.splitlines() if not line.startswith("#")}
    assert len(names) == 3 * 6 * 2 + 3 * 8 + 4 + 2
    assert {line.partition(" ")[0] for line in during.splitlines() if not line.startswith("#")} == names
    assert all(line.endswith(" 0.0") for line in first.splitlines() if not line.startswith("#"))
    assert 'workunit_watchdog_findings{kind="no_worker",unit="urgent"} 1.0' in during
    assert 'workunit_watchdog_findings{kind="rung_missing",unit="urgent"} 0.0' in after
    assert case not in during


def test_the_gap_is_summed_up_by_unit_and_rung():
    """The number of cases and not of rungs, and the longest of the delays."""
    now = datetime(2026, 3, 2, 12, tzinfo=UTC)

    def owed(case, rung, minutes, about=""):
        since = now - timedelta(minutes=minutes)
        return Finding("rung_missing", "", "", since, case=case, unit="u", about=about or rung, rung=rung)

    found = [owed("a", "expiry", 1, "expiry x"), owed("a", "expiry", 3, "expiry y"), owed("b", "warn", 9)]

    assert gaps(found, now) == [Gap("u", "expiry", 1, 180.0), Gap("u", "warn", 1, 540.0)]


def once(fleet, code, **env):
    """What a single look of the command says."""
    ended = fleet.shell.run(
        "watchdog", "--once", "--json", **fleet._env | {"WORKUNITS_WATCHDOG_GRACE_SECONDS": "1"} | env
    )
    assert ended.returncode == code, ended.stderr + ended.stdout
    return json.loads(ended.stdout)


async def scraped(port):
    """What a scrape gets."""
    return await asyncio.to_thread(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode())


async def has(port, line):
    """Whether a scrape has a line."""
    return line in await scraped(port)
