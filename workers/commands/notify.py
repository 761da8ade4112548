"""The notifier: tells people of their tasks, and says whom it cannot reach."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workers.console import Exit, Json, announce, emit, run, setup


def notify(
    ctx: typer.Context,
    *,
    status: Annotated[bool, typer.Option("--status", help="Say what was told, and which channels are dead.")] = False,
    outbox: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Leave messages there as files, where no channel is set.")
    ] = None,
    until_stdin_closes: Annotated[bool, typer.Option(hidden=True)] = False,
    json: Json = False,
) -> None:
    """Tell people of the tasks that wait for them, until SIGTERM or Ctrl-C."""
    there = setup(ctx)
    if status:
        _show(there.settings.journal_url, json=json)
        return
    from workers.logs import set_up_logs
    from workers.processes.notifying import notify as run_notifier

    set_up_logs()
    on_up = announce if json else None
    run(run_notifier(there.settings, there.catalog, outbox=outbox, until_stdin_closes=until_stdin_closes, on_up=on_up))


def _show(url: str, *, json: bool) -> None:
    from dataclasses import asdict

    from inbox.notice_status import read_status, render
    from inbox.store import Store

    store = Store(url)
    try:
        found = read_status(store)
    finally:
        store.close()
    if json:
        emit(asdict(found))
    else:
        typer.echo(render(found))
    if found.incidents or found.error:
        raise typer.Exit(Exit.FINDING)
