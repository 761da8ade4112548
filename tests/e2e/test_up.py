"""`up`: what dies is started again, and cases go on through everything."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.e2e.conftest import Place, Run
from tests.patience import PATIENCE
from workers.catalog import OWN
from workers.demo_cases import SCRIPTS
from workers.engine.address import Address
from workers.engine.child import environment_for
from workers.engine.connect import connect
from workers.engine.embedded import PORT
from workers.processes.up import _told
from workers.settings import Settings
from workunits.cases import CaseView
from workunits.client import Cases
from workunits.registry import Catalog


@pytest.fixture(scope="module", autouse=True)
def usual_port_is_taken() -> Iterator[None]:
    """By someone else, if not by us: these tests must not depend on who was first."""
    with socket.socket() as other:
        with suppress(OSError):
            other.bind(("127.0.0.1", PORT))
            other.listen()
        yield


def seeded(place: Place) -> Run:
    """Start everything, and wait until it is up and has said where."""
    run = place.start("up", "--seed", "--no-ui", "--json")
    run.until("Ctrl-C stops everything")
    run.until(lambda _: run.gave.rstrip().endswith("}"))
    return run


def names(place: Place, run: Run) -> set[str]:
    """The cases that a second terminal finds after it has typed the line that `up` printed."""
    line = next(line for line in run.said.splitlines() if "export " in line)
    variable, _, file = line.partition("export ")[2].partition("=")
    listed = place.start("list", "--json", **{variable: file})
    assert listed.end() == 0, listed.said
    return {case["case"] for case in json.loads(listed.gave)["cases"]}


async def answered(run: Run, key: str) -> CaseView:
    """Complete the one task of a seeded case, as a person would, and wait for its close."""
    script = next(script for script in SCRIPTS if script.key == key)
    host = json.loads(run.gave)["engine"]
    address = Address(host, "default", {}, "the test", encrypted=False)
    catalog = Catalog([OWN])
    cases = Cases(await connect(Settings.model_construct(), catalog, address=address), catalog)
    case = f"{script.unit}:{key}"
    async with asyncio.timeout(PATIENCE):
        while not (tasks := (await cases.show(case)).tasks):  # noqa: ASYNC110 - `up` does not wait for slow machines
            await asyncio.sleep(0.05)
    task = tasks[0]
    answer = script.people[task.step]
    body = answer.gives.model_dump(mode="json")
    await cases.act(task.id, "complete", actor=answer.by, roles=[task.role], body=body, patience=PATIENCE)
    await cases.client.get_workflow_handle(case).result(follow_runs=True)
    return await cases.show(case)


async def test_what_dies_is_started_again(place: Place) -> None:
    """A killed worker, watchdog or engine comes back by itself, with the cases, and Ctrl-C ends all."""
    run = seeded(place)
    run.until("watching, metrics at")
    run.child("watchdog").kill()
    run.until(lambda said: said.count("watching, metrics at") == 2)
    assert names(place, run) == {f"{script.unit}:{script.key}" for script in SCRIPTS if not script.raw}
    where = json.loads(run.gave)
    assert where["export"] in run.said
    assert f"Inbox: {where['inbox']} " in run.said
    assert f"Figures for Prometheus: {where['metrics']}" in run.said
    assert f"Up. Engine: {where['engine']}" in run.said
    run.child("worker --build-id").kill()
    run.until(lambda said: said.count("polling namespace=") == 2)
    assert (await answered(run, "RR-4")).close == "achieved"
    run.child("start-dev").kill()
    run.until("engine runs again")
    assert (await answered(run, "A-1001")).close == "achieved"
    assert run.end(signal.SIGINT) == 0
    assert run.leaves() == []


def test_people_are_told_by_files(place: Place) -> None:
    """No channel is set: each notice is a file, with the link under which this inbox has the task."""
    run = place.start("up", "--seed", "--no-ui", WORKUNITS_STATE="told", WORKUNITS_DATA="told/data")
    run.until("Ctrl-C stops everything")
    inbox = run.said.partition("Inbox: ")[2].split()[0]
    folder = place.folder / "told" / "data" / "notices"
    assert "they are files in told/data/notices" in run.said
    run.until(lambda _: any(f"{inbox}/task/" in file.read_text() for file in folder.glob("*.eml")))
    assert run.end(signal.SIGINT) == 0
    assert run.leaves() == []


async def test_a_killed_up_takes_its_processes_with_it_and_the_next_goes_on(place: Place) -> None:
    """No engine stays that would hold the state; the cases are there again, and are not seeded twice."""
    run = seeded(place)
    before = names(place, run)
    run.end(signal.SIGKILL)
    assert run.leaves() == []
    run = seeded(place)
    assert "The demo cases were there." in run.said
    assert names(place, run) == before
    assert (await answered(run, "A-1002")).close == "achieved"
    second = place.start("up", "--json")
    assert (second.end(), second.gave) == (1, "")
    why = json.loads(second.said.splitlines()[-1])["error"]["message"]
    assert f"an engine is running on .workunits already (pid {run.process.pid}," in why
    assert run.end(signal.SIGTERM) == 0
    assert run.leaves() == []


@pytest.mark.parametrize("state", [b"no database", b"SQLite format 3\0" + b"torn" * 2000])
def test_a_damaged_state_is_refused_with_the_remedy(place: Place, state: bytes) -> None:
    """In one sentence, and it stays as it is."""
    folder = place.folder / "damaged"
    folder.mkdir(exist_ok=True)
    (folder / "engine.db").write_bytes(state)
    run = place.start("up", WORKUNITS_STATE=str(folder))
    assert run.end() == 1
    assert "move it away to start afresh" in run.said.splitlines()[-1]
    assert (folder / "engine.db").read_bytes() == state


def test_a_state_folder_that_cannot_be_made_is_named(place: Place) -> None:
    """With the setting that names another."""
    (place.folder / "file").touch()
    run = place.start("up", WORKUNITS_STATE="file")
    assert run.end() == 1
    why = "file cannot hold an engine's state: Not a directory"
    assert run.said == f"workunits: {why}; name another folder with WORKUNITS_STATE\n"


def test_a_worker_that_refuses_ends_it_all(place: Place) -> None:
    """Its own words say why; the engine does not stay."""
    run = place.start("up", "--no-ui", WORKUNITS_STATE="refusing", WORKUNITS_AI_MODEL="oracle:delphi")
    run.until("oracle:delphi")
    assert run.end() == 1
    assert run.said.splitlines()[-1] == "workunits: the worker refuses to start; what it said stands above"
    assert run.leaves() == []


def test_a_worker_keeps_what_it_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """What containers set would have it compile a unit's file for every case; another engine is not for it either."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("TEMPORAL_ADDRESS", "elsewhere:7233")
    found = environment_for(Address("127.0.0.1:1", "default", {}, "the test", encrypted=False))
    assert "PYTHONDONTWRITEBYTECODE" not in found
    assert found["TEMPORAL_ADDRESS"] == "127.0.0.1:1"


def test_a_case_that_machines_are_at_does_not_wait_for_people() -> None:
    """Where the machine is slow, the line that sums the demo cases up says so."""
    assert _told(["waiting", "failed"]) == "2 demo cases started: 1 wait for people, 1 have closed."
    said = _told(["waiting", "running", "achieved", "running"])
    assert said == "4 demo cases started: 1 wait for people, 1 have closed, machines are at 2."
