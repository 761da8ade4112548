"""Lists of open tasks from the engine's own listing, while the ledger is down: slower, and without usual work times."""

from __future__ import annotations

import heapq
from datetime import datetime, timedelta

from inbox.lookup import in_time
from inbox.touch import Touch
from inbox.wanted import TaskPage, TaskRow, Viewer, Wanted, check, cursor_of, fits
from observability.ledger.rows import also_of
from workunits.cases import TaskView
from workunits.client import Cases

BANNER = "The ledger does not answer now. This list comes from the engine; it may be slow, and acting works as usual."
_PATIENCE = 20.0


async def page_from_engine(cases: Cases, wanted: Wanted, viewer: Viewer, now: datetime, touch: Touch) -> TaskPage:
    """One page of a list.

    Raises:
        BadInput: what is wanted does not fit.
        UnknownUnitError.
        RPCError, TimeoutError: the engine does not answer either.
    """
    after = check(wanted)
    found: list[TaskRow] = []
    async with in_time(_PATIENCE):
        async for view in cases.tasks(wanted.unit):
            row = _row(view, touch)
            if fits(row, wanted, viewer, now) and (after is None or after < row.place):
                found.append(row)
    first = heapq.nsmallest(wanted.limit + 1, found, key=lambda row: (row.place.at, row.place.task))
    chosen = first[: wanted.limit]
    more = cursor_of(chosen[-1].place) if len(first) > wanted.limit else None
    return TaskPage(tuple(chosen), more, now, "engine", BANNER)


def _row(view: TaskView, touch: Touch) -> TaskRow:
    task = view.task
    return TaskRow(
        task_id=task.id,
        case_id=view.case,
        unit=view.unit,
        key=view.key,
        step=task.step,
        role=task.role,
        state=task.state,
        revision=task.revision,
        owner=task.owner,
        delegator=task.delegator,
        person=task.people[0] if task.people else None,
        accountable=task.accountable or None,
        level=task.level,
        external=task.external,
        because=task.because,
        ready_at=task.ready,
        expires_at=task.expires,
        due_at=view.due,
        warned_at=None,
        excluded=tuple(task.excluded),
        also=also_of(task),
        touch=touch.get((view.unit, task.step), timedelta(0)),
    )
