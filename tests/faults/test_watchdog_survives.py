"""The watchdog survives what it watches: what cannot be read is a finding, and it goes on."""

import asyncio
import json
import logging
import os
import signal

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionResponse,
    PauseWorkflowExecutionRequest,
    UnpauseWorkflowExecutionRequest,
)
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.service import RPCError

from observability.ledger.store import Ledger
from tests.faults.contracts import Request
from tests.faults.durable import CONTRACTS, durable
from tests.faults.fleet import Fleet
from tests.faults.package import PACKAGE
from tests.faults.units import Urgent
from tests.faults.watch import Watch, write_people
from tests.workers.conftest import Shell
from workers.engine.embedded import Engine, Plan
from workers.processes import watchdog
from workers.processes.watchdog import Watchdog
from workers.watching.engine import EngineSide
from workers.watching.gauges import Gauges
from workers.watching.rounds import Round
from workunits.core.record import MEMO
from workunits.plugin import work_units
from workunits.registry import Catalog
from workunits.testing import ENGINE_FLAGS

CATALOG = Catalog([PACKAGE])


async def test_an_engine_that_is_gone_and_comes_back(tmp_path, monkeypatch, caplog):
    """It is a finding, what was found before still stands, and both end when it is back and well."""
    caplog.set_level(logging.INFO, logger="workunits.watchdog")
    async with durable(tmp_path) as fleet:
        monkeypatch.setenv("TEMPORAL_ADDRESS", fleet.engine.address.host)
        monkeypatch.chdir(tmp_path)
        case = await fleet.start(Urgent)
        watch = Watch(fleet, watchdog_every_seconds=0.2)
        await watch.until("rung_missing", case, about="deadline")
        os.kill(fleet.engine.pid, signal.SIGKILL)
        await fleet.until(lambda: not fleet.engine.alive)

        down = await watch.until("engine_unavailable")
        still = await watch.of(case)
        without = Watch(fleet)
        [only] = (await without.look()).change.now
        stop = asyncio.Event()
        running = asyncio.create_task(watch.watchdog.run(stop, Gauges(CATALOG)))
        await fleet.engine.start()
        await fleet.until(lambda: "ended: engine_unavailable" in caplog.text)
        fleet.worker()
        await fleet.until(lambda: f"ended: rung_missing {case}" in caplog.text)
        stop.set()
        await running
        watch.watchdog.close()

    assert "deadline" in [one.about for one in still]
    assert "nothing that it acknowledged is lost" in down.remedy
    assert only.kind == "engine_unavailable"
    assert "nothing listens there" in only.cause


async def test_an_engine_that_stands_still(tmp_path, monkeypatch):
    """It is given up after a while, and watched again when it goes on."""
    async with durable(tmp_path) as fleet:
        monkeypatch.setenv("TEMPORAL_ADDRESS", fleet.engine.address.host)
        monkeypatch.chdir(tmp_path)
        case = await fleet.start(Urgent)
        watch = Watch(fleet)
        await watch.until("rung_missing", case, about="deadline")
        os.kill(fleet.engine.pid, signal.SIGSTOP)
        try:
            with monkeypatch.context() as patch:  # no longer: on a busy machine a look at a well engine may take that
                patch.setattr(watchdog, "LONGEST_LOOK", 1.0)
                await watch.until("engine_unavailable")
        finally:
            os.kill(fleet.engine.pid, signal.SIGCONT)
        fleet.worker()
        await watch.until_well(case)
        await watch.until_look(lambda look: look.change.now == ())
        watch.watchdog.close()


async def test_a_ledger_that_is_gone_and_comes_back(fleet, watch, tmp_path):
    """Without it the cases are judged all the same; one of another schema is one that cannot be used."""
    case = await fleet.start(Urgent)
    gone = Watch(fleet, ledger="postgresql://nobody@127.0.0.1:1/none")
    other = Watch(fleet, ledger=f"sqlite:///{tmp_path / 'empty.sqlite'}")

    await gone.until("rung_missing", case, about="deadline")
    found = await gone.until("ledger_unavailable")
    schema = await other.until("ledger_unavailable")
    Ledger(f"sqlite:///{tmp_path / 'empty.sqlite'}").migrate()
    await other.until_look(lambda look: all(one.kind != "ledger_unavailable" for one in look.change.now))

    assert "nothing listens there" in found.cause
    assert found.remedy.startswith("cases go on without it")
    assert "workunits ledger migrate" in schema.cause
    gone.watchdog.close()
    other.watchdog.close()


