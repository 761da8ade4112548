"""Commands of the ledger: follow the engine, migrate, and look at how far it is."""

from __future__ import annotations

import typer

from workers.console import Exit, Json, emit, run, setup

app = typer.Typer(help="The durable memory of cases.", no_args_is_help=True)


def follow(ctx: typer.Context) -> None:
    """Carry every change of every case into the ledger, until SIGTERM or Ctrl-C."""
    from workers.following import follow as run_follower
    from workers.logs import set_up_logs

    there = setup(ctx)
    set_up_logs()
    run(run_follower(there.settings, there.catalog))


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
