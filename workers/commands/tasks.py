"""Commands on people's tasks: list them, look at one, and those of `actions` to act on one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.commands.actions import COMMANDS, TaskArgument
from workers.commands.cases import Limit, OfUnit
from workers.console import Json, emit, note, open_cases, run

if TYPE_CHECKING:
    from workunits.cases import TaskView

_NEVER = datetime.max.replace(tzinfo=UTC)

app = typer.Typer(
    help="What waits for people: list it, look at it, act on it.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


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
    from workers.pages.tables import line, table
    from workers.pages.words import short_span

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
    from workers.pages.task import show as show_page

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


for _action, _command in COMMANDS.items():
    app.command(_action)(_command)
