"""The command that gives a version to a share of the new cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.console import Json, emit, fail, filled, run, setup

if TYPE_CHECKING:
    from workunits.rollout import Rollout


def rollout(
    ctx: typer.Context,
    unit: Annotated[str, typer.Argument(help="The unit.")],
    *,
    to: Annotated[
        str, typer.Option(metavar="VERSION", help="The version; a worker serves it beside the current one.")
    ] = "",
    percent: Annotated[float, typer.Option(min=0.1, max=99, help="Of the new cases.")] = 10,
    stop: Annotated[bool, typer.Option("--stop", help="Send all new cases back to the current build.")] = False,
    reason: Annotated[str, typer.Option(help="Why it is stopped.")] = "",
    actor: Annotated[
        str, typer.Option("--as", callback=filled, metavar="NAME", help="Who does it; the login's name.")
    ] = "",
    json: Json = False,
) -> None:
    """Split a unit's new cases between two versions by their keys; without options, say how they are split."""
    from workers.names import actor as named

    there = setup(ctx)
    there.catalog.get(unit)
    if stop and not reason.strip():
        fail("--reason: say why it is stopped", code="invalid_field", field="--reason")
    split = run(_do(ctx, unit, to=to, percent=percent, stopping=reason if stop else "", actor=named(actor)))
    if json:
        emit({"unit": unit, "rollout": split, "stopped": stop})
    elif split is None:
        typer.echo(f"All new cases of {unit} go to the current build.")
    elif stop:
        typer.echo(f"Stopped: version {split.newer} of {unit} gets no new cases; running ones stay where they are.")
    else:
        typer.echo(f"{split.percent:g} % of new cases of {unit} go to version {split.newer} (build {split.build}).")


async def _do(ctx: typer.Context, unit: str, *, to: str, percent: float, stopping: str, actor: str) -> Rollout | None:
    from observability.ledger.store import Ledger
    from workers import rollout as rolling
    from workers.engine.connect import connect
    from workunits.rollout import read

    settings, catalog = setup(ctx).settings, setup(ctx).catalog
    client: Any = await connect(settings, catalog)
    ledger = Ledger(settings.ledger_url)
    place = rolling.Place(client, ledger, settings.deployment, settings.queue)
    try:
        if to or stopping:
            ledger.check()
        if stopping:
            return await rolling.stop(place, unit, actor, stopping)
        if to:
            return await rolling.roll_out(place, unit, to, percent, actor)
        return (await read(client, settings.deployment)).get(unit)
    finally:
        ledger.close()
