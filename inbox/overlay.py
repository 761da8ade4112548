"""A sender's own fresh actions, laid over a list that does not show them yet: who acts sees the answer at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from inbox.journal import Entry
from inbox.wanted import TaskPage, TaskRow, Viewer, Wanted, fits, read_cursor
from workunits.core.lifecycle import OPEN


@dataclass(frozen=True, slots=True)
class Fresh:
    """What a sender's own actions made of a task."""

    answered: tuple[Entry, ...] = ()
    pending: str | None = None


def fresh_of(entries: Iterable[Entry]) -> dict[str, Fresh]:
    """By task."""
    found: dict[str, Fresh] = {}
    for entry in entries:
        before = found.get(entry.task_id, Fresh())
        if entry.state == "answered":
            found[entry.task_id] = replace(before, answered=(*before.answered, entry))
        else:
            found[entry.task_id] = replace(before, pending=entry.action)
    return found


def laid_over(
    page: TaskPage,
    fresh: Mapping[str, Fresh],
    rows: Callable[[Sequence[str]], Sequence[TaskRow]],
    wanted: Wanted,
    viewer: Viewer,
) -> TaskPage:
    """A page as it will be once the ledger has followed.

    Args:
        page: As the ledger has it.
        fresh: What the viewer did.
        rows: Fetches further open tasks by their ids.
        wanted: What the page shows.
        viewer: Who looks.
    """
    if not fresh:
        return page
    there = {row.task_id for row in page.tasks}
    others = [task_id for task_id, one in fresh.items() if task_id not in there and one.answered]
    laid = [_laid(row, fresh[row.task_id]) if row.task_id in fresh else row for row in page.tasks]
    joined = [row for row in (_laid(row, fresh[row.task_id]) for row in rows(others)) if _on_page(row, page, wanted)]
    kept = [row for row in (*laid, *joined) if row.state in OPEN and fits(row, wanted, viewer, page.now)]
    return replace(page, tasks=tuple(sorted(kept, key=lambda row: row.place)))


def _laid(row: TaskRow, fresh: Fresh) -> TaskRow:
    for entry in fresh.answered:
        answer = entry.answer or {}
        if answer.get("revision", 0) > row.revision:
            row = replace(row, state=answer["state"], revision=answer["revision"], owner=_owner(row, entry))
    return replace(row, pending=fresh.pending)


def _owner(row: TaskRow, entry: Entry) -> str | None:
    """Who has the task after an action."""
    body = entry.envelope.get("body") or {}
    if entry.action in ("claim", "start", "complete"):
        return row.owner or entry.actor
    if entry.action in ("assign", "delegate"):
        return str(body.get("to"))
    gone = entry.action in ("release", "forward", "resolve") or body.get("how") == "reassign_up"
    return None if gone else row.owner


def _on_page(row: TaskRow, page: TaskPage, wanted: Wanted) -> bool:
    """Whether a task's place is between the cursors of a page."""
    first = read_cursor(wanted.cursor) if wanted.cursor else None
    last = read_cursor(page.next) if page.next else None
    return (first is None or first < row.place) and (last is None or row.place < last)
