"""What the parts of the HTTP API share."""

from __future__ import annotations

from typing import Annotated, Any, cast

from fastapi import Depends, Path, Request

from inbox.identity import Actor, current_actor
from inbox.service import TaskService

PREFIX = "/api/v1"


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals that an operation may answer with, for its description."""
    always = (400, 401, 403, 404, 408, 413, 414, 415, 421, 422, 429, 500, 503)
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    return {status: {"description": "Refused.", "content": content} for status in sorted({*always, *statuses})}


Who = Annotated[Actor, Depends(current_actor)]
CaseId = Annotated[str, Path(min_length=1, max_length=400, description="`<unit>:<key>`")]
StepKey = Annotated[str, Path(min_length=1, max_length=80, description="The last part of a task's id.")]


async def service_of(request: Request) -> TaskService:
    """The service behind this API."""
    return cast("TaskService", request.app.state.service)


Service = Annotated[TaskService, Depends(service_of)]
