"""What the API says, as models: OpenAPI is made from them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from inbox.notes import Comment
from inbox.sheet import CaseSheet, Happened, Outcome, TaskSheet
from inbox.wanted import TaskPage, TaskRow
from workunits.core.record import Record
from workunits.core.unit import WorkUnit


class _Said(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ProblemDocument(BaseModel):
    """A refusal (RFC 9457), as `application/problem+json`."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    """One sentence for people; it never repeats what was sent."""
    code: str
    """For machines."""
    field: str | None = None
    errors: list[dict[str, str]] | None = None
    """Each misfit, as `field` and `detail`."""


class TaskItem(_Said):
    """One open task on a list."""

    task_id: str
    case_id: str
    unit: str
    key: str
    step: str
    role: str
    state: str
    revision: int
    owner: str | None
    external: bool
    because: str | None
    ready_at: datetime
    expires_at: datetime | None
    due_at: datetime | None
    urgency: int
    """From 0 to 100, by what has fired on the clocks of the case and of the task."""
    slack_seconds: float | None
    """Due minus now minus the usual work time of the step."""
    overdue: bool
    at_risk: bool
    pending: str | None
    """An action of yours that is being delivered, or can still be undone."""

    @classmethod
    def of(cls, row: TaskRow, now: datetime) -> Self:
        """Say a row of a list."""
        names = set(cls.model_fields) - {"slack_seconds", "overdue", "at_risk"}
        slack = row.slack(now)
        return cls(
            **{name: getattr(row, name) for name in names},
            slack_seconds=slack.total_seconds() if slack is not None else None,
            overdue=row.is_overdue(now),
            at_risk=row.is_at_risk(now),
        )


class TaskList(_Said):
    """One page of open tasks, the most urgent first."""

    tasks: list[TaskItem]
    next: str | None
    """The `cursor` of the page after this; null on the last one."""
    source: Literal["ledger", "engine"]
    banner: str
    """What one has to know of this list; empty when there is nothing."""

    @classmethod
    def of(cls, page: TaskPage) -> Self:
        """Say a page."""
        items = [TaskItem.of(row, page.now) for row in page.tasks]
        return cls(tasks=items, next=page.next, source=page.source, banner=page.banner)


class ActionTaken(_Said):
    """An action that took effect: who did what, when."""

    at: datetime
    step: str
    action: str
    by: str
    acting_for: str | None
    state: str
    revision: int
    said: dict[str, Any]


class CommentItem(_Said):
    """What someone said about a case."""

    id: str
    case_id: str
    task_id: str | None
    at: datetime
    actor: str
    text: str


class CommentList(BaseModel):
    """What was said about a case, the oldest first."""

    comments: list[CommentItem]


class CommentBody(_Sent):
    """A comment."""

    text: str = Field(min_length=1, max_length=4000)


class DraftDocument(BaseModel):
    """What you have typed so far, for a task."""

    body: dict[str, Any] | None
    saved_at: datetime | None


class ProposalDocument(BaseModel):
    """What a model proposes, where you may see it before you decide."""

    output: dict[str, Any]
    hash: str
    """Send it as `review.proposal`: then a decision on another proposal is refused."""
    confidence: float | None
    """Calibrated: how often such a proposal is right; null when nobody has measured that."""
    raw: float | None
    """What the model says of itself; no probability."""
    alternatives: list[dict[str, Any]]
    evidence: list[str]
    """What it rests on."""
    executor: str
    """Model, prompt and tools."""
    level: str
    reasons: list[str]
    """The codes that `review.reason` may have."""


class TaskDocument(BaseModel):
    """One task, with all that one needs to decide."""

    task_id: str
    case_id: str
    unit: str
    key: str
    step: str
    role: str
    state: str
    revision: int
    owner: str | None
    delegator: str | None
    accountable_role: str | None
    accountable: str | None
    """The person who answers for the decision, now."""
    because: str | None
    why: str
    """Why it is shown to you."""
    ready_at: datetime
    expires_at: datetime | None
    due_at: datetime | None
    asked: Any
    """The step's input; null while no worker says it."""
    evidence: Any
    proposal: ProposalDocument | None
    """Null where no model proposes, or where you decide without seeing it."""
    answer_schema: dict[str, Any]
    allowed: list[str]
    """What you may do now."""
    refused: dict[str, str]
    """What you may not do, each with the code of why."""
    history: list[ActionTaken]
    comments: list[CommentItem]
    pending: list[str]
    """Ids of your own actions that are being delivered, or can still be undone."""
    live: bool
    seen: str

    @classmethod
    def of(cls, sheet: TaskSheet) -> Self:
        """Say a sheet."""
        task = sheet.task
        return cls(
            task_id=task.id,
            **{name: getattr(task, name) for name in ("step", "role", "state", "revision", "owner", "delegator")},
            **{name: getattr(sheet, name) for name in ("case_id", "unit", "key", "accountable", "why", "asked")},
            **{name: getattr(sheet, name) for name in ("evidence", "live", "seen")},
            proposal=ProposalDocument.model_validate(sheet.proposal) if sheet.proposal else None,
            accountable_role=task.accountable or None,
            because=task.because,
            ready_at=task.ready,
            expires_at=task.expires,
            due_at=sheet.due,
            answer_schema=dict(sheet.answer_schema),
            allowed=sorted(name for name, why in sheet.allowed.items() if not why),
            refused={name: why for name, why in sheet.allowed.items() if why},
            history=taken(sheet.history),
            comments=said(sheet.comments),
            pending=[entry.action_id for entry in sheet.pending],
        )


