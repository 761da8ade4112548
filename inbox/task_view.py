"""What a task's page shows, put together from its sheet."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, get_args

from fastapi import Request
from starlette.responses import Response

from inbox.answering import Answer
from inbox.case_page import did, happened
from inbox.flash import flashes
from inbox.forms import flat
from inbox.framing import frame
from inbox.identity import Actor
from inbox.moments import distance
from inbox.proposal_view import proposal_card
from inbox.readable import Item, readable
from inbox.rendering import Clock, Due, breach_words, case_href, due, render, task_href
from inbox.shapes import shape_of, words
from inbox.sheet import TaskSheet
from workunits.core.spec import Step
from workunits.core.unit import WorkUnit

_MOVED = {"not_owner": "someone else has claimed it", "excluded": "you took part in what it checks (four eyes)"}
_SHORT = 6
"""Fields up to which the answer stays in sight beside a long case."""
_SURE = ("confidence", "calibrated_confidence")


@dataclass
class Shown:
    """One showing of a task."""

    sheet: TaskSheet
    back: str
    """The query of the list that the actor comes from."""
    form: Any = field(default_factory=dict)
    """What was sent."""
    answer: Answer | None = None
    conflict: str = ""
    wrong: Mapping[str, str] = field(default_factory=dict)
    """What is wrong with an action other than the answer, by its field."""
    opened: str = ""
    """The action whose form stays open."""
    rejecting: bool = False
    """The proposal was rejected, and something is missing yet."""


async def show(request: Request, actor: Actor, shown: Shown, *, status: int = 200, part: int | None = None) -> Response:
    """Make the page.

    Args:
        request: Its request.
        actor: Who looks.
        shown: What.
        status: Of the response.
        part: Only what changed since this revision.
    """
    sheet, doors = shown.sheet, request.app.state.doors
    clock, unit = Clock.of(actor), doors.catalog.get(sheet.unit)
    answer = shown.answer or answer_of(request, actor, sheet)
    step = next(step for step in unit.steps if step.name == sheet.task.step)
    proposal, asked = _proposal(unit, step, sheet.asked) if sheet.live else (None, _input(unit, sheet.case_input))
    values: dict[str, Any] = {
        "task": _head(sheet, actor, clock, doors.directory),
        "from": shown.back,
        "from_query": shown.back,
        "pending": _pending(sheet),
        "moved": _moved(sheet, part, clock, doors.directory) if part is not None else "",
    }
    page = frame(request, actor, clock, at="tasks")
    if part is not None:
        return render("task_state.html", page, **values)
    case_id = sheet.case_id
    chances = await asyncio.to_thread(request.app.state.service.chances, [case_id], clock.now) if sheet.is_open else {}
    may = {name for name, why in sheet.allowed.items() if why == ""}
    card = proposal_card(sheet)
    told = request.app.state.service.stamps
    stamping = card is not None and "complete" in may and await asyncio.to_thread(told, actor, sheet, clock.now)
    errors = [*answer.summary, *(("", text) for text in shown.wrong.values())]
    return render(
        "task.html",
        page,
        status=status,
        **values,
        flashes=await flashes(request, actor, shown.back),
        breach=breach_words(chances.get(case_id)),
        errors=errors,
        conflict=shown.conflict,
        proposal=proposal,
        proposed=card,
        opened_evidence=shown.form.get("opened", ""),
        reason=shown.form.get("review_reason", ""),
        rejecting=shown.rejecting,
        stamping=stamping,
        asked=asked,
        evidence=readable(sheet.evidence) if sheet.evidence is not None else None,
        history=happened(sheet.history, sheet.comments, doors.directory),
        comment=shown.form.get("text", "") if "comment" in shown.wrong else "",
        short=len(flat(answer.root)) <= _SHORT,
        form=answer.root if sheet.is_open and sheet.live else None,
        decision=answer.decision,
        decision_error=answer.decision_error,
        may_complete="complete" in may,
        cannot=_cannot(sheet, doors.directory),
        action_id=uuid.uuid4().hex,
        drafted=f"Draft saved {distance(sheet.draft.saved_at, clock.now)}." if sheet.draft else "",
        acts=may - {"complete"},
        working=sheet.task.state == "in_progress",
        opened=shown.opened if shown.wrong else "",
        typed_act=lambda action, name: shown.form.get(name, "") if action == shown.opened else "",
        waits=sheet.waits,
        exceptions=sheet.exceptions,
        skippable=sheet.skippable,
        forwardable=sheet.forwardable,
        people=[person.name for person in doors.directory.everybody],
        roles=sorted({step.role for step in unit.steps if step.role}),
    )


def answer_of(
    request: Request, actor: Actor, sheet: TaskSheet, typed: Mapping[str, Sequence[str]] | None = None
) -> Answer:
    """The form of a task's answer: with what was typed, else with the draft, else as it begins."""
    unit = request.app.state.doors.catalog.get(sheet.unit)
    step = next(step for step in unit.steps if step.name == sheet.task.step)
    model = step.gives if unit.version == sheet.version else None
    proposed = sheet.proposal["output"] if sheet.proposal else None
    made = Answer(sheet.answer_schema, Clock.of(actor).zone.key, model, typed or {}, proposed=proposed)
    if typed is None and sheet.draft is not None:
        made.begin_with(sheet.draft.body)
    return made


