"""Commands of the ledger: follow the engine, migrate, and look at how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from workers.console import Exit, Json, announce, emit, filled, run, setup

if TYPE_CHECKING:
    from observability.ledger.reconcile import Reconciliation

app = typer.Typer(help="The durable memory of cases.", no_args_is_help=True)


def follow(
    ctx: typer.Context, *, until_stdin_closes: Annotated[bool, typer.Option(hidden=True)] = False, json: Json = False
) -> None:
    """Carry every change of every case into the ledger, until SIGTERM or Ctrl-C."""
    from workers.logs import set_up_logs
    from workers.processes.following import follow as run_follower

    there = setup(ctx)
    set_up_logs()
    on_up = announce if json else None
    run(run_follower(there.settings, there.catalog, until_stdin_closes=until_stdin_closes, on_up=on_up))


@app.command()
def migrate(ctx: typer.Context, *, json: Json = False) -> None:
    """Bring the ledger's tables up to this program's."""
    from observability.ledger.store import Ledger

    ledger = Ledger(setup(ctx).settings.ledger_url)
    before, after = ledger.migrate()
    if json:
        emit({"ledger": str(ledger), "before": before, "after": after})
    else:
        typer.echo(f"{ledger}: {'was at ' + before if before else 'was empty'}, is at {after}")


@app.command()
def status(ctx: typer.Context, *, json: Json = False) -> None:
    """Say how far the ledger has followed, and what it has refused."""
    from observability.ledger.status import read_status, render
    from observability.ledger.store import Ledger

    ledger = Ledger(setup(ctx).settings.ledger_url)
    ledger.check()
    found = read_status(ledger)
    if json:
        emit(found)
    else:
        typer.echo(render(found))
    if found.letters or any(one.error for one in found.followers):
        raise typer.Exit(Exit.FINDING)


@app.command()
def reconcile(
    ctx: typer.Context,
    *,
    repair: Annotated[bool, typer.Option("--repair", help="Write again what differs.")] = False,
    actor: Annotated[
        str, typer.Option("--as", callback=filled, help="Who repairs; the login's name when omitted.")
    ] = "",
    json: Json = False,
) -> None:
    """Prove that the ledger says of every case what Temporal says; list each difference."""
    from observability.ledger.reconcile import Reconciler
    from observability.ledger.store import Ledger
    from workers.engine.connect import connect
    from workers.names import actor as named
    from workers.reconciled import as_data, render

    there = setup(ctx)
    ledger = Ledger(there.settings.ledger_url)
    ledger.check()
    who = named(actor) if repair else ""

    async def compare() -> Reconciliation:
        client = await connect(there.settings, there.catalog)
        return await Reconciler(client, ledger, there.catalog).reconcile(repair=repair, actor=who)

    found = run(compare())
    if json:
        emit(as_data(found))
    else:
        typer.echo(render(found))
    if len(found.differences) > found.repaired:
        raise typer.Exit(Exit.FINDING)


@app.command()
def letters(ctx: typer.Context, *, json: Json = False) -> None:
    """List the cases that could not be stored, and why."""
    from observability.ledger.letters import read_letters
    from observability.ledger.store import Ledger

    ledger = Ledger(setup(ctx).settings.ledger_url)
    ledger.check()
    found = read_letters(ledger)
    if json:
        emit({"letters": found})
    else:
        for letter in found:
            typer.echo(f"{letter['case_id']}  {letter['reason']}  (tried {letter['attempts']} time(s))")
        typer.echo(f"{len(found)} dead letter(s)." + (" They are tried again after an upgrade." if found else ""))
    if found:
        raise typer.Exit(Exit.FINDING)


@app.command()
def schema(*, json: Json = False) -> None:
    """Print what every table and column holds, as Markdown."""
    from observability.ledger.page import schema_page

    if json:
        emit({"markdown": schema_page()})
    else:
        typer.echo(schema_page(), nl=False)