class OutcomeDocument(BaseModel):
    """What came of an action."""

    action_id: str
    task_id: str
    action: str
    state: Literal["applied", "pending", "held", "refused"]
    """`pending`: it is saved and being delivered; `held`: it can still be undone."""
    task_state: str | None = None
    revision: int | None = None
    held_until: datetime | None = None
    code: str = ""
    detail: str = ""

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        """Say an outcome."""
        names = ("action_id", "task_id", "action", "state", "revision", "held_until", "code", "detail")
        return cls(**{name: getattr(outcome, name) for name in names}, task_state=(outcome.answer or {}).get("state"))


class CaseItem(_Said):
    """One case on a list."""

    case_id: str
    unit: str
    key: str
    state: str
    started_at: datetime
    closed_at: datetime | None
    due_at: datetime | None
    sla: str | None


class CaseList(BaseModel):
    """One page of cases, the newest first."""

    cases: list[CaseItem]
    next: str | None


class OpenTask(_Said):
    """An open task of a case."""

    id: str
    step: str
    role: str
    state: str
    revision: int
    owner: str | None


class CaseDocument(BaseModel):
    """One case."""

    case_id: str
    unit: str
    key: str
    state: str
    is_open: bool
    started_at: datetime
    closed_at: datetime | None
    due_at: datetime | None
    close: str | None
    reason: str | None
    sla: str | None
    tasks: list[OpenTask]
    history: list[ActionTaken]
    comments: list[CommentItem]
    may_cancel: bool
    record: Record | None

    @classmethod
    def of(cls, sheet: CaseSheet) -> Self:
        """Say a sheet."""
        record = sheet.record
        names = ("case_id", "unit", "key", "state", "is_open", "may_cancel")
        return cls(
            **{name: getattr(sheet, name) for name in names},
            started_at=sheet.started,
            closed_at=sheet.closed,
            due_at=sheet.due,
            close=record.close if record else None,
            reason=record.reason if record else None,
            sla=record.sla if record else None,
            tasks=[OpenTask.model_validate(task, from_attributes=True) for task in sheet.tasks],
            history=taken(sheet.history),
            comments=said(sheet.comments),
            record=record,
        )


class StartedCase(_Said):
    """A case that was started, or was there already with the same input."""

    case: str
    existing: bool


class CancelBody(_Sent):
    """Why a case is to be cancelled."""

    reason: str = Field(min_length=1, max_length=400)


class CancelAsked(BaseModel):
    """That a case was asked to close; it says itself when it has."""

    case: str


class EvidenceBody(_Sent):
    """What was learned of a closed case."""

    measure: str = Field(min_length=1, max_length=60)
    value: float = Field(allow_inf_nan=False)
    """Yes is 1, no is 0."""
    source: str = Field(min_length=1, max_length=200)
    occurred_at: AwareDatetime | None = None
    """When it happened; now when omitted."""


class EvidenceNoted(_Said):
    """What came of a piece of evidence."""

    case: str
    measure: str
    new: bool
    counts: bool
    close: str
    corrected: bool


class UnitItem(BaseModel):
    """A unit that you have a part in."""

    unit: str
    version: str
    statement: str
    definition: dict[str, Any]
    """Its four elements."""

    @classmethod
    def of(cls, unit: type[WorkUnit], definition: Mapping[str, Any]) -> Self:
        """Say a unit."""
        return cls(
            unit=unit.unit_name,
            version=unit.version,
            statement=unit.outcome.statement,
            definition=dict(definition),
        )


class UnitList(BaseModel):
    """The units that you have a part in."""

    units: list[UnitItem]


def taken(history: tuple[Happened, ...]) -> list[ActionTaken]:
    """Say what people did."""
    return [ActionTaken.model_validate(one) for one in history]


def said(comments: tuple[Comment, ...] | list[Comment]) -> list[CommentItem]:
    """Say comments."""
    return [CommentItem.model_validate(one) for one in comments]
