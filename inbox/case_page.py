"""The page of a case: how it stands, its promise, its steps on a time line, and all that people did in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response

from inbox.framing import frame, signed_in
from inbox.identity import Actor
from inbox.moments import micro, span
from inbox.promise_view import promise
from inbox.readable import safe_link
from inbox.rendering import Clock, case_href, due, explain_href, render, task_href
from inbox.shapes import words
from inbox.sheet import CaseSheet, Happened
from inbox.timeline import course_of
from observability.learning.proposed import made_by, told
from workunits.core.lifecycle import Task
from workunits.core.parts import parts
from workunits.core.record import ROUTES, Record
from workunits.core.unit import WorkUnit

router = APIRouter(include_in_schema=False)
_DID = {
    "claim": "claimed it",
    "assign": "assigned it",
    "release": "released it",
    "start": "started work",
    "stop": "stopped work",
    "wait": "began to wait",
    "resume": "resumed it",
    "suspend": "suspended it",
    "delegate": "delegated it",
    "resolve": "handed it back",
    "forward": "forwarded it",
    "escalate": "escalated it",
    "complete": "completed it",
    "fail": "raised an exception",
    "skip": "skipped it",
    "cancel": "cancelled it",
    "retry": "had it tried again",
}
_DECIDED = {"resolve": "gave its result by hand", "fail": "let the case fail"}
"""What an operator did on an incident, where it is called as it is on a task."""
_GOOD, _BAD = ("achieved",), ("failed", "expired", "not_achieved", "incident")
_SHOWN = 20


@router.get("/case/{case_id:path}")
async def case(request: Request, case_id: str, actor: Actor = signed_in) -> Response:
    """One case."""
    app = request.app.state
    sheet: CaseSheet = await app.service.case(actor, case_id)
    clock = Clock.of(actor)
    unit = app.doors.catalog.get(sheet.unit)
    record = sheet.record
    elapsed = _elapsed(record, clock.now) if record else 0

    def name(who: str) -> str:
        return called(who, app.doors.directory)

    return render(
        "case.html",
        frame(request, actor, clock),
        case=_head(sheet, unit, clock, app.doors),
        clock=promise(record, elapsed, unit.outcome.target, name, is_open=sheet.is_open) if record else None,
        course=course_of(record, elapsed, name) if record else None,
        parts=list(_parts(record, clock.now)) if record else [],
        proposals=list(_proposals(record, name)) if record else [],
        routes=list(_routes(record)) if record else [],
        history=happened(sheet.history, sheet.comments, app.doors.directory),
        ignored=_ignored(record) if record else None,
        input=None,
    )


def happened(
    history: Sequence[Happened], comments: Sequence[Any], directory: Any, *, steps: bool = True
) -> list[dict[str, Any]]:
    """What people did and said, in the order of time.

    Args:
        history: What they did.
        comments: What they said.
        directory: Who is who.
        steps: Whether to name the step.
    """

    def name(who: str) -> str:
        return called(who, directory)

    entries = [
        {
            "at": one.at,
            "who": name(one.by) + (f" for {name(one.acting_for)}" if one.acting_for else ""),
            "did": _did(one) + (f" ({words(one.step)})" if steps else ""),
            "said": _told(one.said, name),
            "comment": False,
        }
        for one in history
    ]
    entries += [
        {"at": one.at, "who": name(one.actor), "did": "commented", "said": one.text, "comment": True}
        for one in comments
    ]
    return sorted(entries, key=lambda entry: entry["at"])


def _did(one: Happened) -> str:
    """What someone did, in words; of an incident, too, where an action may be called as it is on a task."""
    of_incident = one.state == "resolved" or (one.action == "fail" and "code" not in one.said)
    return _DECIDED[one.action] if of_incident and one.action in _DECIDED else did(one.action)


def did(action: str) -> str:
    """What someone did, in words: `claimed it`."""
    return _DID.get(action, words(action).lower())


def _told(said: Mapping[str, Any], name: Any) -> str:
    """What an action said beside an answer, in words."""
    found = [f"To {name(str(said['to']))}."] if said.get("to") else []
    found += [f"To the role {said['role']}."] if said.get("role") else []
    found += [f"{words(str(said['code']))}."] if said.get("code") else []
    return " ".join([*found, str(said.get("reason", ""))]).strip()


def _head(sheet: CaseSheet, unit: type[WorkUnit], clock: Clock, doors: Any) -> dict[str, Any]:
    record = sheet.record
    good = sheet.state in _GOOD
    kind = "good" if good else "overdue" if sheet.state in _BAD else "risk" if sheet.state == "achieved_late" else ""
    open_due = sheet.due if sheet.is_open else None
    at_risk = record is not None and record.warned is not None

    def held(task: Task) -> str:
        return _waits_for(task, clock.now, doors.directory)

    return {
        "unit": sheet.unit,
        "key": sheet.key,
        "href": case_href(sheet.case_id),
        "explain": explain_href(sheet.case_id),
        "state": words(sheet.state),
        "state_kind": kind,
        "due": due(open_due, clock.now, at_risk=at_risk) if open_due else None,
        "statement": unit.outcome.statement,
        "stale": "The engine does not answer: this is what the ledger knows." if sheet.source == "ledger" else "",
        "facts": list(_facts(sheet, unit, doors)),
        "tasks": [
            {
                "href": task_href(task.id),
                "title": words(task.step),
                "text": held(task),
            }
            for task in sheet.tasks
        ],
        "links": _links(sheet, doors),
    }


def _facts(sheet: CaseSheet, unit: type[WorkUnit], doors: Any) -> Iterator[tuple[str, str, datetime | None]]:
    record = sheet.record
    name = doors.directory.accountable(unit.outcome.accountable, datetime.now(UTC))
    role = unit.outcome.accountable
    yield "Answers for it", f"{role}: {called(name, doors.directory)}" if name else role, None
    yield "Started", "", sheet.started
    if sheet.due:
        yield "Due", "", sheet.due
    if sheet.closed:
        yield "Closed", "", sheet.closed
    if record:
        yield from _recorded(record, doors.directory)


def _recorded(record: Record, directory: Any) -> Iterator[tuple[str, str, datetime | None]]:
    for incident in record.incidents:
        if incident.holds:
            yield "Held by an incident", incident.cause.replace("_", " "), None
    if record.started_by:
        yield "Started by", called(record.started_by, directory), None
    if record.breached is not None:
        yield "Promise broken", "", record.when(record.breached)
    if record.closed is not None:
        yield "Took", micro(record.closed), None
    reason = ": ".join(part for part in (words(record.reason or ""), record.why or "") if part)
    if reason:
        yield "Reason", reason, None
    if record.decided_by:
        yield "Decided by", ", ".join(called(who, directory) for who in record.decided_by), None
    for label, value in record.facts.items():
        yield words(label), _fact(value), None


def called(who: str, directory: Any) -> str:
    """How people call someone; the name itself where the directory does not have it."""
    person = directory.person(who)
    return person.display if person else who


def _fact(value: Any) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    return "\N{EN DASH}" if value is None else words(value) if isinstance(value, str) else str(value)


def _waits_for(task: Task, now: datetime, directory: Any) -> str:
    held = f"{words(task.state).lower()} by {called(task.owner, directory)}" if task.owner else f"for {task.role}"
    return f"{held}, open {span(now - task.ready)}"


def _links(sheet: CaseSheet, doors: Any) -> list[tuple[str, str]]:
    found = []
    if doors.temporal_ui:
        space = quote(doors.cases.client.namespace, safe="")
        where = f"{quote(sheet.case_id, safe='')}/{quote(sheet.run_id, safe='')}"
        found.append(("Temporal", f"{doors.temporal_ui.rstrip('/')}/namespaces/{space}/workflows/{where}/history"))
    if doors.traces and sheet.record and sheet.record.trace:
        found.append(("Trace", doors.traces.replace("{trace_id}", quote(sheet.record.trace, safe=""))))
    return [(label, href) for label, href in found if safe_link(href)]


def _elapsed(record: Record, now: datetime) -> int:
    return record.closed if record.closed is not None else record.offset(now)


def _parts(record: Record, now: datetime) -> Iterator[tuple[str, str, str]]:
    if record.elsewhere:
        return
    elapsed = _elapsed(record, now)
    for part, count in sorted(parts(record, elapsed).items(), key=lambda one: -one[1]):
        if count:
            yield words(part), micro(count), f"{count / max(elapsed, 1):.0%}"


def _routes(record: Record) -> Iterator[dict[str, Any]]:
    for route in record.routes:
        then = ROUTES.get(route.to) or f"{words(route.to)} takes over"
        at = record.started + timedelta(microseconds=route.at)
        step = words(route.key) if route.key else "the unit"
        yield {"at": at, "step": step, "code": words(route.code), "business": route.business, "then": then}


def _proposals(record: Record, name: Callable[[str], str]) -> Iterator[dict[str, Any]]:
    for one in told(record):
        who = ", ".join(name(by) for by in one.by) or ("the model" if one.is_models else "nobody")
        why = f"{one.route}, because {one.why}"
        yield {
            "step": words(one.key),
            "by": made_by(one.proposed.executor) or "\N{EN DASH}",
            "level": one.proposed.level,
            "route": f"{why[:1].upper()}{why[1:]}",
            "who": who[:1].upper() + who[1:],
            "decision": one.decision,
        }


def _ignored(record: Record) -> dict[str, Any] | None:
    if not record.ignored_count:
        return None
    shown = [(one.code, one.why) for one in record.ignored[:_SHOWN]]
    return {"count": record.ignored_count, "shown": shown}
