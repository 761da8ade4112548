"""The pages: lists of tasks, saved views, what was just done, live updates, and the frame of login and refusals."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Form, Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.staticfiles import StaticFiles

from inbox import bulk_page, case_page, catalog_page, explain_page, incident_page, role_page, task_page
from inbox.asking import HEADINGS, LATE_WORDS, SCOPE_WORDS, address_of, is_filtered, wanted_in, wanted_of
from inbox.flash import flash_of, flashes
from inbox.framing import frame, signed_in
from inbox.identity import Actor
from inbox.live import Pulse
from inbox.moments import span
from inbox.rendering import HERE, Clock, breach_words, due_of, render, task_href
from inbox.security import Problem
from inbox.shapes import words
from inbox.wanted import STATES, TaskPage, TaskRow, Wanted
from workunits.core.errors import BadInput

router = APIRouter(include_in_schema=False)
SEE_OTHER = 303
_DIGITS = 10
_EMPTY = {
    "mine": "You have no tasks.",
    "groups": "Your groups have no open tasks.",
    "unclaimed": "Nothing waits to be claimed.",
    "all": "There are no open tasks that you may see.",
}


def install(app: FastAPI) -> None:
    """Add the pages to an application whose state has the doors and the service."""
    doors = app.state.doors
    app.state.pulse = Pulse(doors.ledger, doors.cases.client)
    app.state.problem_page = problem_page
    app.state.login_page = login_page
    app.state.logged_out_page = logged_out_page
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    pages = (task_page, bulk_page, incident_page, case_page, explain_page, catalog_page, role_page)
    for part in (router, *(page.router for page in pages)):
        app.include_router(part)


@router.get("/")
async def start(actor: Actor = signed_in) -> Response:
    """Begin with one's own tasks."""
    del actor
    return RedirectResponse("/tasks", SEE_OTHER)


@router.get("/tasks")
async def tasks(request: Request, actor: Actor = signed_in) -> Response:
    """A list of tasks, or only its rows for a page that is there already."""
    state = request.app.state
    wanted = wanted_of(request.query_params)
    try:
        listing: TaskPage = await state.service.tasks(actor, wanted)
    except BadInput:  # a cursor of yesterday's list: begin again
        wanted = replace(wanted, cursor="")
        listing = await state.service.tasks(actor, wanted)
    clock = Clock.of(actor, listing.now)
    part = request.headers.get("hx-request") == "true"
    views = {} if part else await state.service.views(actor)
    return render(
        "list_part.html" if part else "list.html",
        frame(request, actor, clock, at="tasks", search=wanted.search),
        listing=listing,
        wanted=wanted,
        heading=HEADINGS[wanted.scope],
        address=address_of(wanted),
        rows=[
            _row(row, actor, clock, wanted, state.doors.directory)
            | {"breach": breach_words(listing.breach.get(row.case_id))}
            for row in listing.tasks
        ],
        empty="Nothing fits these filters." if is_filtered(wanted) else _EMPTY[wanted.scope],
        filtered=is_filtered(wanted),
        query=lambda **other: f"/tasks?{address_of(wanted, **other)}",
        scopes=SCOPE_WORDS.items(),
        filters=_filters(state.service.units(actor)),
        chosen={name: getattr(wanted, name) or "" for name in ("unit", "role", "state", "late")},
        views=[{"name": name, "query": query} for name, query in views.items()],
        flashes=[] if part else await flashes(request, actor, address_of(wanted)),
    )


@router.post("/views")
async def save_view(
    request: Request, name: Annotated[str, Form()], query: Annotated[str, Form()] = "", actor: Actor = signed_in
) -> Response:
    """Keep filters under a name."""
    address = address_of(wanted_in(query))
    await request.app.state.service.save_view(actor, name, address)
    return RedirectResponse(f"/tasks?{address}", SEE_OTHER)


