"""What is shown of one task, of one case, and of what came of an action."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from inbox.journal import Entry
from inbox.notes import Comment, Draft
from workunits.cases import CaseView
from workunits.core.lifecycle import State, Task
from workunits.core.record import Record, Work
from workunits.core.unit import WorkUnit

Source = Literal["engine", "ledger"]
_ENDS: dict[str, State] = {
    "done": "completed",
    "exception": "failed",
    "skipped": "skipped",
    "expired": "expired",
    "cancelled": "cancelled",
}


@dataclass(frozen=True, slots=True)
class Happened:
    """An action that took effect: who did what, when."""

    at: datetime
    step: str
    """The performance: the last part of its task's id."""
    action: str
    by: str
    acting_for: str | None
    state: str
    revision: int
    said: Mapping[str, Any] = field(default_factory=dict)
    """To whom, why; answers are left out."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an action."""

    action_id: str
    task_id: str
    action: str
    state: Literal["applied", "pending", "held", "refused"]
    """`pending`: it is saved and being delivered; `held`: it can still be undone."""
    answer: Mapping[str, Any] | None = None
    """`{"task_id", "state", "revision"}` of one that was applied."""
    held_until: datetime | None = None
    code: str = ""
    detail: str = ""
    field: str = ""
    errors: tuple[Mapping[str, str], ...] = ()
    """Each misfit of the body, as `field` and `detail`."""
    revision: int | None = None
    """The task's revision now, where it was refused and the task is still there."""
    meanwhile: tuple[Happened, ...] = ()
    """What others did since the revision that the actor saw."""
    may: tuple[str, ...] = ()
    """Who may do it, where the actor may not."""

    @property
    def is_stale(self) -> bool:
        """Whether it was refused because something happened meanwhile."""
        return self.code == "stale_revision" or (self.code in ("not_owner", "wrong_state") and bool(self.meanwhile))


@dataclass(frozen=True, slots=True)
class TaskSheet:
    """One task, as someone is shown it."""

    task: Task
    case_id: str
    unit: str
    key: str
    version: str
    due: datetime | None
    warned: datetime | None
    why: str
    """Why it is shown to the actor, in words."""
    asked: Any
    """The step's input; None when no worker says it now."""
    evidence: Any
    """What the exception that led here brought along, or a machine found out."""
    proposal: Mapping[str, Any] | None
    """What a model proposes, as the unit's `question` has it; None when there is none, or it is not to be seen."""
    answer_schema: Mapping[str, Any]
    waits: tuple[str, ...]
    exceptions: tuple[str, ...]
    skippable: bool
    forwardable: bool
    allowed: Mapping[str, str]
    """Each action with the code of why it would be refused; an empty code: it is allowed."""
    accountable: str | None
    """The person who answers for the decision, now."""
    history: tuple[Happened, ...]
    """All that people did in the case."""
    record: Record | None
    comments: tuple[Comment, ...]
    draft: Draft | None
    pending: tuple[Entry, ...]
    """The actor's own actions that are being delivered, or can still be undone."""
    seen: str
    """A hash of what is shown; it goes with the actor's next action."""
    live: bool = True
    """A worker answered for the case; else what was asked is not known now."""
    source: Source = "engine"
    case_input: Any = None
    """The case's start argument, where no worker says what is asked."""

    @property
    def revision(self) -> int:
        """Of the task."""
        return self.task.revision

    @property
    def is_open(self) -> bool:
        """Whether someone may still act on it."""
        return self.task.is_open


@dataclass(frozen=True, slots=True)
class CaseSheet:
    """One case, as someone is shown it."""

    case_id: str
    unit: str
    key: str
    state: str
    is_open: bool
    run_id: str
    started: datetime
    closed: datetime | None
    due: datetime | None
    record: Record | None
    tasks: tuple[Task, ...]
    history: tuple[Happened, ...]
    comments: tuple[Comment, ...]
    may_cancel: bool
    source: Source = "engine"


def history_of(record: Record | None, key: str | None = None) -> tuple[Happened, ...]:
    """What people did in a case, in order.

    Args:
        record: The case's.
        key: Only on this task: the last part of its id.
    """
    acted = record.actions if record else []
    return tuple(
        Happened(record.when(a.at), a.task, a.action, a.by, a.acting_for, a.state, a.revision, a.said)
        for a in acted
        if record and key in (None, a.task)
    )


def task_in(view: CaseView, task_id: str, unit: type[WorkUnit]) -> Task | None:
    """A task of a case, also when it has ended; None when the case never had it."""
    found = next((task for task in view.tasks if task.id == task_id), None)
    if found is not None or view.record is None:
        return found
    case, _, key = task_id.rpartition("/")
    work = next((work for work in view.record.steps if work.key == key and work.kind == "human"), None)
    if work is None or case != view.case or (work.end is None and view.is_open):
        return None
    return _ended(view.record, work, task_id, unit)


def _ended(record: Record, work: Work, task_id: str, unit: type[WorkUnit]) -> Task:
    step = next((step for step in unit.steps if step.name == work.step), None)
    return Task(
        id=task_id,
        step=work.step,
        role=step.role if step else "",
        ready=record.when(work.ready),
        state=_ENDS.get(work.end or "", "cancelled"),
        revision=max((acted.revision for acted in record.actions if acted.task == work.key), default=1),
        owner=work.by,
        accountable=step.accountable if step else "",
        external=work.external,
        redo_of=work.redo_of,
    )


def hash_of(shown: Mapping[str, Any]) -> str:
    """A hash of what is shown."""
    text = json.dumps(shown, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()
