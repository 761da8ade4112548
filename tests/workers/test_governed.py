"""What runs on an engine that is not embedded: published definitions alone, on a real server."""

from __future__ import annotations

import asyncio
import copy
import itertools
import json
import sys
import types
from contextlib import suppress

import pytest
from temporalio.service import RPCError
from typer.testing import CliRunner

from tests.lab.units import Inline, Plain
from tests.patience import PATIENCE
from tests.test_governance import THEN
from workers.checks.governed import published
from workers.cli import app
from workers.engine.connect import connect
from workers.governing.governed import Gate, admit, is_embedded, open_cases_of
from workers.settings import Settings
from workunits.client import Cases
from workunits.core.errors import Refused
from workunits.governance import NEXT, GovernanceError, Published, Signature, Turn, needs
from workunits.judged import Judged, judge
from workunits.registry import Catalog, Package, definition_hash, describe, hash_of
from workunits.shelf import Shelf

SETTINGS = Settings.model_construct()
"""As they are when nothing is set."""
PEOPLE = """
[groups]
owners = ["test owner", "loans owner"]

[[person]]
name = "olga"
groups = ["owners"]
"""


def keep(shelf, unit, stage="active", definition=None):
    """Put a unit on a shelf as if it had been signed."""
    definition = definition or describe(unit)
    turns = [*itertools.takewhile(lambda one: one != stage, NEXT), stage]
    signed = tuple(Signature(who="ann", role=n.role, at=THEN, of=n.of, hash=n.hash) for n in needs(definition))
    shelf.write(
        Published(
            unit=unit.unit_name,
            version=unit.version,
            stage=stage,
            hash=hash_of(definition),
            histories=1,
            life=tuple(Turn(stage=turn, at=THEN, who="ann") for turn in turns),
            signatures=signed if stage != "draft" else signed[:1],
            definition=definition,
        )
    )


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """The empty shelf of a package of the tests."""
    (tmp_path / "governed_tests").mkdir()
    (tmp_path / "governed_tests" / "__init__.py").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return Shelf(tmp_path / "governed_tests" / "published")


PACKAGE = Package("tests", (Plain, Inline), ("tests.lab.contracts",), (), published="governed_tests")
CATALOG = Catalog([PACKAGE])


def test_a_definition_is_judged_by_what_is_kept_of_it(shelf):
    """Not at all, a draft, another one, as it stands, on its way out, gone: each with its remedy."""

    def judged(package=PACKAGE) -> Judged:
        return judge(Plain, package)

    said = {"nothing": judged(), "no shelf": judged(Package("tests", (Plain,), (), ()))}
    for stage in ("draft", "active", "deprecated", "retired"):
        keep(shelf, Plain, stage)
        said[stage] = judged()
    keep(shelf, Plain)
    text = shelf.path("plain", "1").read_text(encoding="utf-8")
    shelf.path("plain", "1").write_text(text.replace('"who": "ann"', '"who": ""', 1), encoding="utf-8")
    said["damaged"] = judged()

    assert [(name, one.stage, one.why) for name, one in said.items()] == [
        ("nothing", None, "is not published"),
        ("no shelf", None, "belongs to a package that publishes nothing"),
        ("draft", "draft", "is a draft, sign-offs are missing (of the boundary by head of tests)"),
        ("active", "active", ""),
        ("deprecated", "deprecated", "is deprecated"),
        ("retired", "retired", "is retired"),
        ("damaged", None, "cannot be looked up"),
    ]
    assert said["nothing"].remedy == "workunits publish plain --as NAME"
    assert said["no shelf"].remedy.startswith("name the package that keeps its published definitions, Package(publ")
    assert "life.0.who" in said["damaged"].remedy


def test_an_edited_definition_is_not_the_published_one(shelf):
    """However little was edited: its hash is another one."""
    keep(shelf, Plain)
    kept = shelf.read("plain", "1")
    definition = {**kept.definition, "key": "other"}
    signed = tuple(Signature(who="ann", role=n.role, at=THEN, of=n.of, hash=n.hash) for n in needs(definition))
    shelf.write(kept.model_copy(update={"definition": definition, "hash": signed[0].hash, "signatures": signed}))

    found = judge(Plain, PACKAGE)

    assert found.stage is None
    assert found.why == f"is loaded as definition {definition_hash(Plain)}, and {signed[0].hash} is published"
    assert found.remedy == 'give it a new version="...", then: workunits publish plain --as NAME'


async def test_an_embedded_engine_says_what_it_is(engine, lab):
    """In its namespace, to everybody who connects; any other server says nothing of the kind."""
    client = await connect(SETTINGS, CATALOG, address=engine.address)

    assert await is_embedded(client)
    assert not await is_embedded(lab.client)


async def test_on_an_embedded_engine_everything_runs(engine, shelf):
    """Nothing is left out and nobody is warned: there, units are in the making."""
    client = await connect(SETTINGS, CATALOG, address=engine.address)

    admitted = await admit(client, SETTINGS, CATALOG)
    await Gate(client, SETTINGS, CATALOG, warn=pytest.fail)(Plain)
    (finding,) = await published(client, SETTINGS, CATALOG)

    assert (admitted.catalog, admitted.left_out) == (CATALOG, ())
    assert finding.status == "ok"
    assert finding.message == "this engine takes any definition; 0 of 2 units are published"


