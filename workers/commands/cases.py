"""Commands on cases: start them, list them, show one, cancel one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.console import CommandError, Exit, Json, emit, fail, filled, note, open_cases, run, setup

if TYPE_CHECKING:
    from datetime import datetime

    from workers.batch import Order, Result
    from workers.deadlines import Deadline
    from workers.intake import Source
    from workers.pages.tables import Cell
    from workunits.cases import CaseView

As = Annotated[
    str, typer.Option("--as", callback=filled, metavar="NAME", help="Who acts; by default the user of this computer.")
]
Limit = Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")]
OfUnit = Annotated[str | None, typer.Option(help="Only this unit's.")]
CaseName = Annotated[str, typer.Argument(metavar="CASE", help="unit:key, or the key alone.")]
_LONGEST_REASON = 250
_PATIENCE = 5.0
"""Seconds in which a case that is cancelled usually closes."""


def start(
    ctx: typer.Context,
    unit: Annotated[str, typer.Argument(help="The unit's name.")],
    *,
    file: Annotated[
        str, typer.Option("--input", metavar="FILE|-", help="A case as JSON, or a case per line; - is stdin.")
    ],
    jsonl: Annotated[bool, typer.Option("--jsonl", help="A case per line; by default the input decides.")] = False,
    key: Annotated[str | None, typer.Option(help="The business key, where the case has none.")] = None,
    accepted_at: Annotated[
        str, typer.Option(metavar="TIME", help="When the request was accepted: 2026-01-31T14:05:00Z.")
    ] = "",
    delay: Annotated[str, typer.Option(metavar="SPAN", help="Start it that much later: 90s, 2h, 1d12h.")] = "",
    json: Json = False,
) -> None:
    """Start cases. One that is there with the same input is left alone; with another input it is refused."""
    from datetime import timedelta

    from workers.batch import Order
    from workers.intake import opened
    from workers.pages.words import read_moment, read_span
    from workunits.core.record import LONGEST_DELAY

    setup(ctx).catalog.get(unit)
    order = Order(
        unit,
        key,
        read_moment(accepted_at, field="--accepted-at") if accepted_at else None,
        read_span(delay, field="--delay", at_most=LONGEST_DELAY) if delay else timedelta(0),
    )
    with opened(file) as source:
        _tell(run(_start(ctx, order, source, jsonl=jsonl, json=json)), json=json)


async def _start(ctx: typer.Context, order: Order, source: Source, *, jsonl: bool, json: bool) -> Result:
    from workers.batch import start_all
    from workers.intake import cases as read_cases

    async with open_cases(ctx) as cases:
        await cases.admit(order.unit)
        many, lines = await read_cases(source, per_line=jsonl)
        if many and order.key is not None:
            fail("--key names one case, and the input has a case per line; leave it out", field="--key")
        return await start_all(cases, order, lines, source, many=many, keep=json or not many)


def _tell(result: Result, *, json: bool) -> None:
    if json:
        emit(result.as_json())
    if result.lost:
        why = f"the engine went away ({result.lost}); give the same input again: what was started is left alone"
        raise CommandError(f"{result}; {why}", code=result.lost.code, exit_code=result.lost.exit_code)
    if not result.many and result.kept:
        outcome = result.kept[0]
        if outcome.error:
            raise outcome.error
        if outcome.started and not json:
            how = "was there already, with the same input" if outcome.started.existing else "started"
            typer.echo(f"{outcome.started.case} {how}")
    elif not result.seen:
        fail("the input is empty; give a case as JSON", code="bad_body")
    elif not json:
        typer.echo(str(result))
    if result.exit_code:
        raise typer.Exit(result.exit_code)


def list_(
    ctx: typer.Context,
    *,
    unit: OfUnit = None,
    state: Annotated[
        str | None, typer.Option(help="Only those that are running, waiting, incident, or closed as this.")
    ] = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List cases: open ones first, newest first."""
    from datetime import UTC, datetime

    from workers.deadlines import deadline
    from workers.pages.tables import line, table

    catalog = setup(ctx).catalog
    views = run(_list(ctx, unit, state, limit + 1))
    more, views, now = len(views) > limit, views[:limit], datetime.now(UTC)
    due = [deadline(view, catalog, now) for view in views]
    if json:
        emit({"cases": [_as_json(view, sla) for view, sla in zip(views, due, strict=True)], "more": more})
        return
    if not views:
        note("No such cases." if unit or state else "No cases yet. Start one: workunits start UNIT --input FILE")
        return
    rows = ((view.case, view.state, _sla(view, sla, now), _waits(view)) for view, sla in zip(views, due, strict=True))
    table(("CASE", "STATE", ">SLA", "WAITS FOR"), rows, whole=(0, 1, 2))
    if more:
        line()
        line(f"These are the first {limit}; for others: --limit, --unit, --state")


