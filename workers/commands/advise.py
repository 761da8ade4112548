"""The command that says what in a unit to look at first."""

from __future__ import annotations

from typing import Annotated

import typer

from workers.console import Json, emit, setup


def advise(
    ctx: typer.Context,
    unit: Annotated[str, typer.Argument(help="The unit.")],
    *,
    version: Annotated[str, typer.Option(help="Another version of it than the present one.")] = "",
    cases: Annotated[bool, typer.Option("--cases", help="The ids of the cases behind each suggestion.")] = False,
    json: Json = False,
) -> None:
    """Suggest what to change, from closed cases only: each with its evidence and its expected effect."""
    from observability.learning.advising import advise as look
    from observability.ledger.store import Ledger
    from workers.pages.advise import page

    there = setup(ctx)
    cls = there.catalog.get(unit)
    ledger = Ledger(there.settings.ledger_url)
    ledger.check()
    found = look(ledger, cls, version)
    if json:
        emit(found.as_json(ids=cases))
    else:
        typer.echo(page(found, ids=cases))