async def test_a_directory_that_is_broken(fleet, watch):
    """From the start, or later: then what was read before stays in force, and people are judged by it."""
    folder = fleet.shell.folder
    path = folder / "people.toml"
    path.write_text("[[person]\n")
    peopled = Watch(fleet, directory=path)
    fleet.worker()
    case = await fleet.start()
    await fleet.task(case)

    first = await peopled.until("directory_broken")
    write_people(folder, clerk="cook")
    await peopled.until("nobody_eligible", case)
    path.write_text("[[person]\n")
    later = await peopled.until("directory_broken")
    still = [one.kind for one in await peopled.of(case)]
    write_people(folder, clerk="clerk")
    await peopled.until_well(case)
    peopled.watchdog.close()

    assert "people.toml:1" in first.cause
    assert "nobody's tasks are judged" in first.remedy
    assert "what was read before stays in force" in later.remedy
    assert still == ["nobody_eligible"]


@pytest.mark.parametrize("memo", [b'{"record": 5}', b"nothing like JSON", b'{"record": {"started": "yesterday"}}'])
async def test_a_case_whose_memo_is_poison(fleet, watch, memo):
    """It is a finding of its own, and another case's is found beside it."""
    poison = RawValue(Payload(metadata={"encoding": b"json/plain"}, data=memo))
    case = f"urgent:o'brien \\ {fleet.queue}"
    await fleet.client.start_workflow(
        "urgent", Request(request="x"), id=case, task_queue=fleet.queue, memo={MEMO: poison}
    )
    other = await fleet.start(Urgent)

    await watch.until("rung_missing", other, about="deadline")
    found = await watch.until("case_unreadable", case)
    await fleet.client.get_workflow_handle(case).terminate()
    await watch.until_well(case)

    assert found.cause.startswith("what it says of itself cannot be read: ")


async def test_a_case_that_the_engine_cannot_describe(fleet, watch):
    """The refusal is kept for this case, a case that is gone is gone, and the others are described."""
    case = await fleet.start(Urgent)
    poison = ""  # the one id that it always refuses

    said = await EngineSide(fleet.client, CATALOG).describe([poison, case, "urgent:none"])
    await watch.look()
    await watch.watchdog._sight.judge.by_description([poison, case], (await watch.look()).at, None)
    look = await watch.look()

    assert str(said[poison]).startswith("the engine cannot describe it: ")
    assert isinstance(said[case], DescribeWorkflowExecutionResponse)
    assert said["urgent:none"] is None
    assert [one.kind for one in look.change.new if one.case == poison] == ["case_unreadable"]


async def test_a_case_that_operations_paused_in_the_engine(tmp_path, monkeypatch):
    """The SDK's own listing knows no paused case; the watchdog finds it held, by whom and why."""
    flags = (*ENGINE_FLAGS, "frontend.WorkflowPauseEnabled=true")
    monkeypatch.setattr("workers.engine.embedded.ENGINE_FLAGS", flags)
    shell = Shell(tmp_path, [])
    async with Engine(Plan(tmp_path / "engine", persistent=False, usual_ports=False, ui=False)) as engine:
        client = await Client.connect(engine.address.host, plugins=[work_units(CONTRACTS)])
        fleet = Fleet(shell, engine, client)
        monkeypatch.setenv("TEMPORAL_ADDRESS", engine.address.host)
        monkeypatch.chdir(tmp_path)
        watch = Watch(fleet)
        case = await fleet.start(Urgent)
        named = {"namespace": "default", "workflow_id": case, "identity": "olga", "request_id": "1"}
        pause = PauseWorkflowExecutionRequest(**named, reason="an audit")
        await client.workflow_service.pause_workflow_execution(pause)
        await watch.until("rung_missing", case, about="deadline")
        found = {one.about: one for one in await watch.of(case)}
        unpause = UnpauseWorkflowExecutionRequest(**named | {"request_id": "2"}, reason="done")
        await client.workflow_service.unpause_workflow_execution(unpause)
        worker = fleet.worker()
        await watch.until_well(case)
        record = (await fleet.cases.show(case)).record
        watch.watchdog.close()
        worker.stop()

    assert found[""].kind == "held"
    assert found[""].cause.startswith("operations paused it by olga (an audit)")
    assert found["deadline"].cause.endswith(found[""].cause)
    assert record
    assert [rung.rung for rung in record.rungs] == ["warn", "deadline"]


