"""The metrics: exact whoever writes rows and however often, complete by their contract, safe from hostile labels."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from sqlalchemy import select, update

from observability.ledger import totals
from observability.ledger.follower import Follower
from observability.ledger.intake import Intake
from observability.ledger.late_counting import count_missing
from observability.ledger.pruning import prune
from observability.ledger.store import Ledger
from observability.ledger.tables import cases, steps
from observability.ledger.vanishing import mark_vanished
from observability.metrics.contract import BY_NAME, GAUGES, SERIES, TOTALS, WATCHDOG
from observability.metrics.page import MARK, reference_page
from observability.metrics.promises import OBJECTIVE, objective
from tests.lab.units import Plain
from tests.observability.scraping import differing, recounted, scraped, series, text_of
from tests.observability.trials import CATALOG, serving
from tests.workers.conftest import Shell
from workunits.core.record import CHANGED_AT

UNIT = {"unit": "trial", "version": "1"}
ROOT = Path(__file__).parents[2]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def trials(lab):
    """Cases of one unit."""
    async with serving(lab) as there:
        yield there


@pytest_asyncio.fixture
async def counted(trials, ledger):
    """A ledger with three closed cases and an open one, as a follower counted them."""
    done = await trials.many_done(3)
    open_ = await trials.open()
    await take(trials, ledger, [*done, open_], closed=done)
    return done, open_


async def take(trials, ledger, ids, *, closed=(), again=False):
    """Have the ledger take these cases, once the engine lists them all, and these as closed."""
    query = f"WorkflowId IN ({', '.join(repr(case) for case in ids)}) AND ExecutionStatus != 'ContinuedAsNew'"

    async def listed():
        there = [execution async for execution in trials.client.list_workflows(query)]
        return [execution for execution in there if execution.typed_search_attributes.get(CHANGED_AT)]

    found = await listed()
    while len(found) < len(ids) or not {one.id for one in found if one.close_time} >= set(closed):
        found = await listed()
    return await Intake(trials.client, ledger, CATALOG).take(found, again=again)


def by_rows(ledger):
    """What the totals should be, by the rows that stand."""
    with ledger.read() as connection:
        closed = [dict(row) for row in connection.execute(select(cases).where(cases.c.close.is_not(None))).mappings()]
        of = {row["case_id"]: row for row in connection.execute(select(cases)).mappings()}
        done = [dict(row) for row in connection.execute(select(steps).where(steps.c.done_at.is_not(None))).mappings()]
    done = [{**step, "unit": of[step["case_id"]]["unit"], "version": of[step["case_id"]]["version"]} for step in done]
    wanted = recounted(closed, done)
    started = len([row for row in of.values() if row["version"] != "unknown"])
    wanted[series("workunit_started_total", **UNIT)] = started
    return wanted


async def test_each_fact_is_counted_once(trials, ledger, counted):
    """Written again, by a repair, by a second follower or after a restart, the totals are what the rows say."""
    done, open_ = counted
    first = scraped(ledger, CATALOG)
    await take(trials, ledger, done, again=True)
    await take(trials, ledger, [*done, open_], again=True)
    second = scraped(ledger, CATALOG)

    assert differing(by_rows(ledger), first) == {}
    assert first[series("workunit_closed_total", **UNIT, close="achieved")] == 3
    assert first[series("workunit_open_cases", **UNIT, state="waiting")] == 1
    assert {key: value for key, value in first.items() if key[0].endswith(("_total", "_count", "_sum", "_bucket"))} == {
        key: value for key, value in second.items() if key[0].endswith(("_total", "_count", "_sum", "_bucket"))
    }


async def test_what_was_open_is_counted_when_it_ends(trials, ledger, counted):
    """Its start and its finished steps were already; pruned, it stays in the totals."""
    _, open_ = counted
    await trials.answer(await trials.task(open_, "decide"), {"decision": "refuse", "reason": "no"})
    await trials.closed(open_)
    await take(trials, ledger, [open_], closed=[open_])
    said = scraped(ledger, CATALOG)
    wanted = by_rows(ledger)
    prune(ledger, ["trial"], datetime.now(UTC), actor="ops", dry_run=False)

    assert differing(wanted, said) == {}
    assert said[series("workunit_started_total", **UNIT)] == 4
    assert differing(wanted, scraped(ledger, CATALOG)) == {}


async def test_a_case_that_vanished_closes_once(trials, ledger, counted):
    """Deleted from the engine it failed, outside; when it is there after all, that is a correction."""
    _, open_ = counted
    with ledger.write() as connection:
        mark_vanished(connection, [open_], datetime.now(UTC))
        mark_vanished(connection, [open_], datetime.now(UTC))
    gone = scraped(ledger, CATALOG)
    await take(trials, ledger, [open_])
    back = scraped(ledger, CATALOG)

    assert gone[series("workunit_closed_total", **UNIT, close="failed")] == 1
    assert gone[series("workunit_closed_outside_total", **UNIT)] == 1
    assert back[series("workunit_closed_total", **UNIT, close="failed")] == 1
    assert back[series("workunit_corrections_total", **UNIT, kind="vanished")] == 1


async def test_a_ledger_of_before_is_counted_when_it_is_followed(trials, ledger, counted):
    """All that it has, once; a follower that begins does it."""
    before = scraped(ledger, CATALOG)
    with ledger.write() as connection:
        connection.execute(update(cases).values(counted=None))
        connection.execute(totals.totals.delete())
    emptied = scraped(ledger, CATALOG)
    await trials.followed(Follower(trials.client, ledger, CATALOG), lambda: count_missing(ledger) == 0)
    after = scraped(ledger, CATALOG)

    closed = series("workunit_closed_total", **UNIT, close="achieved")
    assert (before[closed], emptied[closed]) == (3, 0)
    assert after[closed] >= 3  # the follower also found what other tests left in the engine
    assert differing(by_rows(ledger), after) == {}


async def test_a_breach_counts_at_once_and_one_that_is_withdrawn_is_a_correction(ledger, counted):
    """Seen while its case is open; an answer in time that arrives late does not take the count back."""
    from observability.ledger import counting

    done, _ = counted
    at = datetime.now(UTC)
    clock = {"target": "unit", "promise": "unit", "breached_at": at, "result": None}
    with ledger.read() as connection:
        case = dict(connection.execute(select(cases).where(cases.c.case_id == done[0])).mappings().one())
    case |= {"close": None}
    tally = totals.Tally()
    marks = counting.count(counting.Facts(case, [], [], [clock]), (), tally)
    marks = counting.count(counting.Facts(case, [], [], [clock]), marks, tally)
    counting.count(counting.Facts(case, [], [], [clock | {"breached_at": None, "result": "met"}]), marks, tally)

    assert {(name, labels[2:]): amount for (name, labels, _), amount in tally.amounts.items() if len(labels) > 2} == {
        ("workunit_sla_total", ("unit", "breached")): 1,
        ("workunit_corrections_total", ("breach_withdrawn",)): 1,
    }


@pytest.mark.parametrize("first", ["met", "void"])
async def test_a_breach_of_a_clock_that_counted_before_a_reset_is_a_correction(ledger, counted, first: str):
    """A clock counts once: what was met or void, and is broken after all, has a counter of its own, once too."""
    from observability.ledger import counting

    done, _ = counted
    clock = {"target": "unit", "promise": "unit", "breached_at": None, "result": first}
    broken = clock | {"breached_at": datetime.now(UTC), "result": None}
    with ledger.read() as connection:
        case = dict(connection.execute(select(cases).where(cases.c.case_id == done[0])).mappings().one())
    open_ = case | {"close": None}
    tally = totals.Tally()
    marks: list[str] = []
    for row, how in ((case, clock), (open_, broken), (open_, broken), (open_, broken | {"result": "breached"})):
        marks = counting.count(counting.Facts(row, [], [], [how]), marks, tally)

    asked = ("workunit_sla_total", "workunit_corrections_total")
    assert {(name, labels[2:]): n for (name, labels, _), n in tally.amounts.items() if name in asked} == {
        ("workunit_sla_total", ("unit", first)): 1,
        ("workunit_corrections_total", ("breach_late",)): 1,
    }


async def test_the_contract_is_what_is_exported(ledger, counted):
    """In both directions: each family of the contract with its type and labels, and no other."""
    families = {family.name: family for family in text_string_to_metric_families(text_of(ledger, CATALOG))}
    ours = (*TOTALS, *GAUGES)

    assert {metric.name.removesuffix("_total") for metric in ours} - families.keys() <= {
        "workunit_follower_lag_seconds",
        "workunit_follower_last_pass_timestamp_seconds",
        "workunit_baseline",
    }
    for name, family in families.items():
        metric = BY_NAME.get(name) or BY_NAME[f"{name}_total"]
        assert family.type == metric.type
        for sample in family.samples:
            assert sample.name in SERIES
            assert set(sample.labels) - {"le"} == set(metric.labels)


def test_known_series_are_there_at_zero(ledger):
    """From an empty ledger, for each unit of the catalog: `increase()` must see the first event."""
    said = scraped(ledger, CATALOG)

    for close in ("achieved", "achieved_late", "not_achieved", "expired", "cancelled", "failed"):
        assert said[series("workunit_closed_total", **UNIT, close=close)] == 0
    assert said[series("workunit_sla_total", **UNIT, target="unit", result="breached")] == 0
    assert said[series("workunit_cycle_time_seconds_bucket", **UNIT, close="achieved", le="60.0")] == 0
    assert said[series("workunit_ledger_up")] == 1


async def test_input_46_labels_that_nobody_declared(ledger, counted, caplog):
    """Whatever stands in a record or a row: the scrape holds, it counts as `other`, and is said once."""
    tally = totals.Tally()
    for strange in ('"} 1\nevil 1', "\ud800", "x" * 500, "", "é"):
        tally.count("closed", "trial", strange, "achieved")
    tally.count("closed", "someone", "1", "achieved")
    tally.count("sla", "trial", "1", "unit", "glorious")
    with ledger.write() as connection:
        totals.add(connection, tally)
        connection.execute(
            totals.totals.insert(),
            [
                {"metric": "workunit_closed_total", "labels": '["one"]', "part": "count", "amount": 1},
                {"metric": "no_such_metric", "labels": "[]", "part": "count", "amount": 1},
            ],
        )
    before = len(caplog.messages)
    said = scraped(ledger, CATALOG)

    assert said[series("workunit_closed_total", unit="trial", version="other", close="achieved")] == 5
    assert said[series("workunit_closed_total", unit="other", version="other", close="achieved")] == 1
    assert said[series("workunit_sla_total", **UNIT, target="unit", result="other")] == 1
    assert len([m for m in caplog.messages[before:] if "no definition knows" in m]) == 3


async def test_the_number_of_series_is_bounded(ledger):
    """A thousand names that somebody makes up add as many series as one."""
    tally = totals.Tally()
    for number in range(1000):
        tally.count("technical_failures", "trial", "1", f"step{number}", f"Error{number}")
        tally.count("close_reasons", f"unit{number}", "1", "failed", f"why{number}")
    with ledger.write() as connection:
        totals.add(connection, tally)
    said = scraped(ledger, CATALOG)

    names = [name for name, _ in said]
    assert names.count("workunit_technical_failures_total") == 1
    assert (
        len([1 for name, labels in said if name == "workunit_close_reasons_total" and ("unit", "other") in labels]) == 1
    )


async def test_exemplars_point_to_a_case(ledger, counted):
    """The case that fell into a bucket last, within the format's 128 characters."""
    done, open_ = counted
    found = [
        sample.exemplar
        for family in text_string_to_metric_families(text_of(ledger, CATALOG))
        for sample in family.samples
        if sample.exemplar
    ]

    assert {exemplar.labels["workflow_id"] for exemplar in found} <= {*done, open_}
    assert found
    assert all(len("".join(exemplar.labels) + "".join(exemplar.labels.values())) <= 128 for exemplar in found)


