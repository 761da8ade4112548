"""What an accepted action does to its task, and to the record of the work on it."""

from __future__ import annotations

from typing import Any

from temporalio import workflow

from .lifecycle import MOVES, Action, Escalate, Forward, State, Task
from .record import Microseconds, Work

_FIRST = "the first claim of a task is kept"
"""Cases in which a task was given back before there was this begin their clocks anew, as their histories say."""


def apply(task: Task, work: Work, action: Action, said: Any, at: Microseconds) -> bool:
    """Apply an action that was judged.

    Args:
        task: The task, changed in place.
        work: The record of the work on it, changed in place.
        action: The action.
        said: Its body, as the action's own model.
        at: When it counts.

    Returns:
        Whether anything changed: assigning a task to its owner is no event.
    """
    if action.action == "assign" and task.owner == said.to:
        return False
    before: State = task.state
    task.state = _target(task, action, said)
    moved = task.state != before
    if moved:
        _hold_clocks(work, before, at)
    _own(task, work, action, said, at)
    _keep_before(task, before)
    if action.action == "wait":
        task.waits_for, task.until = said.reason, said.until
        work.waits_for.append(said.reason)
    elif moved and task.state == "waiting" and task.waits_for:
        work.waits_for.append(task.waits_for)  # it goes on after a hold
    elif task.state not in ("waiting", "suspended"):
        task.waits_for = task.until = None
    if isinstance(said, Escalate):
        _escalate(task, said)
    if isinstance(said, Forward):
        _pass_on(task, said, passed_by=action.acting_for or action.actor)
    if moved and task.state in ("in_progress", "waiting", "suspended"):
        work.since = at
        work.now = None if task.state == "in_progress" else task.state
    task.revision += 1
    return True


def last_counted(work: Work) -> Microseconds:
    """When what was last said of the work on a task counts; as soon as it was ready when nothing was."""
    ends = (end for _, end in (*work.work, *work.waits, *work.held))
    return max(work.ready, work.since or 0, work.claimed or 0, *ends)


def end(task: Task, work: Work, state: State, at: Microseconds) -> None:
    """End a task that nobody may act on any more: it expired, or was superseded."""
    _hold_clocks(work, task.state, at)
    task.state = state
    task.revision += 1
    work.done = max(at, work.ready)
    work.end = "expired" if state == "expired" else "cancelled"


def end_by_operator(work: Work, action: Action, at: Microseconds, *, code: str | None) -> None:
    """End a machine step whose incident was decided: with a result, or with the code of its failure."""
    at = max(at, work.since or at)
    _hold_clocks(work, "suspended", at)
    work.done, work.end, work.code = at, "failed" if code else "done", code
    if code is None:
        work.by, work.acting_for, work.accountable = action.actor, action.acting_for, action.accountable


def resume(task: Task, work: Work, at: Microseconds) -> None:
    """Go on after a wait whose time is up; that may have been while the task was suspended."""
    at = max(at, work.since or at)
    _hold_clocks(work, "waiting", at)
    task.state, task.waits_for, task.until = "in_progress", None, None
    task.revision += 1
    work.since = at


def rise(task: Task, work: Work, to: str, at: Microseconds, *, moved: bool) -> None:
    """Take a task up the ladder: a further role may take it or, `moved`, only that role."""
    task.level += 1
    task.revision += 1
    if not moved:
        if to not in (task.role, *task.also):
            task.also = [*task.also, to]
        return
    _hold_clocks(work, task.state, at)
    task.state, task.waits_for, task.until, task.before = "ready", None, None, None
    task.role, task.also, task.people = to, [], []
    task.owner = task.delegator = None
    work.claimed = work.by = work.acting_for = None


def keep_first_claim(work: Work, before: Microseconds | None) -> None:
    """Keep when someone first took a task that is nobody's any more: a clock that began then goes on.

    Args:
        work: The record of the work on it, after whatever took it away.
        before: When it was claimed, until then.
    """
    if work.claimed is None and work.first_claimed is None and before is not None and workflow.patched(_FIRST):
        work.first_claimed = before


def _target(task: Task, action: Action, said: Any) -> State:
    if action.action == "resume":
        return "in_progress" if task.state == "waiting" else task.before or "ready"
    if action.action == "escalate":
        return "ready" if said.how == "reassign_up" else task.state
    return MOVES[action.action].target or task.state


def _own(task: Task, work: Work, action: Action, said: Any, at: Microseconds) -> None:
    """Who has it now."""
    name = action.action
    if name in ("claim", "start", "complete"):
        if work.claimed is None:
            work.claimed = at
        # A substitute works on the owner's task; whose it is does not change by that.
        task.owner = task.owner or action.actor
        work.by, work.acting_for = action.actor, action.acting_for
    elif name in ("assign", "delegate"):
        # Whoever is assigned a task answers it by themselves, whoever had it before.
        task.delegator = (task.delegator or task.owner) if name == "delegate" else None
        task.owner, work.by, work.acting_for = said.to, said.to, None
        work.claimed = at if work.claimed is None else work.claimed
    elif name == "resolve":
        task.owner, task.delegator = task.delegator, None
        work.by, work.acting_for = task.owner, None
    elif name in ("release", "forward") or (name == "escalate" and task.state == "ready"):
        task.owner = task.delegator = None
        work.claimed = work.by = work.acting_for = None
    if name in ("complete", "fail"):
        work.assigned_only = not work.work
    if name == "complete":
        work.accountable = action.accountable
        work.done, work.end = at, "done"
    elif name in ("fail", "skip", "cancel"):
        work.by = work.by or (action.actor if name == "fail" else None)
        work.done, work.end = at, {"fail": "exception", "skip": "skipped", "cancel": "cancelled"}[name]  # type: ignore[assignment]
        work.code = said.code if name == "fail" else None


def _keep_before(task: Task, before: State) -> None:
    """Remember where a resume goes back to."""
    if task.state != before:
        task.before = before if task.state == "suspended" else None


def _escalate(task: Task, said: Escalate) -> None:
    task.level += 1
    if not task.accountable:
        return
    if said.how == "reassign_up":
        task.role, task.also, task.people = task.accountable, [], []
    elif task.accountable not in (task.role, *task.also):
        task.also = [*task.also, task.accountable]


def _pass_on(task: Task, said: Forward, passed_by: str) -> None:
    if passed_by not in task.barred:
        task.barred = [*task.barred, passed_by]
    if said.role:
        task.role = said.role
    if said.to:
        task.people = [said.to]
        task.barred = [name for name in task.barred if name != said.to]


def _hold_clocks(work: Work, before: State, at: Microseconds) -> None:
    """End the interval that was running."""
    if work.since is None:
        return
    interval = work.since, max(at, work.since)
    {"waiting": work.waits, "suspended": work.held}.get(before, work.work).append(interval)
    work.since = work.now = None