async def test_a_bug_in_the_watchdog_itself_does_not_end_it(fleet, watch, monkeypatch, caplog):
    """The look that failed is told in the log, in one line, and the next one is made."""
    looks = []
    dog = Watch(fleet, watchdog_every_seconds=0.1).watchdog

    async def look():
        looks.append(1)
        if len(looks) == 1:
            raise KeyError("nobody foresaw this")
        return await Watchdog.look(dog)

    monkeypatch.setattr(dog, "look", look)
    object.__setattr__(
        watch.watchdog._settings, "__dict__", watch.watchdog._settings.__dict__ | {"watchdog_every_seconds": 0.1}
    )
    stop = asyncio.Event()
    running = asyncio.create_task(dog.run(stop, Gauges(CATALOG)))
    await fleet.until(lambda: len(looks) > 1)
    stop.set()
    await running

    assert "the look failed: KeyError: 'nobody foresaw this'" in caplog.text


async def test_the_process_ends_when_asked_and_says_what_is_wrong(fleet):
    """It names its port and what it finds, with --json in one document; a port that is taken is refused."""
    env = {**fleet._env, "WORKUNITS_WATCHDOG_GRACE_SECONDS": "0", "WORKUNITS_WATCHDOG_EVERY_SECONDS": "0.2"}
    case = await fleet.start(Urgent)
    process = fleet.shell.spawn("watchdog", "--port", "0", "--json", **env)
    said = process.until(f"new: rung_missing {case}")
    port = said.partition("metrics at http://127.0.0.1:")[2].partition("/")[0]

    taken = fleet.shell.run("watchdog", "--port", port, **env)
    shown = fleet.shell.run("watchdog", "--once", **env)
    ended = process.stop()

    assert ended == 0
    assert taken.returncode == 1
    assert f"workunits: cannot listen on 127.0.0.1:{port}: Address already in use; name another port" in taken.stderr
    up, _ = json.JSONDecoder().raw_decode(said, said.index("{\n"))
    assert (up["metrics"], case.partition(":")[0] in up["units"]) == (f"http://127.0.0.1:{port}/metrics", True)
    assert shown.returncode == 1
    assert "rung_missing" in shown.stdout
    assert case in shown.stdout
    assert shown.stdout.startswith("gap: ")


async def test_a_round_goes_through_all_cases_and_begins_again(fleet):
    """A page in each pass and each case once in a turn; what an older engine does not know ends a turn at once."""
    cases = {await fleet.start(Urgent) for _ in range(5)}
    side, mine = EngineSide(fleet.client, CATALOG), f"TaskQueue = '{fleet.queue}'"

    async def listed():
        return await side.count(mine) == 5 or None

    await fleet.until(listed)
    few = Round(2)
    pages = [[case.id for case in await few.next(side, mine)] for _ in range(4)]
    unknown = Round(2, optional=True)

    assert [len(page) for page in pages] == [2, 2, 1, 2]
    assert {case for page in pages[:3] for case in page} == cases
    assert pages[3] == pages[0]
    assert few.turns == 1
    assert await unknown.next(side, "NobodyKnowsThis IS NOT NULL") == ()
    assert unknown.turns == 1
    with pytest.raises(RPCError):
        await Round(2).next(side, "NobodyKnowsThis IS NOT NULL")
