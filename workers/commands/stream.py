"""The command that looks at a value stream."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from workers.console import Json, emit, fail, setup


def stream(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The value stream, as its units name it.")],
    *,
    since: Annotated[str, typer.Option(help="From this day or time on (UTC); the first case when omitted.")] = "",
    until: Annotated[
        str, typer.Option(help="Until just before it; the last change, or now while a case is open.")
    ] = "",
    last: Annotated[str, typer.Option(help="The unit whose outcome is the stream's.")] = "",
    calendar: Annotated[str, typer.Option(help="The hours of the people; that of most promises when omitted.")] = "",
    html: Annotated[Path | None, typer.Option(help="Write one self-contained page.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a page that is there.")] = False,
    json: Json = False,
) -> None:
    """Say how a value stream does: flows, work in progress, lead time, cost, and the role that limits it."""
    from observability.learning.stream import Question, look, units_of, window
    from observability.ledger.store import Ledger
    from workers.calendars import calendar_store
    from workers.commands.report import time_of
    from workers.pages.stream import page
    from workers.stream import calendar_of, desks_of, hours_of, local_days

    there = setup(ctx)
    units = units_of(name, there.catalog)
    if not units:
        known = sorted({unit.stream for unit in there.catalog} - {""})
        said = f"there are {', '.join(known)}" if known else "no unit names one"
        fail(f"no unit belongs to a value stream of this name; {said}", code="unknown_stream", field="name")
    if last and last not in {unit.unit_name for unit in units}:
        fail("--last: name a unit of the stream", code="invalid_field", field="--last")
    asked = Question(name, units, time_of(since, "--since"), time_of(until, "--until"), last)
    ledger = Ledger(there.settings.ledger_url)
    ledger.check()
    store = calendar_store(there.settings, there.catalog)
    # Hours are read for exactly what is looked at: beyond them nothing would count as working time.
    ends = window(ledger, asked)
    pinned = hours_of(there.settings, store, calendar or calendar_of(units), *ends)
    desks = desks_of(there.settings, pinned, *ends)
    days = local_days(pinned) if pinned else None
    found = look(ledger, replace(asked, since=ends[0], until=ends[1], desks=desks, days=days))
    if html:
        from observability.learning.stream_html import write_page

        write_page(html, found, units, replace=force)
    if json:
        emit({"stream": found, "html": str(html) if html else None})
        return
    typer.echo(page(found))
    if html:
        typer.echo(f"\nWritten: {html}")
