"""Commands on people's tasks: list them, look at one, act on one."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.commands.cases import As, Limit, OfUnit
from workers.console import Json, emit, fail, note, open_cases, run

if TYPE_CHECKING:
    from workers.names import TaskName
    from workunits.cases import TaskView
    from workunits.client import Cases

_NEVER = datetime.max.replace(tzinfo=UTC)

app = typer.Typer(
    help="What waits for people: list it, look at it, act on it.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

TaskArgument = Annotated[
    str, typer.Argument(metavar="TASK", help="unit:key/task, key/task, or the case when it has one open task.")
]
Roles = Annotated[
    list[str] | None, typer.Option("--role", help="A role of whoever acts; may be repeated. Default: the task's own.")
]
ActionId = Annotated[
    str, typer.Option(metavar="ID", help="The same id again has the same answer, and no further effect.")
]
Revision = Annotated[int | None, typer.Option(min=1, help="Refuse when the task has changed since.")]
ActingFor = Annotated[str | None, typer.Option(metavar="NAME", help="Whom the actor stands in for.")]


@app.command("ls")
def ls(
    ctx: typer.Context,
    *,
    unit: OfUnit = None,
    role: Annotated[str | None, typer.Option(help="Only those for this role.")] = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List the open tasks, most urgent first."""
    from workers.tables import line, table
    from workers.words import short_span

    views = run(_ls(ctx, unit, role, limit + 1))
    more, views, now = len(views) > limit, views[:limit], datetime.now(UTC)
    if json:
        emit({"tasks": [_as_json(view) for view in views], "more": more})
        return
    if not views:
        note("Nothing waits for a person" + (" with that role or unit." if unit or role else "."))
        return
    owned = any(view.task.owner for view in views)
    headers = ("TASK", "ROLE", ">WAITS", ">LEFT", *(("OWNER",) if owned else ()))
    rows = []
    for view in views:
        due = _due(view)
        left = short_span(due - now) if due > now else (f"OVERDUE {short_span(now - due)}", "bold red")
        row = (view.task.id, view.task.role, short_span(now - view.task.ready), left, view.task.owner or "")
        rows.append(row[: len(headers)])
    table(headers, rows, whole=(0, 2, 3))
    if more:
        line()
        line(f"These are the {limit} most urgent; for others: --limit, --unit, --role")


@app.command("show")
def show(ctx: typer.Context, task: TaskArgument, *, json: Json = False) -> None:
    """Show what a task asks: its input, what led here, and what the answer takes."""
    from workers.names import find_task, refuse_task
    from workers.task_page import show as show_page

    async def look() -> None:
        async with open_cases(ctx) as cases:
            found = await find_task(cases, task)
            if found.task is None:
                refuse_task(found.view, "there is no such open task")
            said = await cases.question(found.id)
        if json:
            view = found.view
            more = {"case": view.case, "unit": view.unit, "key": view.key, "due": view.due}
            emit({**said, "task": found.task, **more})
        else:
            show_page(found.view, found.task, said, cases.catalog, datetime.now(UTC))

    run(look())


