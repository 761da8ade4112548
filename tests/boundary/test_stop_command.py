"""`workunits autonomy stop` and `lift`: what is written before anything else, who may, and what it says."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from observability.ledger.autonomy import stop, stopped
from observability.ledger.store import Ledger
from tests.lab.waiting import listed
from tests.workers.conftest import clean_environment
from tests.workers.terminal import Ended, terminal
from workers.console import Exit
from workunits.testing import Lab

PATH = "hail.decide"
NOWHERE = "127.0.0.1:1"
"""Nothing listens there."""
PEOPLE = """
[groups]
heads = ["head of claims"]

[[person]]
name = "ana"
groups = ["heads"]

[[person]]
name = "ben"
"""


@dataclass
class Office:
    """A terminal with a ledger."""

    folder: Path
    ledger: Ledger
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *orders: tuple[str, ...], **more: str) -> list[Ended]:
        """Run some `workunits autonomy ...`, one after the other."""
        env = clean_environment(
            WORKUNITS_LEDGER=f"sqlite:///{self.ledger.url.database}",
            WORKUNITS_MODULES="tests.boundary.rehearsed_performers",
            WORKUNITS_DATA=str(self.folder / "data"),
            **{"TEMPORAL_ADDRESS": NOWHERE, **more},
        )
        with terminal(self.folder, env) as there:
            return [there.run("autonomy", *order) for order in orders]

    def directory(self) -> str:
        """People, of whom one answers for claims."""
        file = self.folder / "people.toml"
        file.write_text(PEOPLE, encoding="utf-8")
        return str(file)

    @property
    def stopped(self) -> list[tuple[str, str]]:
        """What is stopped now, and why."""
        with self.ledger.read() as connection:
            return [(f"{one.unit}.{one.step}", one.reason) for one in stopped(connection)]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """A terminal with an empty ledger; no engine."""
    store = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    store.migrate()
    yield Office(tmp_path, store)
    store.close()


def test_a_reason_that_no_case_would_take_is_not_written(office: Office) -> None:
    """Nor one that nobody could read; the option is named, and nothing has happened."""
    bad = ("", "  ", "x" * 501, "a\nb", "bell\x07")
    orders = [(what, PATH, "--as", "ana", "--reason", one) for what in ("stop", "lift") for one in bad]
    for ended in office.run(*orders, WORKUNITS_DIRECTORY=office.directory()):
        assert (ended.code, "--reason: say why, in 1 to 500 printable characters" in ended.err) == (Exit.USAGE, True)
    assert office.stopped == []


def test_without_an_engine_a_stop_holds_all_the_same(office: Office) -> None:
    """Workers read it from the ledger; that open cases were not told is said, with what to do."""
    said, as_json = office.run(("stop", PATH, "--reason", "odd"), ("stop", PATH, "--reason", "odd", "--json"))
    assert (said.code, as_json.code) == (Exit.UNREACHABLE, Exit.UNREACHABLE)
    for words in ("stopped; people decide from now on", "Open cases were not told: repeat the command", NOWHERE):
        assert words in said.err
    assert as_json.error["code"] == "open_cases_not_told"
    assert office.stopped == [(PATH, "odd")]


def test_a_step_that_is_a_models_alone_is_stopped_and_lifted_without_an_engine(office: Office) -> None:
    """No case holds anything of it; the role that answers for the outcome stops it, by the directory."""
    people = office.directory()
    reason = ("--reason", "odd")
    stranger, done, unknown = office.run(
        ("stop", "hail.sort", "--as", "ben", *reason),
        ("stop", "hail.sort", "--as", "ana", *reason),
        ("stop", "hail.inspect", "--as", "ana", *reason),
        WORKUNITS_DIRECTORY=people,
    )
    assert (stranger.code, done.code, unknown.code) == (Exit.USAGE, Exit.OK, Exit.USAGE)
    assert "its failure rule says who takes over" in done.err
    assert "hail.sort, hail.decide" in unknown.err
    assert office.stopped == [("hail.sort", "odd")]
    (lifted,) = office.run(("lift", "hail.sort", "--as", "ana", *reason), WORKUNITS_DIRECTORY=people)
    assert (lifted.code, office.stopped) == (Exit.OK, [])


def test_a_stop_without_a_reason_is_reported(office: Office) -> None:
    """Such as one of before reasons were checked: the page and the document say that it is stopped."""
    stop(office.ledger, "hail", "decide", actor="ana", reason="")
    page, document = office.run(("report", PATH), ("report", PATH, "--json"))
    assert "STOPPED" in page.out
    assert document.json["stopped"] == ""
    stop(office.ledger, "hail", "sort", actor="ana", reason="another step")
    office.run(("lift", PATH, "--as", "ana", "--reason", "mended"), WORKUNITS_DIRECTORY=office.directory())
    page, document = office.run(("report", PATH), ("report", PATH, "--json"))
    assert ("STOPPED" in page.out, document.json["stopped"]) == (False, None)


def test_without_a_directory_only_stopping_is_allowed(office: Office) -> None:
    """Whoever sees danger may stop; who lets a model go further has to be known."""
    stopping, *others = office.run(
        ("stop", PATH, "--reason", "odd"),
        ("lift", PATH, "--reason", "mended", "--json"),
        ("sign", PATH, "1", "--json"),
        ("revoke", PATH, "g-1", "--reason", "odd", "--json"),
        ("audit", PATH, "hail:1", "--right", "--json"),
    )
    assert stopping.code == Exit.UNREACHABLE
    assert [(one.code, one.error["code"]) for one in others] == [(Exit.CONFLICT, "no_directory")] * 4
    assert all("WORKUNITS_DIRECTORY" in one.err for one in others)
    assert office.stopped == [(PATH, "odd")]


@workflow.defn(name="hail", sandboxed=False)
class OldHail:
    """A case on a build that knows no kill switch."""

    @workflow.run
    async def run(self) -> None:
        """Never end."""
        await workflow.wait_condition(lambda: False)


@pytest.mark.asyncio(loop_scope="session")
async def test_cases_that_were_not_reached_are_named(court: Lab, office: Office) -> None:
    """The stop holds for all that is proposed from now on; that the command has to be repeated is its exit code."""
    queue, case = f"old-{uuid.uuid4().hex[:8]}", f"hail:{uuid.uuid4().hex[:8]}"
    address = court.client.service_client.config.target_host
    async with Worker(court.client, task_queue=queue, workflows=[OldHail], workflow_runner=UnsandboxedWorkflowRunner()):
        handle = await court.client.start_workflow("hail", id=case, task_queue=queue)
        await listed(court.client, "WorkflowType = 'hail' AND ExecutionStatus = 'Running'", case)
        orders = (("stop", PATH, "--reason", "odd"), ("stop", PATH, "--reason", "odd", "--json"))
        said, as_json = await asyncio.to_thread(office.run, *orders, TEMPORAL_ADDRESS=address)
        await handle.terminate()
    assert (said.code, as_json.code) == (Exit.PARTLY, Exit.PARTLY)
    assert "1 not reached: repeat the command for" in said.err
    assert case in said.err
    assert list(as_json.json["missed"]) == [case]
    assert office.stopped == [(PATH, "odd")]