@router.post("/views/remove")
async def remove_view(
    request: Request, name: Annotated[str, Form()], query: Annotated[str, Form()] = "", actor: Actor = signed_in
) -> Response:
    """Forget a view."""
    await request.app.state.service.drop_view(actor, name)
    return RedirectResponse(f"/tasks?{address_of(wanted_in(query))}", SEE_OTHER)


@router.post("/undo")
async def undo(
    request: Request, action_id: Annotated[str, Form()], back: Annotated[str, Form()] = "", actor: Actor = signed_in
) -> Response:
    """Take back what is still held, and show its task again."""
    service = request.app.state.service
    outcome = await service.outcome(actor, action_id)
    await service.undo(actor, action_id)
    more = address_of(wanted_in(back), did=action_id)
    return RedirectResponse(f"{task_href(outcome.task_id)}?{more}", SEE_OTHER)


@router.get("/did")
async def settled(request: Request, did: str = "", back: str = "", actor: Actor = signed_in) -> Response:
    """What became of an action, for a page that said that it was on its way."""
    address = address_of(wanted_in(back))
    said = await flash_of(request, actor, address, did)
    return render("flash.html", frame(request, actor), flashes=[said] if said else [])


@router.get("/live")
async def live(request: Request, seen: str = "", actor: Actor = signed_in) -> Response:
    """Tell the page when to look again."""
    del actor
    version = int(seen) if seen.isascii() and seen.isdigit() and len(seen) < _DIGITS else None
    events = request.app.state.pulse.listen(request.app.state.stopping, version)
    return StreamingResponse(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


@router.get("/keys")
async def keys(request: Request, actor: Actor = signed_in) -> Response:
    """What the keys do."""
    return render("keys.html", frame(request, actor))


def problem_page(request: Request, problem: Problem) -> Response:
    """A refusal."""
    shown = {"title": problem.title, "detail": _sentence(problem.detail), "errors": problem.errors}
    return render("problem.html", frame(request, None), status=problem.status, **shown)


def login_page(request: Request, target: str) -> Response:
    """The ways to log in."""
    doors = request.app.state.doors
    now = datetime.now(UTC)
    people = [
        (one.name, f"{one.display}: {', '.join(doors.directory.roles_of(one.name, now)) or 'no role'}")
        for one in (doors.directory.everybody if doors.dev_login else ())
    ]
    return render(
        "login.html", frame(request, None), people=people, target=target, provider=doors.provider is not None, out=False
    )


def logged_out_page(request: Request, target: str) -> Response:
    """The last page."""
    return render("login.html", frame(request, None), people=[], target=target, provider=False, out=True)


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _filters(units: list[Any]) -> list[tuple[str, str, list[tuple[str, str]]]]:
    roles = sorted({step.role for unit in units for step in unit.steps if step.role})
    return [
        ("unit", "Unit", [(unit.unit_name, words(unit.unit_name)) for unit in units]),
        ("role", "Role", [(role, words(role)) for role in roles]),
        ("state", "State", [(state, words(state)) for state in STATES]),
        ("late", "Urgency", list(LATE_WORDS.items())),
    ]


def _row(row: TaskRow, actor: Actor, clock: Clock, wanted: Wanted, directory: Any) -> dict[str, Any]:
    return {
        "task": row,
        "title": words(row.step),
        "unit": words(row.unit),
        "href": f"{task_href(row.task_id)}?{address_of(wanted)}",
        "held": held_by(row, actor, directory),
        "age": span(clock.now - row.ready_at),
        "because": words(row.because).lower() if row.because else "",
        "due": due_of(row, clock.now),
        "pending": f"{words(row.pending)}: being delivered" if row.pending else "",
    }


def held_by(row: TaskRow, actor: Actor, directory: Any) -> str:
    """Who has a task, and how it stands."""
    state = words(row.state).lower()
    if row.owner is None:
        return f"unclaimed, for {row.person or row.role}" if row.state == "ready" else f"{state}, for {row.role}"
    person = directory.person(row.owner)
    who = "you" if row.owner == actor.name else person.display if person else row.owner
    return f"{state} by {who}" if row.state == "claimed" else f"{state} with {who}"