def test_promtool_finds_nothing_to_complain_of(ledger):
    """Names, types and help as Prometheus wants them."""
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    from prometheus_client import CollectorRegistry, generate_latest

    from observability.metrics.exporter import Exporter

    registry = CollectorRegistry()
    registry.register(Exporter(ledger, CATALOG))
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=generate_latest(registry), capture_output=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_ledger_that_does_not_answer(tmp_path):
    """The scrape says so, and nothing else."""
    said = scraped(Ledger(f"sqlite:///{tmp_path / 'nowhere.sqlite'}"), CATALOG)

    assert {name: value for (name, _), value in said.items()} == {"workunit_ledger_up": 0}


def test_the_reference_is_up_to_date():
    """What stands below the mark in docs/metrics.md is generated."""
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")

    assert page.partition(f"{MARK}\n\n")[2] == reference_page(), "workunits metrics reference"


def test_the_watchdogs_gauges_are_in_the_contract():
    """Each that it exports, by name and labels."""
    from prometheus_client import generate_latest

    from workers.watching.gauges import Gauges

    gauges = Gauges(CATALOG)
    gauges.show((), (), datetime.now(UTC), 0.1)
    exported = set(re.findall(r"^# TYPE (\S+) gauge", generate_latest(gauges._registry).decode(), re.MULTILINE))

    assert exported == {metric.name for metric in WATCHDOG}


