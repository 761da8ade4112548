"""The watchdog and cases that stand still: it names each, since when, why, and what to do; mended, it is silent."""

import asyncio
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.activity.v1 import ActivityOptions
from temporalio.api.common.v1 import RetryPolicy, WorkflowExecution
from temporalio.api.workflowservice.v1 import PauseActivityRequest, UnpauseActivityRequest, UpdateActivityOptionsRequest

from tests.faults.fleet import ROOT, TASK_TIMEOUT, kill
from tests.faults.test_f15_f16_code_versions import UNGUARDED
from tests.faults.test_f20_bug_in_a_unit import BUG
from tests.faults.units import Advised
from tests.faults.watch import Watch, write_people


async def test_f20_a_bug_in_a_unit_is_found_with_its_line(fleet, watch):
    """The case that fails is named with error, file and line, others are not; with the mended code it is silent."""
    broken = fleet.worker(PYTHONPATH=fleet.edited(*BUG))
    stuck = await fleet.start(task_timeout=TASK_TIMEOUT)
    well = await fleet.start(kind="letter")
    answers = [asyncio.create_task(fleet.answer(await fleet.task(case))) for case in (stuck, well)]
    began = datetime.now(UTC)

    found = await watch.until("task_failing", stuck)
    took = (datetime.now(UTC) - began).total_seconds()
    others = await watch.of(well)
    kill(broken)
    fleet.worker()
    await asyncio.gather(*answers)
    await watch.until_well(stuck)

    line = 1 + (ROOT / "tests/faults/units.py").read_text().splitlines().index("        fee = FEES[case.kind]")
    assert "KeyError: 'parcel' at " in found.cause
    assert f"tests/faults/units.py:{line}" in found.cause
    assert found.unit == "errand"
    assert "mend the code" in found.remedy
    assert took < 120
    assert others == []
    assert (await fleet.closed(stuck)).close == "achieved"


async def test_f15_an_unguarded_edit_is_found(fleet, watch):
    """The case that the edited code cannot replay is named with the step at which it went another way."""
    before = fleet.worker()
    case = await fleet.start(task_timeout=TASK_TIMEOUT)
    task = await fleet.task(case)
    kill(before)
    edited = fleet.worker(PYTHONPATH=fleet.edited(*UNGUARDED))
    answering = asyncio.create_task(fleet.answer(task))

    found = await watch.until("task_failing", case)
    kill(edited)
    fleet.worker()
    await answering
    await watch.until_well(case)

    assert "Nondeterminism" in found.cause
    assert "the step 'fetch'" in found.cause


async def test_f16_a_version_that_nobody_serves(fleet, watch):
    """It is one finding for all cases of a unit that are pinned to it, and ends when a worker of it polls."""
    old = fleet.worker("--build-id", "old")
    fleet.command("deploy", "old")
    cases = [await fleet.start(), await fleet.start()]
    for case in cases:
        await fleet.task(case)
    fleet.worker("--build-id", "new")
    fleet.command("deploy", "new")
    old.stop(signal.SIGTERM)

    version = f"version {fleet.queue}:old"
    found = await watch.until("no_worker", about=version)
    fleet.worker("--build-id", "old")
    await watch.until_look(lambda look: all(one.about != version for one in look.change.now))

    assert found.cause == f"no poller for {version}: 2 open case(s) are pinned to it"
    assert found.remedy == "start a worker of that code: workunits worker --build-id old"
    assert found.unit == "errand"
    assert found.since < datetime.now(UTC)


async def test_f16_a_build_that_was_never_made_current(fleet, watch):
    """Its worker polls, and new cases wait all the same: the remedy deploys it."""
    fleet.worker("--build-id", "first")
    case = await fleet.start()
    about = f"deployment {fleet.queue}"

    found = await watch.until("no_worker", about=about)
    fleet.command("deploy", "first")
    await fleet.task(case)
    await watch.until_look(lambda look: all(one.about != about for one in look.change.now))

    assert found.cause == f"no build of {fleet.queue} is current: 1 open case(s) wait for one"
    assert found.remedy == "workunits deploy first"


async def test_f16_a_queue_that_nobody_serves(fleet, watch):
    """A queue without any worker is one finding for each unit that has open cases there, and so is one for a kind."""
    case = await fleet.start()
    await fleet.start(Advised, trouble="none")
    about = f"queue {fleet.queue}"

    def both(look):
        found = {one.unit: one for one in look.change.now if one.about == about}
        return found if len(found) > 1 else None

    found = await watch.until_look(both)  # the engine counts a case a moment after it was started
    fleet.worker()
    await watch.until_look(lambda look: all(one.about != about for one in look.change.now))
    await fleet.task(case)
    apart = Watch(fleet, queues={"ai": f"{fleet.queue}-ai"})
    of_ai = await apart.until("no_worker", about=f"queue {fleet.queue}-ai")
    apart.watchdog.close()

    assert sorted(found) == ["advised", "errand"]
    assert found["errand"].cause == f"no worker polls {about} for cases: 1 open case(s) wait for it"
    assert (of_ai.unit, of_ai.remedy) == ("advised", "start one: workunits worker --executors ai")


