"""The part of the HTTP API that is about tasks, apart from acting on them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from inbox.api_base import PREFIX, CaseId, Service, StepKey, Who, problems
from inbox.documents import CommentBody, CommentItem, CommentList, DraftDocument, TaskDocument, TaskList, said
from inbox.guard import address_of
from inbox.wanted import LONGEST_PAGE, PAGE, Late, Scope, Wanted

router = APIRouter(prefix=PREFIX, responses=problems())
TASK = "/tasks/{case_id}/{step}"


async def task_id(case_id: CaseId, step: StepKey) -> str:
    """The id of the task that a path names."""
    return f"{case_id}/{step}"


TaskId = Annotated[str, Depends(task_id)]


@router.get("/tasks", operation_id="list_tasks", response_model=TaskList)
async def list_tasks(
    actor: Who,
    service: Service,
    *,
    scope: Scope = "all",
    unit: Annotated[str | None, Query(max_length=60)] = None,
    role: Annotated[str | None, Query(max_length=120)] = None,
    state: Annotated[str | None, Query(max_length=20)] = None,
    late: Late | None = None,
    search: Annotated[str, Query(max_length=120, description="How the business key begins.")] = "",
    cursor: Annotated[str, Query(max_length=2000, description="`next` of the page before.")] = "",
    limit: Annotated[int, Query(ge=1, le=LONGEST_PAGE)] = PAGE,
) -> TaskList:
    """List open tasks, the most urgent first."""
    wanted = Wanted(scope, unit, role, state, late, search, cursor, limit)
    return TaskList.of(await service.tasks(actor, wanted))


@router.get(TASK, operation_id="show_task", response_model=TaskDocument)
async def show_task(request: Request, response: Response, actor: Who, service: Service, task: TaskId) -> TaskDocument:
    """Show a task; the answer's ETag is its revision."""
    sheet = await service.sheet(actor, task, address=address_of(request))
    response.headers["ETag"] = f'"{sheet.revision}"'
    return TaskDocument.of(sheet)


@router.get(f"{TASK}/comments", operation_id="list_comments", response_model=CommentList)
async def list_comments(actor: Who, service: Service, task: TaskId) -> CommentList:
    """List what was said about the task's case."""
    return CommentList(comments=said(await service.comments(actor, task)))


@router.post(f"{TASK}/comments", operation_id="comment_on", response_model=CommentItem, status_code=201)
async def comment(actor: Who, service: Service, task: TaskId, body: CommentBody) -> CommentItem:
    """Say something about a task, to all who may read it."""
    return said([await service.comment(actor, task, body.text)])[0]


@router.get(f"{TASK}/draft", operation_id="show_draft", response_model=DraftDocument)
async def show_draft(actor: Who, service: Service, task: TaskId) -> DraftDocument:
    """Show what you have typed so far."""
    draft = await service.draft(actor, task)
    return DraftDocument(body=dict(draft.body) if draft else None, saved_at=draft.saved_at if draft else None)


@router.put(f"{TASK}/draft", operation_id="save_draft", response_model=DraftDocument)
async def save_draft(actor: Who, service: Service, task: TaskId, body: dict[str, Any]) -> DraftDocument:
    """Keep what you have typed so far."""
    draft = await service.save_draft(actor, task, body)
    return DraftDocument(body=dict(draft.body), saved_at=draft.saved_at)