@app.command("complete")
def complete(
    ctx: typer.Context,
    task: TaskArgument,
    *,
    file: Annotated[
        str | None, typer.Option("--input", metavar="FILE|-", help="The answer as JSON; - is stdin.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="A field of the answer; may be repeated.")
    ] = None,
    actor: As = "",
    role: Roles = None,
    action_id: ActionId = "",
    revision: Revision = None,
    acting_for: ActingFor = None,
    json: Json = False,
) -> None:
    """Answer a task."""
    from workers.intake import opened, read_body

    if file and settings:
        fail("give --input or --set, not both", field="--input")
    body = None
    if file:
        with opened(file) as source:
            body = run(read_body(source))
    by = _Signature(actor, tuple(role or ()), action_id, revision, acting_for)
    _act(ctx, "complete", task, by, json=json, body=body, settings=settings)


def _simple(action: str, text: str) -> Callable[..., None]:
    """Make the command of an action that has no body."""

    def command(
        ctx: typer.Context,
        task: TaskArgument,
        *,
        actor: As = "",
        role: Roles = None,
        action_id: ActionId = "",
        revision: Revision = None,
        acting_for: ActingFor = None,
        json: Json = False,
    ) -> None:
        by = _Signature(actor, tuple(role or ()), action_id, revision, acting_for)
        _act(ctx, action, task, by, json=json)

    command.__doc__ = text
    return command


for _action, _text in (
    ("claim", "Take a task: nobody else may answer it then."),
    ("start", "Say that the work on a task begins: its working time counts from now on."),
    ("stop", "Say that the work on a task pauses; it stays yours."),
    ("release", "Give a task back, so that another may take it."),
):
    app.command(_action)(_simple(_action, _text))


@dataclass(frozen=True)
class _Signature:
    """Who acts, and what goes around the action."""

    actor: str
    roles: tuple[str, ...]
    action_id: str
    revision: int | None
    acting_for: str | None


def _act(
    ctx: typer.Context,
    action: str,
    task: str,
    by: _Signature,
    *,
    json: bool,
    body: dict[str, Any] | None = None,
    settings: list[str] | None = None,
) -> None:
    from workers.names import actor, find_task

    who = actor(by.actor)

    async def send() -> dict[str, Any]:
        async with open_cases(ctx) as cases:
            found = await find_task(cases, task)
            answer = _read(settings, found) if settings else body
            roles = by.roles or ((found.role,) if found.role else ())
            if not by.roles and found.role and not json:
                note(f"As {who}, with the task's own role: {found.role}. For another: --role")
            said = await _deliver(cases, found, action, replace(by, actor=who, roles=roles), answer, hint=not json)
            return {"task": said["task_id"], "state": said["state"], "revision": said["revision"], "roles": roles}

    id_ = by.action_id or uuid.uuid4().hex
    by = replace(by, action_id=id_)
    said = run(send())
    if json:
        emit({**said, "action": action, "action_id": id_, "actor": who, "acting_for": by.acting_for})
    else:
        typer.echo(f"{said['task']} is {said['state'].replace('_', ' ')}")


async def _deliver(
    cases: Cases, found: TaskName, action: str, by: _Signature, body: dict[str, Any] | None, *, hint: bool
) -> dict[str, Any]:
    """Act, and add to a refusal what is known here."""
    from workers.answers import in_short
    from workers.names import refuse_task
    from workunits.core.errors import BadInput, Refused

    try:
        return await cases.act(
            found.id,
            action,
            actor=by.actor,
            roles=by.roles,
            body=body,
            action_id=by.action_id,
            revision=by.revision or (found.task.revision if found.task else 1),
            acting_for=by.acting_for,
        )
    except BadInput:
        if hint and action == "complete" and found.step:
            note(f"The answer takes: {in_short(found.step.gives.model_json_schema())}")
        raise
    except Refused as refused:
        if refused.code == "unknown_task":
            refuse_task(found.view, str(refused))
        raise


def _read(settings: list[str], found: TaskName) -> dict[str, Any]:
    from workers.answers import read_settings

    return read_settings(settings, found.step.gives.model_json_schema() if found.step else {})


async def _ls(ctx: typer.Context, unit: str | None, role: str | None, limit: int) -> list[TaskView]:
    """The most urgent tasks; the engine lists them in no order."""
    from workers.names import known_role

    async with open_cases(ctx) as cases:
        if role:
            known_role(cases, role)
        return sorted([view async for view in cases.tasks(unit, role)], key=_due)[:limit]


def _due(view: TaskView) -> datetime:
    """The next moment that matters for a task: its own expiry, or when its case is due."""
    return min(when for when in (view.task.expires, view.due, _NEVER) if when)


def _as_json(view: TaskView) -> dict[str, Any]:
    task = view.task
    return {
        "task": task.id,
        "case": view.case,
        "unit": view.unit,
        "key": view.key,
        "step": task.step,
        "role": task.role,
        "state": task.state,
        "owner": task.owner,
        "revision": task.revision,
        "ready": task.ready,
        "expires": task.expires,
        "due": view.due,
        "because": task.because,
    }
