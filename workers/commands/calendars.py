"""Commands of calendars: look at them, judge a file, publish a version."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workers.commands.cases import As
from workers.console import CommandError, Exit, Json, emit, fail, judge, open_cases, run, setup

if TYPE_CHECKING:
    from workers.reprojecting import Reprojected
    from workunits.calendars.store import Published, Store

app = typer.Typer(help="When the organisation works: zones, hours, holidays, closures.", no_args_is_help=True)
_File = Annotated[Path, typer.Argument(metavar="NAME.toml", help="The calendar's file; it names the calendar.")]


@app.command()
def ls(ctx: typer.Context, *, json: Json = False) -> None:
    """List the calendars with their versions."""
    from workers.pages.calendar import list_page
    from workers.pages.calendar_view import listed

    store = _store(ctx)
    found = [listed(store, name) for name in store.names()]
    if json:
        emit({"calendars": found})
    else:
        list_page(found)


@app.command()
def show(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The calendar.")],
    *,
    version: Annotated[int | None, typer.Option(help="The newest when left out.")] = None,
    from_: Annotated[
        datetime | None,
        typer.Option("--from", metavar="DATE", formats=["%Y-%m-%d"], help="The first date; this week's Monday."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=2000, help="How many dates.")] = 14,
    within: Annotated[
        str, typer.Option("--in", metavar="BUDGET", help='When "8 working hours" or "2 working days" are over.')
    ] = "",
    at: Annotated[
        str,
        typer.Option(metavar="MOMENT", help="From when --in counts, such as 2026-12-23T15:00 on local clocks."),
    ] = "",
    json: Json = False,
) -> None:
    """Show dates with their hours and holidays, and when a budget of working time is over."""
    from workers.pages.calendar import show_page
    from workers.pages.calendar_view import due_in, view

    published = _store(ctx).read(name, version)
    due = due_in(published, within, at) if within or at else None
    shown = view(published, from_.date() if from_ else None, days)
    if json:
        emit(shown | {"due": due})
    else:
        show_page(shown, due)


@app.command()
def check(file: _File, *, json: Json = False) -> None:
    """Judge a file: all that is not right, and each date on which a change of clocks moves an edge."""
    from workers.pages.calendar import check_page
    from workers.pages.calendar_view import checked

    found = checked(file)
    if json:
        emit(found)
    else:
        check_page(found)
    if not found["ok"]:
        raise typer.Exit(Exit.FINDING)


@app.command()
def publish(
    ctx: typer.Context,
    file: _File,
    *,
    reproject: Annotated[
        bool, typer.Option("--reproject", help="Open clocks go on by this version, too; else they keep theirs.")
    ] = False,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why they do; it stands on each record.")] = "",
    actor: As = "",
    json: Json = False,
) -> None:
    """Publish a file as the version that it states; what is published never changes."""
    from workers.names import actor as actor_of

    why = " ".join(reason.split())
    if reproject and not why:
        fail("--reason: say why open clocks go on by another version", field="--reason", exit_code=Exit.USAGE)
    who = actor_of(actor) if reproject else ""
    published = _store(ctx).publish(file)
    name, version = published.name, published.calendar.version
    if reproject:
        _reproject(ctx, published, who, why, json=json)
    elif json:
        emit({"name": name, "version": version, "file": str(published.path), "existing": published.existing})
    elif published.existing:
        typer.echo(f"{name} version {version} was published already, with this content: {published.path}")
    else:
        typer.echo(f"{name} version {version} is published: {published.path}")
        typer.echo("Cases that start from now on use it; those that are open keep the version that they began with.")


def _reproject(ctx: typer.Context, published: Published, actor: str, reason: str, *, json: bool) -> None:
    """Have the open clocks go on by what was published, and say of each case what became of it."""
    from workers.reprojecting import reproject

    name, version = published.name, published.calendar.version
    told: list[Reprojected] = []

    async def go() -> None:
        async with open_cases(ctx) as cases:
            async for one in reproject(cases, name, version, actor=actor, reason=reason):
                told.append(one)  # noqa: PERF401 - what was done is kept when the engine drops out

    broken: CommandError | None = None
    try:
        run(go())
    except Exception as error:
        broken = judge(error)
        if broken is None:
            raise
    failed = [one for one in told if one.error]
    moved = len(told) - len(failed)
    if json:
        there = [{"case": one.case, "before": one.before, "error": one.error or None} for one in told]
        emit({"name": name, "version": version, "existing": published.existing, "cases": there, "whole": not broken})
    else:
        _say(published, told, whole=broken is None)
    if broken:
        why = f"{name} version {version} is published, and {moved} open case(s) go on by it; then: {broken}"
        remedy = "say the same again for the others"
        fail(f"{why}; {remedy}", code=broken.code, exit_code=Exit.PARTLY if moved else broken.exit_code)
    if failed:
        raise typer.Exit(Exit.PARTLY if moved else Exit.FINDING)


def _say(published: Published, told: Sequence[Reprojected], *, whole: bool) -> None:
    moved = [one for one in told if not one.error]
    name = f"{published.name} version {published.calendar.version}"
    typer.echo(f"{name} is published; {len(moved)} open cases go on by it{'.' if whole else ':'}")
    for one in () if whole else moved:  # of all, their number says enough
        typer.echo(f"{one.case} went on from {one.before}")
    for one in told:
        if one.error:
            typer.echo(f"{one.case} keeps {one.before}: {one.error}")


def _store(ctx: typer.Context) -> Store:
    from workers.calendars import calendar_store

    there = setup(ctx)
    return calendar_store(there.settings, there.catalog)
