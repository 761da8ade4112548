"""The plan of what does not move: events, bytes and workflow tasks of one history; histories for the replay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory

from bench.driver import Driver

CASES = 40
"""As many histories as a replay needs to be measured."""


async def plan(driver: Driver, tag: str, folder: str, cases: str = str(CASES)) -> dict[str, Any]:
    """Drive cases at 20 in flight, keep their histories, and count in one more that ran alone."""
    await driver.load(tag, int(cases))
    for number in range(int(cases)):
        # The file's name is the case's: the replay needs it, for a person's answer names its case.
        history = await driver.handle(f"{tag}-{number}").fetch_history()
        _keep(folder, f"{tag}-{number}", history)
    await driver.quiet(f"{tag}-one", 1)
    handle = driver.handle(f"{tag}-one-0")
    events = (await handle.fetch_history()).events
    info = (await handle.describe()).raw_description.workflow_execution_info
    done = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    return {
        "events": len(events),
        "bytes": info.history_size_bytes,
        "workflow_tasks": sum(event.event_type == done for event in events),
        "cases": int(cases) + 1,
    }


def _keep(folder: str, name: str, history: WorkflowHistory) -> None:
    Path(folder, f"{name}.json").write_text(history.to_json())