async def test_elsewhere_a_worker_loads_what_is_published(lab, shelf):
    """And says what it leaves out; without anything to serve it does not start."""
    with pytest.raises(GovernanceError, match=r"nothing to serve: plain version 1 is not published: workunits publish"):
        await admit(lab.client, SETTINGS, CATALOG)
    keep(shelf, Inline)

    admitted = await admit(lab.client, SETTINGS, CATALOG)
    everything = await admit(lab.client, Settings.model_construct(unpublished="anywhere"), CATALOG)
    findings = await published(lab.client, SETTINGS, CATALOG)

    assert [unit.unit_name for unit in admitted.catalog] == ["inline"]
    assert admitted.catalog.contracts == CATALOG.contracts
    assert [(one.unit, one.why) for one in admitted.left_out] == [("plain", "is not published")]
    assert everything.catalog is CATALOG
    assert [(one.status, one.message) for one in findings] == [
        ("fail", "plain version 1 is not published: workers leave it out, and no case of it can be started")
    ]


async def test_elsewhere_no_case_of_a_draft_is_started(lab, shelf):
    """Through whichever door; a deprecated unit warns once and starts."""
    keep(shelf, Plain, "draft")
    keep(shelf, Inline, "deprecated")
    warned: list[str] = []
    cases = Cases(lab.client, CATALOG, queue="nobody-serves", admits=Gate(lab.client, SETTINGS, CATALOG, warned.append))

    with pytest.raises(Refused, match="no case can be started: plain version 1 is a draft") as refused:
        await cases.start("plain", b'{"request":"governed-1"}')
    started = [await cases.start("inline", b'{"request":"governed-%d"}' % n) for n in (1, 2)]

    assert refused.value.code == "not_published"
    assert warned == ["inline version 1 is deprecated: start cases of what takes its place"]
    for one in started:
        await lab.client.get_workflow_handle(one.case).terminate()


@pytest.fixture
async def alone(lab):
    """No case of the plain unit is open: other files of tests, run before on the same engine, may have left some."""
    await alone_of(lab.client, "plain")


async def alone_of(client, unit):
    """End the open cases of a unit."""
    async for left in client.list_workflows(f"WorkflowType = '{unit}' AND ExecutionStatus = 'Running'"):
        with suppress(RPCError):
            await client.get_workflow_handle(left.id).terminate("left by another test")
    await listed(client, 0, unit)


@pytest.mark.usefixtures("alone")
async def test_a_retired_unit_is_served_while_cases_are_open(lab, shelf):
    """No new one is started; the worker that starts after the last has closed leaves it out."""
    keep(shelf, Plain)
    keep(shelf, Inline)
    gate = Gate(lab.client, SETTINGS, CATALOG, warn=pytest.fail)
    started = await Cases(lab.client, CATALOG, queue="nobody-serves", admits=gate).start(
        "plain", b'{"request":"governed-last"}'
    )
    keep(shelf, Plain, "retired")

    await listed(lab.client, 1)
    serving = await admit(lab.client, SETTINGS, CATALOG)
    (meanwhile,) = await published(lab.client, SETTINGS, CATALOG)
    with pytest.raises(Refused, match="plain version 1 is retired") as refused:
        await Gate(lab.client, SETTINGS, CATALOG, warn=pytest.fail)(Plain)
    await lab.client.get_workflow_handle(started.case).terminate()
    await listed(lab.client, 0)
    done = await admit(lab.client, SETTINGS, CATALOG)
    (finding,) = await published(lab.client, SETTINGS, CATALOG)

    assert [unit.unit_name for unit in serving.catalog] == ["plain", "inline"]
    assert serving.notes == ("plain version 1 is retired; it is served while 1 case(s) are open",)
    assert refused.value.code == "retired"
    assert [unit.unit_name for unit in done.catalog] == ["inline"]
    assert [one.unit for one in done.left_out] == ["plain"]
    said = [(one.status, one.message) for one in (meanwhile, finding)]
    assert said == [
        ("ok", "plain version 1 is retired: workers serve its 1 open case(s), and none can be started"),
        ("ok", "plain version 1 is retired: workers leave it out, and none can be started"),
    ]


async def listed(client, wanted, unit="plain"):
    """Wait until the engine's listing shows so many open cases of a unit."""
    async with asyncio.timeout(PATIENCE):
        while await open_cases_of(client, unit) != wanted:  # noqa: ASYNC110 - the engine tells nobody
            await asyncio.sleep(0.05)


