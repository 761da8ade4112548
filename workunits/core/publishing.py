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
EVENT_LIMIT = 1_400_000
"""Bytes of a record in an event, which the server lets have 2 MB, the result among them."""
_UNBOUNDED = ("actions", "rungs", "entries", "ignored")
"""What messages and time add to a record without end."""
_LEFT_OUT = (("actions", "ignored"), ("off", "routes"), ("steps",), ("rungs", "entries", "clocks"))
"""What an open case leaves out, as far as it has to: first what nobody needs to go on with it."""


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
        _cut(said, record)
    workflow.upsert_memo({MEMO: {"record": said, "tasks": tasks}})
    if not for_the_next_run:
        kept: Any = workflow.info().raw_memo  # a copy, for as long as the case is open
        kept.pop(MEMO)
    return fits


def whole(record: Record) -> dict[str, Any]:
    """A closed record for the closing event; without the older messages, where they are more than an event can hold."""
    said, left = record.compact(), []
    while len(to_json(said)) > EVENT_LIMIT:
        name = max(_UNBOUNDED, key=lambda name: len(to_json(said.get(name, []))))
        if not said.get(name):
            break
        said[name] = said[name][len(said[name]) // 2 + 1 :]
        left.append(name)
    return said | ({"left_out": sorted(set(left))} if left else {})


def _cut(said: dict[str, Any], record: Record) -> None:
    """Leave out what makes a record too large; of a closed one all of it, which is in the closing event."""
    said["elsewhere"] = True
    # Someone has to decide the open ones, and finds them here.
    _keep(said, "incidents", [incident.holds for incident in record.incidents])
    if record.close is not None:
        for large in _LARGE:
            said.pop(large, None)
        return
    left: list[str] = []
    for names in _LEFT_OUT:
        for name in names:
            left += [name] if name in said else []
            _keep(said, name, [work.done is None for work in record.steps] if name == "steps" else [])
        said["left_out"] = left
        if len(to_json(said)) <= MEMO_LIMIT:
            return


def _keep(said: dict[str, Any], name: str, wanted: Sequence[bool]) -> None:
    """Keep of a list what is wanted, and not the list itself where that is nothing."""
    kept = [item for item, keeps in zip(said.pop(name, []), wanted, strict=False) if keeps]
    if kept:
        said[name] = kept


def upsert(updates: Sequence[SearchAttributeUpdate[Any]]) -> None:
    """Write search attributes, and let go of the SDK's two copies of each."""
    workflow.upsert_search_attributes(updates)
    ours = {update.key.name for update in updates}
    info: Any = workflow.info()
    pairs, values = info.typed_search_attributes.search_attributes, info.search_attributes
    pairs[:] = [pair for pair in pairs if pair.key.name not in ours]
    others = {name: value for name, value in values.items() if name not in ours}
    values.clear()
    values.update(others)


def attributes(record: Record, open_tasks: Sequence[Task], now: datetime) -> list[SearchAttributeUpdate[Any]]:
    """The search attributes of a case as it stands; before its clock is armed it is due at no time."""
    dues = [*([record.when(record.due)] if record.due else []), *(task.expires for task in open_tasks if task.expires)]
    return [
        STATE.value_set(record.state(open_tasks)),
        DUE_AT.value_set(min(dues)) if dues else DUE_AT.value_unset(),
        OPEN_TASKS.value_set(len(open_tasks)),
        CHANGED_AT.value_set(now),
    ]
