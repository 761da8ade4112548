"""The pages of incidents, for those who administrate a unit: what waits for a decision, by cause, and the decision."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from inbox import operations
from inbox.answering import Answer, answer_fields
from inbox.framing import frame, signed_in
from inbox.identity import Actor
from inbox.moments import span
from inbox.operations import Decided
from inbox.rendering import Clock, case_href, render
from inbox.security import Problem
from inbox.shapes import words
from workunits.core.errors import BadInput, Refused
from workunits.core.incidents import DECISIONS
from workunits.core.spec import Step
from workunits.core.strict_json import seen_from
from workunits.operating import Trouble

router = APIRouter(include_in_schema=False)
MOST = 100
_SEE_OTHER = 303
_REASON = "reason"


@router.get("/incidents")
async def incidents(request: Request, actor: Actor = signed_in) -> Response:
    """All open incidents, together by their cause."""
    clock = Clock.of(actor)
    found, more = await operations.incidents_for(request.app.state.doors, actor)
    return render(
        "incidents.html",
        frame(request, actor, clock, at="incidents"),
        causes=list(_causes(found, clock)),
        more=more,
        action_id=uuid.uuid4().hex,
    )


@router.post("/incidents")
async def retry(request: Request, actor: Actor = signed_in) -> Response:
    """Retry those of one cause, as they were shown."""
    form, doors = await request.form(), request.app.state.doors
    chosen = dict(_seen(str(value)) for value in form.getlist("incident"))
    if not chosen:
        return RedirectResponse("/incidents", _SEE_OTHER)
    if len(chosen) > MOST:
        raise Problem(422, "invalid_field", f"at most {MOST} incidents are retried at once", field="incident")
    troubles = [(await operations.find(doors, actor, name))[0] for name in chosen]
    as_seen = [_at(trouble, chosen[trouble.name]) for trouble in troubles]
    results = await operations.retry_all(
        doors, actor, as_seen, action_id=str(form.get("action_id")) or uuid.uuid4().hex
    )
    return _done(request, actor, results)


@router.get("/incident/{name:path}")
async def incident(request: Request, name: str, actor: Actor = signed_in) -> Response:
    """One incident, and what may be decided."""
    trouble, step = await operations.find(request.app.state.doors, actor, name)
    return _ask(request, actor, trouble, _answer(step, actor))


@router.post("/incident/{name:path}")
async def decide(request: Request, name: str, actor: Actor = signed_in) -> Response:
    """Retry it, give its result, or let its case fail."""
    form, doors = await request.form(), request.app.state.doors
    trouble, step = await operations.find(doors, actor, name)
    what, reason = str(form.get("_do", "")), str(form.get(_REASON, "")).strip()
    answer = _answer(step, actor, answer_fields(form))
    if what.startswith(("add:", "remove:")):
        answer.change(what)
        return _ask(request, actor, trouble, answer, reason=reason)
    action = "resolve" if what.startswith("decide:") else what
    if action not in DECISIONS:
        return _ask(request, actor, trouble, answer, reason=reason)
    body: dict[str, Any] = {"reason": reason} if reason else {}
    if action == "resolve":
        answer.decide(what)
        body["result"] = answer.read()
    wrong = "Say why: it stays on the record." if action != "retry" and not reason else ""
    if wrong or (action == "resolve" and answer.errors):
        return _ask(request, actor, trouble, answer, reason=reason, wrong={action: wrong} if wrong else {})
    seen = _seen(str(form.get("incident", "")))[1]
    action_id = str(form.get("action_id", "")) or uuid.uuid4().hex
    try:
        done = await operations.settle(doors, actor, _at(trouble, seen), action, body, action_id=action_id)
    except BadInput as error:
        field = error.field.removeprefix("body.result").lstrip(".")
        answer.refuse([], seen_from("body.result", str(error).removeprefix(f"{error.field}: ")), field)
        return _ask(request, actor, trouble, answer, reason=reason)
    except Refused as refused:
        done = Decided(trouble.name, good=False, word="Refused", text=f"{refused}.")
    return _done(request, actor, [done])


def _causes(found: Iterable[Trouble], clock: Clock) -> Iterable[dict[str, Any]]:
    """The incidents by unit and cause, the most frequent cause first; in each, the oldest first."""
    heaps: dict[tuple[str, str], list[Trouble]] = {}
    for trouble in found:
        heaps.setdefault((trouble.view.unit, trouble.incident.code), []).append(trouble)
    for (unit, code), heap in sorted(heaps.items(), key=lambda item: (-len(item[1]), item[0])):
        heap.sort(key=lambda one: (one.since is None, one.since, one.name))
        waiting = [one for one in heap if one.incident.state == "open"][:MOST]
        yield {
            "id": f"c-{unit}-{quote(code, safe='').replace('%', '_')}",
            "title": f"{words(unit)}: {code}",
            "values": [_value(one) for one in waiting],
            "rows": [_row(one, clock) for one in heap],
        }


def _row(trouble: Trouble, clock: Clock) -> dict[str, Any]:
    one = trouble.incident
    return {
        "name": f"{trouble.view.key}: {words(one.step)}",
        "href": _href(trouble),
        "cause": one.cause.replace("_", " "),
        "tries": one.tries,
        "state": "being tried" if one.state == "retrying" else "open",
        "age": span(clock.now - trouble.since) if trouble.since else "",
        "since": trouble.since,
    }


def _ask(
    request: Request,
    actor: Actor,
    trouble: Trouble,
    answer: Answer,
    *,
    reason: str = "",
    wrong: dict[str, str] | None = None,
) -> Response:
    clock, wrong = Clock.of(actor), wrong or {}
    one, record = trouble.incident, trouble.view.record
    closed = record.when(one.closed) if record and one.closed is not None else None
    errors = [*answer.summary, *((f"reason-{action}", text) for action, text in wrong.items())]
    return render(
        "incident.html",
        frame(request, actor, clock, at="incidents"),
        status=422 if errors else 200,
        incident=_row(trouble, clock)
        | {
            "state": one.state,
            "waits": one.state == "open",
            "value": _value(trouble),
            "case_href": case_href(trouble.view.case),
            "case": f"{words(trouble.view.unit)} {trouble.view.key}",
            "attempts": one.attempts,
            "closed": closed,
            "by": one.by,
            "why": one.why,
        },
        form=answer.root,
        decision=answer.decision,
        decision_error=answer.decision_error,
        errors=errors,
        wrong=wrong,
        reason=reason,
        action_id=uuid.uuid4().hex,
    )


def _done(request: Request, actor: Actor, results: Sequence[Decided]) -> Response:
    good = sum(result.good for result in results)
    rows = [
        {
            "name": result.name,
            "href": f"/incident/{quote(result.name, safe='/')}",
            "good": result.good,
            "word": result.word,
            "text": result.text,
        }
        for result in results
    ]
    return render(
        "incidents_done.html",
        frame(request, actor, at="incidents"),
        status=200 if good else 409,
        heading=f"{good} of {len(results)} done" if len(results) > 1 else results[0].word,
        results=rows,
    )


def _answer(step: Step[Any, Any], actor: Actor, typed: dict[str, list[str]] | None = None) -> Answer:
    return Answer(step.gives.model_json_schema(), Clock.of(actor).zone.key, step.gives, typed or {})


def _href(trouble: Trouble) -> str:
    return f"/incident/{quote(trouble.name, safe='/')}"


def _value(trouble: Trouble) -> str:
    """An incident and the revision that is shown."""
    return f"{trouble.name}:{trouble.incident.revision}"


def _seen(value: str) -> tuple[str, int]:
    """An incident and the revision that was seen."""
    name, _, revision = value.rpartition(":")
    known = revision.isascii() and revision.isdigit() and len(revision) < 10  # noqa: PLR2004
    return (name, int(revision)) if known else (value, 1)


def _at(trouble: Trouble, revision: int) -> Trouble:
    """The incident as it was seen: a decision on what has changed since is refused."""
    return Trouble(trouble.view, trouble.incident.model_copy(update={"revision": revision}))
