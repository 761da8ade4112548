"""The page of a task: what is asked and why, what there is to know, the answer, and what else may be done."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from inbox.answering import Answer, answer_fields
from inbox.asking import address_of, wanted_in, wanted_of
from inbox.case_page import did
from inbox.deeds import body_of
from inbox.framing import signed_in
from inbox.identity import Actor
from inbox.rendering import task_href
from inbox.reviewing import is_other, is_unsaid, review_in, trouble, verdict_of
from inbox.security import Problem
from inbox.sheet import Happened, Outcome, TaskSheet
from inbox.task_view import Shown, answer_of, show, stands_in
from inbox.wanted import TaskPage, Wanted
from workunits.core.errors import BadInput

router = APIRouter(include_in_schema=False)
HOLD = 8.0
"""Seconds in which a decision can be undone: it is kept here, and sent then."""
OTHER = "Another proposal stands now than the one that you were shown: look at it again."
UNSAID = "No worker says now what was proposed, or whether your answer is that. What you typed is kept: try again soon."
_SEE_OTHER, _NOW_NOT = 303, 503
_DIGITS = 10
_OF_ANSWER = frozenset({"complete", "save", "accept", "reject", "propose"})
_ENDS = frozenset({"complete", "fail", "skip", "cancel", "forward"})
"""After these there is nothing more to do here: the next task follows."""


@router.get("/task/{task_id:path}")
async def task(request: Request, task_id: str, actor: Actor = signed_in) -> Response:
    """One task, or only what has changed about it for a page that is there already."""
    sheet = await _sheet(request, actor, task_id)
    shown = Shown(sheet, address_of(wanted_of(request.query_params)))
    if request.query_params.get("part") == "state":
        seen = request.query_params.get("revision", "")
        return await show(request, actor, shown, part=int(seen) if seen.isdigit() and len(seen) < _DIGITS else 0)
    return await show(request, actor, shown)


@router.post("/task/{task_id:path}")
async def act(request: Request, task_id: str, actor: Actor = signed_in) -> Response:
    """Do what the pressed button says; the page comes back when something is wrong, with all that was typed."""
    form = await request.form()
    what = str(form.get("_do", ""))
    back = address_of(wanted_in(str(form.get("from", ""))))
    sheet = await _sheet(request, actor, task_id)
    shown = Shown(sheet, back, form=form)
    if what == "comment":
        return await _comment(request, actor, shown)
    if what in _OF_ANSWER or ":" in what:
        return await _answer(request, actor, shown, what)
    return await _do(request, actor, shown, what)


@router.post("/draft/{task_id:path}")
async def draft(request: Request, task_id: str, actor: Actor = signed_in) -> Response:
    """Keep what is typed, while it is typed."""
    typed = answer_fields(await request.form())
    await request.app.state.service.save_draft(actor, task_id, {"typed": typed})
    return Response(status_code=204)


async def _sheet(request: Request, actor: Actor, task_id: str) -> TaskSheet:
    address = request.client.host if request.client else ""
    sheet: TaskSheet = await request.app.state.service.sheet(actor, task_id, address=address)
    return sheet


async def _answer(request: Request, actor: Actor, shown: Shown, what: str) -> Response:
    """Complete the task, keep a draft, or change how many lines a list has."""
    sheet, form = shown.sheet, shown.form
    answer = shown.answer = answer_of(request, actor, sheet, answer_fields(form))
    if what.startswith(("add:", "remove:")):
        answer.change(what)
        return await show(request, actor, shown)
    if what == "save":
        await request.app.state.service.save_draft(actor, sheet.task.id, {"typed": dict(answer.typed)})
        return RedirectResponse(f"{task_href(sheet.task.id)}?{shown.back}#answer", _SEE_OTHER)
    if what == "propose":
        await request.app.state.service.drop_draft(actor, sheet.task.id)
        return RedirectResponse(f"{task_href(sheet.task.id)}?{shown.back}#answer", _SEE_OTHER)
    what, verdict = verdict_of(what)
    shown.rejecting = verdict == "reject"
    answer.decide(what)
    data = answer.read()
    if status := _hindered(request, shown, answer, verdict):
        if status == _NOW_NOT:  # without a worker the page has no form that could hold it
            await request.app.state.service.save_draft(actor, sheet.task.id, {"typed": dict(answer.typed)})
        return await show(request, actor, shown, status=status)
    outcome = await _send(request, actor, shown, "complete", data, hold=HOLD, review=review_in(form, sheet, verdict))
    if outcome.state == "refused":
        return await _refused(request, actor, shown, outcome, answer)
    if outcome.state == "held":
        # What was typed is there again if it is undone.
        await request.app.state.service.save_draft(actor, sheet.task.id, {"typed": dict(answer.typed)})
    return await _next(request, actor, shown, outcome)


def _hindered(request: Request, shown: Shown, answer: Answer, verdict: str) -> int:
    """The status with which the page comes back, and why; 0 when the answer can be sent."""
    sheet = shown.sheet
    if answer.errors:
        return 422
    if _seen(shown) != sheet.revision:
        # A decision that is held is judged later: that it was made on what has changed is told now.
        since = tuple(one for one in sheet.history if one.step == _key(sheet) and one.revision > _seen(shown))
        shown.conflict = _meanwhile(request, since)
    elif is_other(shown.form, sheet):
        shown.conflict = OTHER
    elif is_unsaid(shown.form, sheet, verdict):
        shown.wrong = {"": UNSAID}
        return _NOW_NOT
    if shown.conflict:
        return 412
    shown.wrong = trouble(sheet, answer, shown.form, verdict)
    return 422 if shown.wrong else 0


async def _do(request: Request, actor: Actor, shown: Shown, action: str) -> Response:
    """Take any other action."""
    shown.opened = action
    try:
        body = body_of(action, shown.form, actor.zone)
    except BadInput as error:
        shown.wrong = {error.field: str(error)}
        return await show(request, actor, shown, status=422)
    outcome = await _send(request, actor, shown, action, body)
    if outcome.state == "refused":
        return await _refused(request, actor, shown, outcome, None)
    if action in _ENDS:
        return await _next(request, actor, shown, outcome)
    return RedirectResponse(f"{task_href(shown.sheet.task.id)}?{_with(shown.back, outcome.action_id)}", _SEE_OTHER)


async def _send(
    request: Request,
    actor: Actor,
    shown: Shown,
    action: str,
    body: Mapping[str, Any],
    *,
    hold: float = 0,
    review: Any = None,
) -> Outcome:
    task_ = shown.sheet.task
    outcome: Outcome = await request.app.state.service.act(
        actor,
        task_.id,
        action,
        body,
        action_id=str(shown.form.get("action_id", "")) or uuid.uuid4().hex,
        revision=_seen(shown),
        acting_for=stands_in(shown.sheet, actor, request.app.state.doors.directory),
        hold=hold,
        review=review,
    )
    return outcome


async def _refused(request: Request, actor: Actor, shown: Shown, outcome: Outcome, answer: Answer | None) -> Response:
    """Show the task as it is now, with what was typed and what is wrong."""
    shown.sheet = await _sheet(request, actor, shown.sheet.task.id)
    if outcome.code == "stale_proposal":
        shown.conflict = OTHER
        return await show(request, actor, shown, status=412)
    if outcome.is_stale:
        shown.conflict = _meanwhile(request, outcome.meanwhile)
        return await show(request, actor, shown, status=412)
    if answer is not None and outcome.code == "invalid_field":
        answer.refuse(outcome.errors, outcome.detail, outcome.field)
        return await show(request, actor, shown, status=422)
    who = f" Who may: {', '.join(_name(request, name) for name in outcome.may)}." if outcome.may else ""
    shown.wrong = {outcome.field: f"{outcome.detail[:1].upper()}{outcome.detail[1:]}.{who}"}
    return await show(request, actor, shown, status=422 if outcome.field else 409)


def _meanwhile(request: Request, happened: Sequence[Happened]) -> str:
    """Who did what, in words."""
    if not happened:
        return "Someone changed it."
    return " ".join(f"{_name(request, one.by)} {did(one.action)}." for one in happened)


def _seen(shown: Shown) -> int:
    """The revision that was on the page."""
    said = str(shown.form.get("revision", ""))
    return int(said) if said.isascii() and said.isdigit() and len(said) < _DIGITS else shown.sheet.revision


def _key(sheet: TaskSheet) -> str:
    return sheet.task.id.rpartition("/")[2]


def _name(request: Request, who: str) -> str:
    person = request.app.state.doors.directory.person(who)
    return person.display if person else who


async def _comment(request: Request, actor: Actor, shown: Shown) -> Response:
    try:
        await request.app.state.service.comment(actor, shown.sheet.task.id, str(shown.form.get("text", "")))
    except BadInput as error:
        shown.wrong = {"comment": f"Comment: {error}."}
        return await show(request, actor, shown, status=422)
    return RedirectResponse(f"{task_href(shown.sheet.task.id)}?{shown.back}#history-title", _SEE_OTHER)


async def _next(request: Request, actor: Actor, shown: Shown, outcome: Outcome) -> Response:
    """Go on with the next task of the list that this one came from, or to the list when there is none."""
    wanted: Wanted = wanted_in(shown.back)
    try:
        listing: TaskPage = await request.app.state.service.tasks(actor, wanted)
        following = [row for row in listing.tasks if row.task_id != shown.sheet.task.id and row.pending is None]
    except (Problem, BadInput):
        following = []
    where = task_href(following[0].task_id) if following else "/tasks"
    return RedirectResponse(f"{where}?{_with(shown.back, outcome.action_id)}", _SEE_OTHER)


def _with(back: str, action_id: str) -> str:
    return address_of(wanted_in(back), did=action_id)
