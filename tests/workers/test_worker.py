"""`workunits worker` as a process: what it serves, when it refuses, how it ends."""

import asyncio
import json
import signal
import subprocess
import sys

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from tests.patience import PATIENCE
from tests.workers.conftest import COMMAND, UNIT, clean_environment
from workers.build import build_id
from workers.catalog import load_catalog
from workers.queues import shares
from workers.settings import Settings, SettingsError
from workunits.plugin import work_units
from workunits.registry import Catalog

START = """
import asyncio, sys
from workers.catalog import load_catalog
from workers.engine.connect import connect
from workers.settings import load_settings
from workunits.client import Cases


async def main():
    catalog = load_catalog(["loans.package"])
    settings = load_settings()
    cases = Cases(await connect(settings, catalog), catalog, queue=settings.queue)
    print((await cases.start("loan", sys.argv[1].encode())).case)
    await asyncio.sleep(0.1)


asyncio.run(main())
"""


def start(shell, key, **env):
    """Start a case of the user's own unit, as a program of theirs would."""
    case = json.dumps({"request": key})
    done = subprocess.run(
        [sys.executable, "-c", START, case],
        cwd=shell.folder,
        env=clean_environment(**env),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return done.stdout.strip()


async def closed(engine, case, *, build="", queues=()):
    """The record of a case, once it has closed, and the queues on which its steps were performed."""
    client = await Client.connect(engine.address.host, plugins=[work_units()])
    handle = client.get_workflow_handle(case)
    async with asyncio.timeout(PATIENCE):
        said = await handle.result()
    history = await handle.fetch_history()
    scheduled = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    steps = [e.activity_task_scheduled_event_attributes for e in history.events if e.event_type == scheduled]
    used = {step.activity_type.name: step.task_queue.name for step in steps}
    memo = await (await handle.describe()).memo()
    return said, memo["workunit"]["record"], used


async def test_a_worker_serves_a_users_own_package(shell, engine, at):
    """A worker serves the package that --module names, and what starts a case leaves its trace in the record."""
    shell.write_loans()
    queue = {"WORKUNITS_QUEUE": "own-package"}
    worker = shell.spawn("worker", "--unversioned", "--json", "--module", "loans.package", **at, **queue)
    worker.until("polling namespace=default own-package=cases,automated,ai build=unversioned")
    worker.until('"own-package": [')

    case = start(shell, "L-1", **at, **queue)
    _, record, used = await closed(engine, case)

    assert record["close"] == "achieved"
    assert len(record["trace"]) == 32
    assert used == {"loan.check": "own-package", "loan.advise": "own-package"}
    assert worker.stop(signal.SIGTERM) == 0
    assert "stopped" in worker.said
    assert "Traceback" not in worker.said


async def test_a_kind_has_a_queue_of_its_own(shell, engine, at):
    """With a queue for AI steps, they are performed there, by a process that serves nothing else."""
    shell.write_loans()
    env = at | {"WORKUNITS_QUEUE": "split", "WORKUNITS_QUEUES": "ai=split-ai", "WORKUNITS_MODULES": "loans.package"}
    main = shell.spawn("worker", "--unversioned", "--executors", "cases,automated", **env)
    thinker = shell.spawn("worker", "--unversioned", "--executors", "ai", **env)
    main.until("polling namespace=default split=cases,automated build=")
    thinker.until("polling namespace=default split-ai=ai build=")

    case = start(shell, "L-2", **env)
    _, record, used = await closed(engine, case)

    assert record["close"] == "achieved"
    assert used == {"loan.check": "split", "loan.advise": "split-ai"}


def test_executors_that_share_a_queue_are_served_together():
    """To serve half of a queue would fail the other half's steps: it is refused with the remedy."""
    with pytest.raises(SettingsError, match="WORKUNITS_QUEUES=automated=workunits-automated") as caught:
        shares(Settings(), Catalog([]), ["ai"])

    assert caught.value.field == "executors"


@pytest.mark.parametrize(("name", "why"), [("human", "people do not work"), ("robots", "known are cases, automated")])
def test_input_34_unknown_executor(name, why):
    """An executor that no worker has is refused with those that there are."""
    with pytest.raises(SettingsError, match=why):
        shares(Settings(), Catalog([]), [name])


@pytest.mark.parametrize(
    ("performers", "why"),
    [
        ("", "loan.check (automated) has no performer"),
        (
            (
                "from loans.contracts import Answer, Request\nfrom loans.unit import Loan\n"
                "from workunits.performs import performs\n"
                "@performs(Loan.CHECK)\ndef one(case: Request) -> Answer: ...\n"
                "@performs(Loan.CHECK)\ndef two(case: Request) -> Answer: ...\n"
            ),
            "loan.check has 2 performers: loans.performers.one, loans.performers.two",
        ),
    ],
)
def test_input_33_no_or_two_performers(shell, at, performers, why):
    """A worker refuses to start when a step has no performer or two, and names them."""
    shell.write_loans(performers=performers)

    ended = shell.run("worker", "--module", "loans.package", **at)

    assert ended.returncode == 1
    assert why in ended.stderr
    assert "loan.advise (ai) has no performer" in ended.stderr
    assert "Traceback" not in ended.stderr
    found = json.loads(shell.run("doctor", "--json", WORKUNITS_MODULES="loans.package", **at).stdout)["findings"]
    said = next(finding["message"] for finding in found if finding["check"] == "performers")
    assert said.startswith("Steps and performers do not match: ")
    assert why in said


@pytest.mark.parametrize(
    ("performers", "why"),
    [
        ("\nlimit = LIMIT\n", "fails at loans/performers.py:2: NameError: name 'LIMIT' is not defined; mend that line"),
        ("\n\nx = 1 +\n", "fails at loans/performers.py:3: SyntaxError: invalid syntax; mend that line"),
        ("import nowhere_at_all\n", "fails at loans/performers.py:1: ModuleNotFoundError: No module named 'nowhere_a"),
        ("import sys\nsys.exit(0)\n", "fails at loans/performers.py:2: SystemExit: 0; mend that line"),
    ],
    ids=["name", "syntax", "import", "exit"],
)
def test_performers_that_cannot_be_imported(shell, performers, why):
    """The line of the user's own file is named, and `doctor` says it beside whatever else there is."""
    shell.write_loans(performers=performers)

    ended = shell.run("worker", "--module", "loans.package", TEMPORAL_ADDRESS="127.0.0.1:1")
    found = json.loads(shell.run("--module", "loans.package", "doctor", "--json").stdout)["findings"]

    assert (ended.returncode, "Traceback" in ended.stderr) == (1, False)
    assert f"performers: importing loans.performers {why}" in ended.stderr
    failed = {finding["check"]: finding["message"] for finding in found if finding["status"] == "fail"}
    assert why in failed["performers"]
    assert len(found) > 4


def test_a_module_that_a_package_misspells(shell):
    """Whatever a package names is looked for when it is loaded: no command goes on without it."""
    shell.write_loans()
    package = (shell.folder / "loans" / "package.py").read_text(encoding="utf-8")
    shell.write("loans/package.py", package.replace("loans.contracts", "loans.contrats"))

    ended = [shell.run("--module", "loans.package", *rest) for rest in (("check",), ("doctor",), ("worker",))]

    said = "--module loans.package: PACKAGE.contracts: there is no module loans.contrats"
    assert [(one.returncode, said in one.stderr) for one in ended] == [(2, True)] * 3


def test_input_28_an_element_is_missing(shell, at):
    """A worker refuses a unit with an unresolved design decision, and lists it."""
    shell.write_loans(unit=UNIT.replace('accountable="head of loans"', 'accountable=""'))

    ended = shell.run("worker", "--module", "loans.package", **at)

    assert ended.returncode == 1
    assert "Loan has" in ended.stderr
    assert "outcome.accountable" in ended.stderr


def test_a_unit_that_acts_is_refused(shell, at):
    """A unit's file that imports what acts is refused when the worker starts, with the reason."""
    shell.write_loans(unit="import activities.screening\n" + UNIT)

    ended = shell.run("worker", "--module", "loans.package", **at)

    assert ended.returncode == 1
    assert "cannot be served" in ended.stderr
    assert "activities" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_build_follows_from_the_code(shell):
    """The build id is the same in every process, and another one when a unit's file changes."""
    shell.write_loans()
    script = (
        "from workers.build import build_id; from workers.catalog import load_catalog; "
        "print(build_id(load_catalog(['loans.package'])))"
    )

    def build():
        command = [sys.executable, "-c", script]
        env = clean_environment()
        return subprocess.run(command, cwd=shell.folder, env=env, capture_output=True, text=True, check=True).stdout

    before, again = build(), build()
    shell.write_loans(unit=UNIT + "\n# changed\n")

    assert before == again
    assert len(before.strip()) == 12
    assert build() != before
    assert build_id(load_catalog()) != before.strip()


def test_deploy_makes_a_build_current(shell, at):
    """A build that has polled becomes current; an unknown one is refused with those that are known."""
    env = at | {"WORKUNITS_DEPLOYMENT": "deployed", "WORKUNITS_QUEUE": "deployed"}
    worker = shell.spawn("worker", "--build-id", "b1", **env)
    worker.until("build b1 is not current (none is): it gets no new cases until: workunits deploy b1")

    first = shell.run("deploy", "b1", "--json", **env)
    unknown = shell.run("deploy", "b9", "--wait", "0", **env)

    assert json.loads(first.stdout) == {"deployment": "deployed", "current": "b1", "before": None}
    assert unknown.returncode == 4
    assert "build b9 of deployed cannot be made current: it has not polled yet. Builds known: b1" in unknown.stderr


def test_a_worker_ends_when_its_stdin_does(shell, at):
    """A worker that someone supervises does not outlive them."""
    process = subprocess.Popen(
        [*COMMAND, "worker", "--unversioned", "--queue", "supervised", "--until-stdin-closes"],
        cwd=shell.folder,
        env=clean_environment(**at),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stderr
    try:
        lines = iter(process.stderr.readline, "")
        assert any("polling" in line for line in lines)
        process.stdin.close()
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
