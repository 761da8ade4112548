"""F15 and F16: two versions of a unit's code, with and without Worker Versioning; a version that nobody serves."""

import asyncio
import signal

from temporalio.api.enums.v1 import EventType

from tests.faults.fleet import TASK_TIMEOUT, kill

UNGUARDED = "found = await self.perform(self.FETCH, case)", "found = Found(trouble=case.trouble)"


async def test_f15_an_unguarded_edit_wedges_and_a_rollback_heals(fleet):
    """Without versions, a changed procedure cannot replay an open case: it is found at once, and nothing is lost."""
    before = fleet.worker()
    case = await fleet.start(task_timeout=TASK_TIMEOUT)
    task = await fleet.task(case)
    kill(before)
    edited = fleet.worker(PYTHONPATH=fleet.edited(*UNGUARDED))
    answering = asyncio.create_task(fleet.answer(task))

    found = await fleet.until(fleet.doctor)
    view = await fleet.cases.show(case)
    kill(edited)
    fleet.worker()
    await answering
    record = await fleet.closed(case)

    [(check, message)] = found
    assert check == "cases"
    assert f"{case}: attempt " in message
    assert "Nondeterminism" in message
    assert "the step 'fetch'" in message
    assert view.is_open
    assert record.close == "achieved"
    assert [work.key for work in record.steps] == ["fetch", "confirm", "deliver"]


async def test_f15_with_worker_versioning_an_open_case_stays_on_its_build(fleet):
    """The same edit as a build of its own: the open case ends as it began, a new one goes the new way."""
    fleet.worker("--build-id", "old")
    fleet.command("deploy", "old")
    case = await fleet.start()
    task = await fleet.task(case)
    fleet.worker("--build-id", "new", PYTHONPATH=fleet.edited(*UNGUARDED))
    fleet.command("deploy", "new")
    later = await fleet.start()
    tasks = task, await fleet.task(later)

    for one in tasks:
        await fleet.answer(one)
    old, new = await fleet.closed(case), await fleet.closed(later)

    assert (old.close, await builds(fleet, case)) == ("achieved", {"old"})
    assert (new.close, await builds(fleet, later)) == ("achieved", {"new"})
    assert [work.key for work in old.steps] == ["fetch", "confirm", "deliver"]
    assert [work.key for work in new.steps] == ["confirm", "deliver"]


async def test_f16_a_version_that_nobody_serves(fleet):
    """`doctor` names the build that open cases wait for; a worker of that build lets them go on."""
    old = fleet.worker("--build-id", "old")
    fleet.command("deploy", "old")
    case = await fleet.start()
    task = await fleet.task(case)
    fleet.worker("--build-id", "new")
    fleet.command("deploy", "new")
    old.stop(signal.SIGTERM)

    found = await fleet.until(fleet.doctor)
    fleet.worker("--build-id", "old")
    await fleet.until(lambda: fleet.doctor() == [])  # it says that it polls before the engine has heard of it
    await fleet.answer(task)

    assert found == [("build", f"no poller for version {fleet.queue}:old: 1 open case(s) wait for it")]
    assert (await fleet.closed(case)).close == "achieved"
    assert await builds(fleet, case) == {"old"}


async def builds(fleet, case):
    """The builds whose workers a case had."""
    completed = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    events = [event for event in await fleet.events(case) if event.event_type == completed]
    return {event.workflow_task_completed_event_attributes.deployment_version.build_id for event in events}
