"""What a case writes where others see it: its record and its open tasks, in the workflow's memo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import to_json
from temporalio import workflow

from .record import CHANGED_AT, DUE_AT, MEMO, MEMO_HARD_LIMIT, MEMO_LIMIT, OPEN_TASKS, STATE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from temporalio.common import SearchAttributeUpdate

    from .lifecycle import Task
    from .record import Record

_LARGE = ("steps", "routes", "actions", "rungs", "entries", "clocks", "off", "ignored")


def publish(record: Record, open_tasks: Sequence[Task], *, for_the_next_run: bool = False) -> bool:
    """Write the memo; whether the whole record fitted.

    Args:
        record: The case.
        open_tasks: Its open tasks.
        for_the_next_run: The run ends with it: the SDK's copy is what the next one is given.
    """
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
    if not for_the_next_run:
        kept: Any = workflow.info().raw_memo  # a copy, for as long as the case is open
        kept.pop(MEMO)
    return fits


def attributes(record: Record, open_tasks: Sequence[Task], now: datetime) -> list[SearchAttributeUpdate[Any]]:
    """The search attributes of a case as it stands; before its clock is armed it is due at no time."""
    dues = [*([record.when(record.due)] if record.due else []), *(task.expires for task in open_tasks if task.expires)]
    return [
        STATE.value_set(record.state(open_tasks)),
        DUE_AT.value_set(min(dues)) if dues else DUE_AT.value_unset(),
        OPEN_TASKS.value_set(len(open_tasks)),
        CHANGED_AT.value_set(now),
    ]
