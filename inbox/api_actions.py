"""The part of the HTTP API by which one acts on tasks: one operation for each action."""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from starlette.responses import JSONResponse

from inbox.api_base import PREFIX, Service, Who, problems
from inbox.api_tasks import TASK, TaskId
from inbox.documents import OutcomeDocument
from inbox.identity import Actor
from inbox.reviewing import apart
from inbox.security import Problem, problem_of
from inbox.service import TaskService
from inbox.sheet import Outcome
from workunits.core.errors import BadInput, Refused
from workunits.core.lifecycle import MOVES
from workunits.core.strict_json import loads

router = APIRouter(prefix=PREFIX, responses=problems())
_KEY = re.compile(r'"?([\x21\x23-\x7e]{1,100})"?')
_ETAG = re.compile(r'"([1-9][0-9]{0,8})"')
_NOT_HERE = {"not_substitute": 403}
"""Statuses of refusals that only a door gives."""


async def take_action(
    request: Request,
    actor: Actor,
    service: TaskService,
    task_id: str,
    action: str,
    *,
    key: str | None,
    match: str | None,
    acting_for: str | None,
    hold: float,
) -> Response:
    """Act on a task; see the module's operations."""
    action_id, revision = _action_id(key), _revision(match)
    body, review = apart(service.catalog, task_id, action, _object(await request.body()))
    outcome = await service.act(
        actor,
        task_id,
        action,
        body,
        review=review,
        action_id=action_id,
        revision=revision,
        acting_for=acting_for,
        hold=hold,
    )
    if outcome.state == "refused":
        raise problem_from(outcome, conditional=revision is not None)
    headers = {"ETag": f'"{outcome.revision}"'} if outcome.revision else {}
    if outcome.state != "applied":
        headers["Location"] = f"{PREFIX}/actions/{outcome.action_id}"
    document = OutcomeDocument.of(outcome).model_dump(mode="json")
    return JSONResponse(document, 200 if outcome.state == "applied" else 202, headers)


def _operation(action: str) -> Callable[..., Awaitable[Response]]:
    async def act(
        request: Request,
        actor: Who,
        service: Service,
        task: TaskId,
        *,
        idempotency_key: Annotated[str | None, Header(max_length=102)] = None,
        if_match: Annotated[str | None, Header(max_length=20)] = None,
        acting_for: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
        hold: Annotated[float, Query(ge=0, le=30, allow_inf_nan=False)] = 0,
    ) -> Response:
        return await take_action(
            request,
            actor,
            service,
            task,
            action,
            key=idempotency_key,
            match=if_match,
            acting_for=acting_for,
            hold=hold,
        )

    act.__doc__ = f"{action.capitalize()} a task."
    return act


for _name in MOVES:
    router.add_api_route(
        f"{TASK}/{_name}",
        _operation(_name),
        methods=["POST"],
        operation_id=f"{_name}_task",
        response_model=OutcomeDocument,
        responses={202: {"model": OutcomeDocument, "description": "Saved and being delivered."}, **problems(409, 412)},
    )


@router.post(f"{TASK}/{{action}}", include_in_schema=False)
async def unknown_action(actor: Who) -> Response:
    """Refuse what is no action."""
    del actor
    raise Problem(404, "unknown_action", f"there is no such action; there are {', '.join(sorted(MOVES))}")


@router.get("/actions/{action_id}", operation_id="show_action", response_model=OutcomeDocument)
async def show_action(
    actor: Who, service: Service, action_id: Annotated[str, Path(min_length=1, max_length=100)]
) -> OutcomeDocument:
    """Show how an action of yours stands."""
    return OutcomeDocument.of(await service.outcome(actor, action_id))


@router.delete(
    "/actions/{action_id}", operation_id="undo_action", response_model=OutcomeDocument, responses=problems(409)
)
async def undo_action(
    actor: Who, service: Service, action_id: Annotated[str, Path(min_length=1, max_length=100)]
) -> OutcomeDocument:
    """Take back an action of yours that is still held."""
    undone = await service.undo(actor, action_id)
    outcome = await service.outcome(actor, action_id)
    if not undone and outcome.code != "undone":
        raise Problem(409, "too_late", "the action was sent already and cannot be undone", action_id=action_id)
    return OutcomeDocument.of(outcome)


def problem_from(outcome: Outcome, *, conditional: bool) -> Problem:
    """What a refused action is answered with.

    Args:
        outcome: Of the action.
        conditional: Its sender named the revision that it is for.
    """
    if outcome.code in ("unknown_task", "unknown_action"):
        return problem_of(Refused("unknown_task", outcome.detail))
    base = problem_of(BadInput(outcome.detail, code=outcome.code) if outcome.field else Refused(outcome.code, ""))
    stale = conditional and outcome.is_stale
    more: dict[str, Any] = {"action_id": outcome.action_id}
    if outcome.revision is not None:
        more["revision"] = outcome.revision
    if outcome.meanwhile:
        more["meanwhile"] = [
            {"at": one.at.isoformat(), "by": one.by, "action": one.action, "state": one.state}
            for one in outcome.meanwhile
        ]
    if outcome.may:
        more["may"] = list(outcome.may)
    return Problem(
        412 if stale else _NOT_HERE.get(outcome.code, base.status),
        outcome.code,
        outcome.detail,
        field=outcome.field,
        errors=outcome.errors,
        **more,
    )


def _action_id(key: str | None) -> str:
    if key is None:
        return uuid.uuid4().hex
    found = _KEY.fullmatch(key)
    if found is None:
        raise BadInput("should be 1 to 100 printable ASCII characters without blanks", field="Idempotency-Key")
    return found[1]


def _revision(match: str | None) -> int | None:
    if match is None or match.strip() == "*":
        return None
    found = _ETAG.fullmatch(match.strip())
    if found is None:
        raise BadInput('should be the ETag of the task, such as "3", or *', field="If-Match")
    return int(found[1])


def _object(data: bytes) -> dict[str, Any]:
    """The body of an action; none says nothing."""
    value = loads(data) if data else {}
    if not isinstance(value, dict):
        raise BadInput("should be an object", field="body", code="bad_body")
    return value