def test_what_is_promised():
    """The declared share of clocks to be met, and a stated one where none is declared."""
    assert objective(Plain) == OBJECTIVE
    assert all(0 < objective(unit) <= 1 for unit in CATALOG)


def test_the_command(tmp_path):
    """It says where it serves, and serves in the format that is asked for; a taken port is told with its remedy."""
    shell = Shell(tmp_path, [])
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    ledger = Ledger(url)
    ledger.migrate()
    ledger.close()
    process = shell.spawn("metrics", "serve", "--port", "0", "--json", WORKUNITS_LEDGER=url)
    try:
        said = process.until("}")
        where = json.loads(said[said.index("{") :])["metrics"]
        text = httpx2.get(where, headers={"Accept": "application/openmetrics-text"}).text
        port = where.split(":")[2].split("/")[0]
        taken = shell.run("metrics", "serve", "--port", port, WORKUNITS_LEDGER=url)
    finally:
        assert process.stop() == 0

    assert text.endswith("# EOF\n")
    assert "workunit_ledger_up 1.0" in text
    assert (taken.returncode, "name another port with --port" in taken.stderr) == (1, True)


def test_time_is_counted_in_its_bucket():
    """A bound belongs to its bucket; what is longer than all of them to the last."""
    example = totals.Example("trial:1", None, 1, datetime.now(UTC))
    tally = totals.Tally()
    for span in (timedelta(seconds=1), timedelta(seconds=1, microseconds=1), timedelta(days=31), timedelta(0)):
        tally.observe("cycle_time_seconds", span // timedelta(microseconds=1), "u", "1", "achieved", example=example)

    parts = {part: amount for (_, _, part), amount in tally.amounts.items()}
    assert parts == {"count": 4, "sum": 2_678_402_000_001, "1": 2, "5": 1, "+Inf": 1}