@pytest.fixture
def retire(lab, monkeypatch, tmp_path):
    """The command that retires the plain unit, by its owner, on the tests' engine."""
    offered = types.ModuleType("governed_offer")
    vars(offered)["PACKAGE"] = PACKAGE
    monkeypatch.setitem(sys.modules, "governed_offer", offered)
    monkeypatch.setenv("TEMPORAL_ADDRESS", lab.client.service_client.config.target_host)
    (tmp_path / "people.toml").write_text(PEOPLE, encoding="utf-8")
    monkeypatch.setenv("WORKUNITS_DIRECTORY", str(tmp_path / "people.toml"))

    async def retire(*more):
        line = ["--module", "governed_offer", "retire", "plain", "--as", "olga", *more]
        return await asyncio.to_thread(CliRunner().invoke, app, line)

    return retire


@pytest.mark.usefixtures("alone")
async def test_a_unit_with_open_cases_is_retired_only_so_that_they_finish(lab, shelf, retire):
    """How many are open, how to list them, and what to say so that workers serve them to their ends."""
    keep(shelf, Plain, "deprecated")
    case = (await Cases(lab.client, CATALOG, queue="nobody-serves").start("plain", b'{"request":"governed-open"}')).case
    await listed(lab.client, 1)

    refused = await retire()
    done = await retire("--let-finish", "--reason", "inline takes its place")
    kept = shelf.read("plain", "1")
    await lab.client.get_workflow_handle(case).terminate()
    await listed(lab.client, 0)

    assert isinstance(refused.exception, GovernanceError)
    assert refused.exception.code == "open_cases"
    how = "list them: workunits list --unit plain. Let them end first, or say --let-finish"
    assert str(refused.exception) == f"1 case(s) of plain are open; {how}"
    assert "1 case(s) are open, and workers serve them to their ends: workunits list --unit plain" in done.output
    assert (kept.stage, kept.life[-1].note) == ("retired", "inline takes its place; 1 case(s) were open")


@pytest.mark.usefixtures("alone")
async def test_a_unit_is_not_retired_under_open_cases_of_a_retired_one(lab, shelf, retire):
    """Theirs would start a child that nobody serves, also with --let-finish: the caller's cases end first."""
    keep(shelf, Plain, "deprecated")
    calling = copy.deepcopy(describe(Inline))
    calling["structure"]["steps"][0] |= {"executor": "unit", "performed_by": "plain"}
    keep(shelf, Inline, "retired", calling)
    await alone_of(lab.client, "inline")
    case = (await Cases(lab.client, CATALOG, queue="nobody-serves").start("inline", b'{"request":"governed-on"}')).case
    await listed(lab.client, 1, "inline")

    refused = await retire("--let-finish")
    still = shelf.read("plain", "1").stage
    await lab.client.get_workflow_handle(case).terminate()
    await listed(lab.client, 0, "inline")
    done = await retire()

    assert isinstance(refused.exception, GovernanceError)
    assert (refused.exception.code, still) == ("called", "deprecated")
    why = "inline version 1 is retired, and 1 case(s) of it are open, which call plain in step"
    assert str(refused.exception).startswith(why)
    assert str(refused.exception).endswith("let them end first: workunits list --unit inline")
    assert shelf.read("plain", "1").stage == "retired", done.output


@pytest.mark.usefixtures("alone")
async def test_open_cases_are_counted_by_version(bench):
    """One that has said its version counts for that alone; one that has not said any yet may be of each."""
    said = (await bench.start(Plain)).case
    await bench.task(said, "decide")
    silent = (await Cases(bench.client, CATALOG, queue="nobody-serves").start("plain", b'{"request":"silent"}')).case
    await listed(bench.client, 2)
    async with asyncio.timeout(PATIENCE):
        while await open_cases_of(bench.client, "plain", "2") != 1:  # noqa: ASYNC110 - the listing comes after the case
            await asyncio.sleep(0.05)

    assert await open_cases_of(bench.client, "plain", "1") == 2
    for case in (said, silent):
        await bench.handle(case).terminate()


async def test_the_commands_keep_to_it(lab, shell):
    """`worker` and `start` as processes, with a package of a user's own that has published nothing."""
    at = {"TEMPORAL_ADDRESS": lab.client.service_client.config.target_host}
    shell.write_loans()
    text = (shell.folder / "loans/package.py").read_text(encoding="utf-8")
    shell.write("loans/package.py", text.replace('("loans.performers",))', '("loans.performers",), published="loans")'))
    shell.write("loan.json", '{"request": "governed-loan"}')
    own = ("--module", "loans.package")
    worker = shell.spawn(*own, "worker", "--metrics-port", "0", "--unversioned", "--json", **at)

    await asyncio.to_thread(worker.until, '"metrics"')
    worker.stop()
    start = (*own, "start", "loan", "--input", "loan.json")
    refused = await asyncio.to_thread(lambda: shell.run(*start, "--json", **at))
    taken = await asyncio.to_thread(lambda: shell.run(*start, WORKUNITS_UNPUBLISHED="anywhere", **at))
    await lab.client.get_workflow_handle("loan:governed-loan").terminate()

    assert "left out: loan version 1 is not published: workunits publish loan --as NAME" in worker.said
    assert "units=customer_onboarding,refund_request" in worker.said
    assert (refused.returncode, json.loads(refused.stderr)["error"]["code"]) == (4, "not_published")
    assert taken.stdout == "loan:governed-loan started\n"