async def test_f16_a_case_on_a_queue_that_nobody_knows(fleet, watch):
    """Nobody takes its next task, although the queue of the settings is served: the case itself is named."""
    fleet.worker()
    elsewhere, fleet.queue = fleet.queue, f"{fleet.queue}-else"
    case = await fleet.start()
    fleet.queue = elsewhere

    found = await watch.until("no_worker", case)

    assert found.cause == f"nobody takes its next workflow task, on queue {elsewhere}-else"
    assert abs(found.since - (await fleet.client.get_workflow_handle(case).describe()).start_time) < timedelta(
        seconds=1
    )
    await fleet.client.get_workflow_handle(case).terminate()
    await watch.until_well(case)


async def test_f18_a_step_that_is_tried_for_longer_than_its_patience(fleet, watch):
    """An operator has let it try without end: it is found once all its attempts would have been over."""
    fleet.worker(WORKUNITS_GRACE_SECONDS="0")
    case = await fleet.start(Advised, trouble="blocked")
    view = await fleet.until(lambda: _described(fleet, case))
    options = UpdateActivityOptionsRequest(
        namespace="default",
        execution=WorkflowExecution(workflow_id=case),
        id="advise",
        activity_options=ActivityOptions(retry_policy=RetryPolicy(maximum_attempts=0)),
        update_mask=FieldMask(paths=["retry_policy.maximum_attempts"]),
    )
    await fleet.client.workflow_service.update_activity_options(options)

    found = await watch.until("out_of_patience", case)
    await fleet.client.get_workflow_handle(case).terminate()
    await watch.until_well(case)

    assert found.about == view.activity_id == "advise"
    assert "where all attempts may take 3 s: it is at attempt " in found.cause
    assert "of any number, after: " in found.cause
    assert (datetime.now(UTC) - found.since).total_seconds() > 4


async def test_f18_a_step_for_which_no_worker_has_a_free_hand(fleet, watch):
    """The one hand of the worker is blocked for good: the step waits, and another worker takes it up."""
    full = fleet.worker(WORKUNITS_MAX_ACTIVITIES="1")
    case = await fleet.start(Advised, trouble="blocked")

    found = await watch.until("out_of_patience", case)
    fleet.worker()
    kill(full)
    await fleet.task(case)
    await watch.until_well(case)

    assert "attempt 2 waits for a worker with a free hand" in found.cause
    assert "WORKUNITS_MAX_ACTIVITIES" in found.remedy


async def test_a_step_that_operations_paused(fleet, watch):
    """It is held, by whom and why; resumed, it is silent."""
    fleet.worker(WORKUNITS_MAX_ACTIVITIES="1")
    blocked = await fleet.start(trouble="before fetch")
    await fleet.until(lambda: fleet.book.calls(f"{blocked}/fetch"))
    case = await fleet.start()
    await fleet.until(lambda: _described(fleet, case))
    named: dict[str, Any] = {"namespace": "default", "execution": WorkflowExecution(workflow_id=case), "id": "fetch"}
    pause = PauseActivityRequest(**named, identity="olga", reason="the shop is closed")
    await fleet.client.workflow_service.pause_activity(pause)

    found = await watch.until("held", case)
    await fleet.client.workflow_service.unpause_activity(UnpauseActivityRequest(**named))
    fleet.book.release(f"{blocked}/fetch")
    await fleet.task(case)
    await watch.until_well(case)

    assert found.cause == "operations paused its step fetch by olga (the shop is closed)"
    assert found.remedy == f"temporal activity unpause --workflow-id '{case}' --activity-id fetch"


async def test_a_task_that_is_suspended_or_for_nobody(fleet, watch):
    """A role that nobody has, and a hold on a task, are each found, and end when somebody ends them."""
    fleet.worker()
    case = await fleet.start()
    task = await fleet.task(case)
    folder = fleet.shell.folder
    peopled = Watch(fleet, directory=write_people(folder, clerk="cook"))

    found = await peopled.until("nobody_eligible", case)
    write_people(folder, clerk="clerk")
    await peopled.until_well(case)
    head = {"actor": "head", "roles": ["head of errands"]}
    await fleet.cases.act(task.id, "suspend", body={"reason": "an audit"}, revision=task.revision, **head)
    held = await peopled.until("held", case)
    view = await fleet.cases.show(case)
    await fleet.act(view.tasks[0], "resume", **head)
    await peopled.until_well(case)
    peopled.watchdog.close()

    assert found.cause == "its task confirm waits for nobody: nobody has the role clerk"
    assert (found.about, found.since) == ("confirm", task.ready)
    assert held.cause == "its task confirm is suspended by head (an audit)"
    assert held.remedy == f"whoever answers for it resumes it: workunits tasks resume '{task.id}'"


async def _described(fleet, case):
    """The pending step of a case, once there is one."""
    said = await fleet.client.get_workflow_handle(case).describe()
    return next(iter(said.raw_description.pending_activities), None)
