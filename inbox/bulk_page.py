"""Several tasks at once: claimed, released or answered alike, with the result of each."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from inbox.answering import Answer, answer_fields
from inbox.asking import address_of, wanted_in
from inbox.flash import name_of
from inbox.framing import frame, signed_in
from inbox.identity import Actor
from inbox.rendering import Clock, render, task_href
from inbox.reviewing import ONE_BY_ONE
from inbox.security import Problem
from inbox.shapes import words
from inbox.sheet import Outcome, TaskSheet
from inbox.task_view import answer_of, stands_in

router = APIRouter(include_in_schema=False)
MOST = 100
_AT_ONCE = 8
_SEE_OTHER = 303
_WORDS = {"applied": "Done", "pending": "Being delivered", "held": "Held", "refused": "Refused"}


@router.post("/bulk")
async def bulk(request: Request, actor: Actor = signed_in) -> Response:
    """Do the same to all selected tasks, or ask first for the one answer to all of them."""
    form = await request.form()
    what = str(form.get("_do", ""))
    back = address_of(wanted_in(str(form.get("from", ""))))
    chosen = list(dict.fromkeys(str(value) for value in form.getlist("task")))
    if not chosen:
        return RedirectResponse(f"/tasks?{back}", _SEE_OTHER)
    if len(chosen) > MOST:
        raise Problem(422, "invalid_field", f"at most {MOST} tasks are done at once", field="task")
    tasks = dict(_seen(value) for value in chosen)
    action_id = str(form.get("action_id", "")) or uuid.uuid4().hex
    if what in ("claim", "release"):
        return await _do(request, actor, tasks, action=what, body={}, action_id=action_id, back=back)
    sheets = await _sheets(request, actor, tasks)
    left = [sheet.task.id for sheet in sheets if _is_proposed(request, sheet)]
    if left:
        sheets = [sheet for sheet in sheets if sheet.task.id not in left]
        tasks = {task_id: revision for task_id, revision in tasks.items() if task_id not in left}
    if not sheets:
        return _results(request, actor, "Nothing was decided", [_left_out(task_id, back) for task_id in left], back)
    _same_step(sheets)
    typed = answer_fields(form)
    answer = answer_of(request, actor, sheets[0], typed or None)
    if what.startswith(("add:", "remove:")):
        answer.change(what)
    elif what == "send" or what.startswith("decide:"):
        answer.decide(what)
        data = answer.read()
        if not answer.errors:
            said = {"action": "complete", "body": data, "action_id": action_id, "back": back}
            return await _do(request, actor, tasks, **said, sheets=sheets)
    return _ask(request, actor, tasks, answer, step=sheets[0].task.step, action_id=action_id, back=back, left=left)


def _seen(value: str) -> tuple[str, int]:
    """A task and the revision that was seen, as a list's box names them."""
    task_id, _, revision = value.rpartition(":")
    known = revision.isascii() and revision.isdigit() and len(revision) < 10  # noqa: PLR2004
    return (task_id, int(revision)) if known else (value, 1)


async def _sheets(request: Request, actor: Actor, tasks: Mapping[str, int]) -> list[TaskSheet]:
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(task_id: str) -> TaskSheet:
        async with turns:
            sheet: TaskSheet = await request.app.state.service.sheet(actor, task_id)
            return sheet

    return list(await asyncio.gather(*(one(task_id) for task_id in tasks)))


def _is_proposed(request: Request, sheet: TaskSheet) -> bool:
    """Whether a model may propose the answer; also of those who decide without seeing it, who would know it else."""
    unit = request.app.state.doors.catalog.get(sheet.unit)
    return any(step.name == sheet.task.step and step.kind == "hybrid" for step in unit.steps)


def _left_out(task_id: str, back: str) -> dict[str, Any]:
    href = f"{task_href(task_id)}?{back}"
    return {"name": name_of(task_id), "href": href, "good": False, "word": "Left out", "text": f"{ONE_BY_ONE}."}


def _same_step(sheets: list[TaskSheet]) -> None:
    """Refuse one answer to different questions.

    Raises:
        Problem: 422.
    """
    kinds = {(sheet.unit, sheet.version, sheet.task.step) for sheet in sheets}
    if len(kinds) > 1:
        raise Problem(422, "invalid_field", "select tasks of one step: one answer is for one question", field="task")


async def _do(
    request: Request,
    actor: Actor,
    tasks: Mapping[str, int],
    *,
    action: str,
    body: Mapping[str, Any],
    action_id: str,
    back: str,
    sheets: Sequence[TaskSheet] = (),
) -> Response:
    """Act on each task, and say what came of each."""
    turns = asyncio.Semaphore(_AT_ONCE)
    known = {sheet.task.id: sheet for sheet in sheets}
    doors = request.app.state.doors

    async def one(number: int, task_id: str) -> Outcome | Problem:
        sheet = known.get(task_id)
        async with turns:
            try:
                outcome: Outcome = await request.app.state.service.act(
                    actor,
                    task_id,
                    action,
                    body,
                    action_id=f"{action_id}-{number}",
                    revision=tasks[task_id],
                    acting_for=stands_in(sheet, actor, doors.directory) if sheet else None,
                )
            except Problem as problem:
                return problem
            return outcome

    came = await asyncio.gather(*(one(number, task_id) for number, task_id in enumerate(tasks)))
    results = [_result(task_id, said, back) for task_id, said in zip(tasks, came, strict=True)]
    good = sum(result["good"] for result in results)
    heading = f"{words(action)}: {good} of {len(results)} done"
    return _results(request, actor, heading, results, back)


def _results(request: Request, actor: Actor, heading: str, results: list[dict[str, Any]], back: str) -> Response:
    """Say what came of each."""
    return render(
        "bulk.html",
        frame(request, actor, at="tasks"),
        status=200 if any(result["good"] for result in results) else 409,
        **{"from": back},
        heading=heading,
        results=results,
        errors=[],
    )


def _result(task_id: str, said: Outcome | Problem, back: str) -> dict[str, Any]:
    made = {"name": name_of(task_id), "href": f"{task_href(task_id)}?{back}"}
    if isinstance(said, Problem):
        return {**made, "good": False, "word": "Refused", "text": said.detail}
    refused = said.state == "refused"
    return {**made, "good": not refused, "word": _WORDS[said.state], "text": said.detail if refused else ""}


def _ask(
    request: Request,
    actor: Actor,
    tasks: Mapping[str, int],
    answer: Answer,
    *,
    step: str,
    action_id: str,
    back: str,
    left: Sequence[str],
) -> Response:
    """Ask for the one answer."""
    items = [
        {"name": name_of(task_id), "href": f"{task_href(task_id)}?{back}", "value": f"{task_id}:{revision}"}
        for task_id, revision in tasks.items()
    ]
    return render(
        "bulk.html",
        frame(request, actor, Clock.of(actor), at="tasks"),
        status=422 if answer.errors else 200,
        **{"from": back},
        heading=f"{words(step)}: {len(items)} task{'s' if len(items) > 1 else ''} at once",
        results=[],
        errors=answer.summary,
        items=items,
        form=answer.root,
        decision=answer.decision,
        action_id=action_id,
        left=[_left_out(task_id, back) for task_id in left],
    )
