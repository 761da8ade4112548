"""What a unit's file may not do is refused when its worker is built, or fails the task at run time."""

from __future__ import annotations

import asyncio
import gc
import importlib
import sys
import uuid
from typing import Any

import pytest
from temporalio.bridge.proto.workflow_activation import InitializeWorkflow, WorkflowActivation
from temporalio.worker import Worker

from tests.lab.units import Plain
from tests.patience import PATIENCE
from workunits.sandbox import StrictRunner

UNIT = '''
from tests.lab.contracts import Decision, Request, Result
from workunits.core.spec import Learning, Measure, Outcome, elapsed, human
from workunits.core.unit import WorkUnit
{imports}


class Strange(WorkUnit, name="strange_{name}", version="1", key="request"):
    """A unit that does what it may not."""

    outcome = Outcome(
        Result,
        "The request is decided within 24 hours.",
        achieved=lambda result: result.granted,
        within=elapsed(hours=24),
        accountable="head of tests",
    )
    learning = Learning(
        owner="test owner",
        review=elapsed(days=30),
        measures=(Measure("cycle_time", at="p85", at_most=elapsed(hours=4), baseline="the first 100 cases"),),
    )

    DECIDE = human("decide", Request, Decision, role="clerk", accountable="head of tests")

    async def work(self, case: Request) -> Result:
        """Do it."""
        {does}
        decision = await self.perform(self.DECIDE, case)
        return Result(granted=decision.decision == "grant")
'''


@pytest.fixture
def strange(tmp_path, monkeypatch):
    """A unit in a file of its own, as an author would write it."""
    monkeypatch.syspath_prepend(tmp_path)
    made = []

    def make(name, imports="", does=""):
        (tmp_path / f"strange_{name}.py").write_text(UNIT.format(name=name, imports=imports, does=does), "utf-8")
        importlib.invalidate_caches()
        made.append(f"strange_{name}")
        return importlib.import_module(made[-1]).Strange

    yield make
    for module in made:
        sys.modules.pop(module, None)


@pytest.mark.parametrize(
    ("name", "imports", "said"),
    [
        ("activities", "import activities.screening", "activities"),
        ("httpx", "import httpx", "httpx"),
        ("other_unit", "from tests.lab.terms import Keyless", "tests.lab.terms"),
        ("performs", "import workunits.performs", "workunits.performs"),
        ("clock", "from datetime import UTC, datetime\n\nOPENED = datetime.now(UTC)", "datetime.datetime.now"),
    ],
)
async def test_a_unit_that_imports_what_acts_is_refused_when_its_worker_is_built(lab, strange, name, imports, said):
    """The message names what was imported, before any case runs."""
    unit = strange(name, imports)
    with pytest.raises(RuntimeError) as error:
        Worker(lab.client, task_queue=f"strange-{name}", workflows=[unit])

    assert said in _chain(error.value)


def _chain(error):
    """All that an error and its causes say."""
    said = []
    while error is not None:
        said.append(str(error))
        error = error.__cause__ or error.__context__
    return "\n".join(said)


@pytest.mark.parametrize(
    ("name", "imports", "does"),
    [
        ("now", "from datetime import UTC, datetime", "self.at = datetime.now(UTC)"),
        ("draw", "import random", "self.drawn = random.random()"),
        ("read", "", "self.text = open('somewhere').read()"),
    ],
)
async def test_a_clock_a_draw_or_a_file_in_work_fails_the_task_and_not_the_case(lab, strange, name, imports, does):
    """The case stays open and says what is wrong; a deploy with the mended unit lets it go on."""
    unit, queue = strange(name, imports, does), f"strange-{name}"
    handle = await lab.client.start_workflow(
        f"strange_{name}", {"request": uuid.uuid4().hex}, id=f"strange_{name}:{uuid.uuid4()}", task_queue=queue
    )
    async with Worker(lab.client, task_queue=queue, workflows=[unit]):
        async with asyncio.timeout(PATIENCE):
            async for event in handle.fetch_history_events(wait_new_event=True):
                if event.WhichOneof("attributes") == "workflow_task_failed_event_attributes":
                    break
    said = event.workflow_task_failed_event_attributes.failure.message

    assert (await handle.describe()).status.name == "RUNNING"
    assert "Cannot access" in said or "open" in said
    await handle.terminate()


async def test_a_unit_that_keeps_to_the_rules_is_taken(lab, strange):
    """The template itself is fine: what was refused above is what was added to it."""
    Worker(lab.client, task_queue="strange-fine", workflows=[strange("fine", does="pass")])


async def test_the_context_of_a_payload_is_asked_without_entering_the_sandbox(bench, monkeypatch):
    """The SDK's own way costs a tenth of a case; here it would end the case's task."""
    inside = "temporalio.worker.workflow_sandbox._runner._Instance"

    def forbidden(*_args):
        raise AssertionError("entered the sandbox for a question")

    monkeypatch.setattr(f"{inside}.get_serialization_context", forbidden)
    monkeypatch.setattr(f"{inside}.get_external_store_context", forbidden)
    started = await bench.start(Plain)
    await bench.answer(await bench.task(started.case, "decide"), {"decision": "grant"})

    assert (await bench.closed(started.case)).close == "achieved"


async def test_a_waiting_case_keeps_no_message_of_its_tasks(bench, monkeypatch):
    """It waits for days, and they would be a twentieth of its memory; any part would keep the whole of its message."""
    cases: list[Any] = []
    make = StrictRunner.create_instance

    def remembered(runner, det):
        cases.append(make(runner, det))
        return cases[-1]

    monkeypatch.setattr(StrictRunner, "create_instance", remembered)
    started = await bench.start(Plain)
    await bench.task(started.case, "decide")
    later = await bench.start(Plain)
    await bench.task(later.case, "decide")  # the worker itself holds the last message that it was sent

    kept = next(vars(case._inside) for case in cases if case.get_info().workflow_id == started.case)
    assert not _messages_about(started.case, kept["_info"].run_id)
    assert kept["_current_completion"].ByteSize() == 0
    assert b"request" in kept["_workflow_input"].args[0].payload.data
    assert kept["_info"].raw_memo.keys() == {"workunit_start"}
    assert not kept["_info"].search_attributes
    assert not len(kept["_info"].typed_search_attributes)


def _messages_about(case, run):
    """The engine's messages to one case, or the first one's part about its start, that are still in memory."""
    gc.collect()
    messages = [one for one in gc.get_objects() if isinstance(one, WorkflowActivation | InitializeWorkflow)]
    return [one for one in messages if case in getattr(one, "workflow_id", "") or run in getattr(one, "run_id", "")]


async def test_cases_run_the_file_that_their_worker_began_with(lab, strange, tmp_path):
    """It is read once: a deploy that overwrites it cannot change open cases under a worker that runs."""
    unit = strange("once", does="pass")
    Worker(lab.client, task_queue="strange-once", workflows=[unit])
    (tmp_path / "strange_once.py").write_text("raise RuntimeError('the next version')\n", "utf-8")
    importlib.invalidate_caches()

    Worker(lab.client, task_queue="strange-once-more", workflows=[unit])
