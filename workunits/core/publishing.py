"""What a case writes where others see it: its record and its open tasks, in the workflow's memo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic_core import to_json
from temporalio import workflow

from .record import MEMO, MEMO_HARD_LIMIT, MEMO_LIMIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .lifecycle import Task
    from .record import Record

_LARGE = ("steps", "routes", "actions", "rungs", "ignored")


def publish(record: Record, open_tasks: Sequence[Task]) -> bool:
    """Write the memo; whether the whole record fitted."""
    tasks = [task.model_dump(mode="json", exclude_defaults=True) for task in open_tasks]
    said = record.compact()
    fits = len(to_json(said)) <= (MEMO_HARD_LIMIT if record.close == "cancelled" else MEMO_LIMIT)
    if not fits:
        for large in (*_LARGE, "incidents"):
            said.pop(large, None)
        # Someone has to decide the open ones, and finds them here.
        held = [i.model_dump(mode="json", exclude_defaults=True) for i in record.incidents if i.holds]
        said |= {"incidents": held} if held else {}
        said["elsewhere"] = True
    workflow.upsert_memo({MEMO: {"record": said, "tasks": tasks}})
    return fits
