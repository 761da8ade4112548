"""The command that compares two versions of a unit."""

from __future__ import annotations

from typing import Annotated

import typer

from workers.console import Json, emit, setup


def compare(
    ctx: typer.Context,
    unit: Annotated[str, typer.Argument(help="The unit.")],
    older: Annotated[str, typer.Argument(metavar="A", help="The version to compare with.")],
    newer: Annotated[str, typer.Argument(metavar="B", help="The version that may be better.")],
    *,
    measure: Annotated[str, typer.Option(help="The primary measure, where no change proposed one.")] = "",
    since: Annotated[str, typer.Option(help="Cases that started from this day or time on (UTC).")] = "",
    margin: Annotated[
        float, typer.Option(min=0, max=1, help="Not worse: worse by at most this part of A's figure.")
    ] = 0.1,
    planned: Annotated[
        int | None,
        typer.Option(
            min=60, help="Ended cases of both together at the last look. [default: 400, more if one has under a fifth]"
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Say whether a version is better, not worse, worse, or whether nobody can say yet."""
    from datetime import UTC, datetime

    from observability.learning.comparing import Plan, as_json
    from observability.learning.verdicts import judge
    from observability.ledger.store import Ledger
    from workers.commands.report import time_of
    from workers.pages.compare import page

    there = setup(ctx)
    cls = there.catalog.get(unit)
    ledger = Ledger(there.settings.ledger_url)
    ledger.check()
    with ledger.read() as connection:
        found = judge(
            connection,
            cls,
            (older, newer),
            datetime.now(UTC),
            measure=measure,
            since=time_of(since, "--since"),
            plan=Plan("", margin=margin, planned=planned),
        )
    if json:
        emit(as_json(found))
    else:
        typer.echo(page(found))