def show(ctx: typer.Context, case: CaseName, *, json: Json = False) -> None:
    """Show a case: who answers for it, its steps, for whom it waits, what is left of its SLA."""
    from datetime import UTC, datetime

    from workers.names import find_case
    from workers.pages.case import Page, page_of
    from workers.pages.case import show as show_page

    async def look() -> Page:
        async with open_cases(ctx) as cases:
            view = await find_case(cases, case)
            return await page_of(cases.client, cases.catalog, view, datetime.now(UTC))

    page = run(look())
    if json:
        emit(page.as_json())
    else:
        show_page(page)


def cancel(
    ctx: typer.Context,
    case: CaseName,
    *,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it stays on the record.")],
    actor: As = "",
    json: Json = False,
) -> None:
    """Close a case as cancelled."""
    from workers.names import actor as actor_of

    who, why = actor_of(actor), " ".join(reason.split())
    if not why or not why.isprintable() or len(why) > _LONGEST_REASON:
        fail(f"--reason: say why, in 1 to {_LONGEST_REASON} printable characters", field="--reason")
    view = run(_cancel(ctx, case, who, why))
    if json:
        emit({"case": view.case, "state": view.state, "open": view.is_open, "by": who, "reason": why})
    elif view.is_open:
        typer.echo(f"{view.case} is asked to close as cancelled; it does so once a worker takes it up")
    else:
        typer.echo(f"{view.case} is cancelled")


async def _cancel(ctx: typer.Context, case: str, actor: str, reason: str) -> CaseView:
    import asyncio
    from contextlib import suppress

    from temporalio.client import WorkflowFailureError

    from workers.names import find_case

    async with open_cases(ctx) as cases:
        view = await find_case(cases, case)
        await cases.cancel(view.case, actor=actor, reason=reason)
        with suppress(TimeoutError, WorkflowFailureError):
            async with asyncio.timeout(_PATIENCE):
                await cases.client.get_workflow_handle(view.case).result()
        view = await cases.show(view.case)
        if not view.is_open and view.state not in ("cancelled", "canceled"):
            fail(f"the case closed as {view.state} before that", code="closed", exit_code=Exit.CONFLICT)
        return view


async def _list(ctx: typer.Context, unit: str | None, state: str | None, limit: int) -> list[CaseView]:
    async with open_cases(ctx) as cases:
        return [view async for view in cases.list(unit, state, limit)]


def _sla(view: CaseView, sla: Deadline, now: datetime) -> Cell:
    from workers.pages.words import short_span

    return f"begins in {short_span(view.started - now)}" if view.started > now else sla.words(short_span)


def _waits(view: CaseView) -> str:
    """For whom a case waits: an operator, and whoever has its tasks, or their roles."""
    held = ["an operator"] if view.state == "incident" else []
    return ", ".join(dict.fromkeys([*held, *(task.owner or task.role for task in view.tasks)]))


def _as_json(view: CaseView, sla: Deadline) -> dict[str, Any]:
    record = view.record
    return {
        "case": view.case,
        "unit": view.unit,
        "key": view.key,
        "state": view.state,
        "open": view.is_open,
        "started": view.started,
        "due": sla.due,
        "sla": sla.state,
        "left_seconds": sla.as_json()["left_seconds"],
        "closed": record.when(record.closed) if record and record.closed is not None else view.closed,
        "reason": record.reason if record else None,
        "waiting_for": [
            {"task": task.id, "step": task.step, "role": task.role, "owner": task.owner, "since": task.ready}
            for task in view.tasks
        ],
        "incidents": [
            {"step": incident.key, "code": incident.code, "tries": incident.tries}
            for incident in (record.incidents if record else ())
            if incident.holds
        ],
    }