def stands_in(sheet: TaskSheet, actor: Actor, directory: Any) -> str | None:
    """For whom the actor acts, where it is not for themselves."""
    task, now = sheet.task, datetime.now(UTC)
    if task.owner in actor.stands_in_for:
        return task.owner
    takers = {task.role, *task.also}
    if task.owner is not None or takers & set(actor.roles) or actor.name in task.people:
        return None
    theirs = (
        name for name in actor.stands_in_for if takers & set(directory.roles_of(name, now)) or name in task.people
    )
    return next(theirs, None)


def _head(sheet: TaskSheet, actor: Actor, clock: Clock, directory: Any) -> dict[str, Any]:
    task = sheet.task
    at_risk = sheet.warned is not None
    return {
        "title": words(task.step),
        "key": sheet.key,
        "unit": words(sheet.unit),
        "case_href": case_href(sheet.case_id),
        "href": task_href(task.id),
        "path": task_href(task.id).removeprefix("/task/"),
        "revision": sheet.revision,
        "due": due(sheet.due, clock.now, at_risk=at_risk) if sheet.due and task.is_open else Due("none", "", sheet.due),
        "state_words": words(task.state),
        "why": _why(sheet),
        "role": task.role or ", ".join(task.people),
        "owner": "you" if task.owner == actor.name else _name(task.owner, directory) if task.owner else "nobody yet",
        "accountable": _answers_for(sheet, directory),
        "ready": task.ready,
        "expires": task.expires,
        "until": task.until,
        "excluded": [_name(name, directory) for name in task.excluded],
        "because": words(task.because) if task.because else "",
    }


def _answers_for(sheet: TaskSheet, directory: Any) -> str:
    if not sheet.task.accountable:
        return ""
    return (
        f"{_name(sheet.accountable, directory)}, {sheet.task.accountable}"
        if sheet.accountable
        else sheet.task.accountable
    )


def _why(sheet: TaskSheet) -> str:
    """What is asked, and why of this person."""
    said = str(sheet.answer_schema.get("description", "")).partition("\n")[0]
    why = f"You see this because {sheet.why}." if sheet.is_open else ""
    return f"{said} {why}".strip()


def _name(who: str | None, directory: Any) -> str:
    person = directory.person(who) if who else None
    return person.display if person else who or ""


def _cannot(sheet: TaskSheet, directory: Any) -> str:
    """Why there is nothing to answer, in words; empty when there is."""
    task = sheet.task
    if not task.is_open:
        by = f" by {_name(task.owner, directory)}" if task.owner else ""
        return f"The task is {words(task.state).lower()}{by}."
    if not sheet.live:
        return "No worker says now what is asked. The page shows it as soon as one does; nothing is lost."
    why = sheet.allowed.get("complete", "")
    if not why:
        return ""
    if why == "not_owner" and task.owner:
        return f"{_name(task.owner, directory)} has claimed it."
    told = {
        "sign_off": "It was delegated to you: hand it back, and it is signed off.",
        "not_candidate": "You may read it.",
    }
    return told.get(why) or f"You cannot complete it: {_MOVED.get(why, words(why).lower())}."


def _pending(sheet: TaskSheet) -> str:
    """What is on its way, in words."""
    if not sheet.pending:
        return ""
    held = [entry for entry in sheet.pending if entry.state == "held"]
    names = ", ".join(did(entry.action) for entry in sheet.pending)
    return f"You {names}: it can still be undone." if held else f"Saved, being delivered: you {names}."


def _moved(sheet: TaskSheet, seen: int, clock: Clock, directory: Any) -> str:
    """What happened since a revision, in words; empty when nothing did."""
    if sheet.revision == seen:
        return ""
    key = sheet.task.id.rpartition("/")[2]
    since = [one for one in sheet.history if one.step == key and one.revision > seen]
    told = "; ".join(f"{_name(one.by, directory)} {did(one.action)} {distance(one.at, clock.now)}" for one in since)
    return f"The task has changed: {told}." if told else "The task has changed."


def _proposal(unit: type[WorkUnit], step: Step[Any, Any], asked: Any) -> tuple[dict[str, Any] | None, Item]:
    """What a model proposed, apart from the rest of what is asked."""
    shape = shape_of(step.takes.model_json_schema())
    item = readable(asked, shape)
    if not isinstance(asked, Mapping):
        return None, item
    models = {other.gives for other in unit.steps if other.kind == "ai"}
    for name, known in step.takes.model_fields.items():
        if models & set(_types(known.annotation)) and isinstance(asked.get(name), Mapping):
            said = dict(asked[name])
            sure = next((said.pop(key) for key in _SURE if isinstance(said.get(key), int | float)), None)
            fields = {field.name: field for field in shape.inside}
            rest = {key: value for key, value in asked.items() if key != name}
            made = {
                "item": readable(said, fields.get(name)),
                "confidence": sure,
                "percent": round(min(max(float(sure), 0), 1) * 100) if sure is not None else 0,
            }
            return made, replace(readable(rest, shape), label=item.label)
    return None, item


def _input(unit: type[WorkUnit], said: Any) -> Item:
    """What the case was started with: all there is when no worker says what is asked."""
    return readable(said, shape_of(unit.case_type.model_json_schema()))


def _types(annotation: Any) -> Iterable[Any]:
    """A type, and those that it is made of."""
    yield annotation
    for inner in get_args(annotation):
        yield from _types(inner)
