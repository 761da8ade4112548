"""The watchdog: what should have happened and has not, and what stands still."""

from __future__ import annotations

from typing import Annotated

import typer

from workers.console import Exit, Json, announce, emit, run, setup


def watchdog(
    ctx: typer.Context,
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Look at each open case once, print what is found, end.")
    ] = False,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Of the metrics, instead of the settings'; 0 for a free one.")
    ] = None,
    until_stdin_closes: Annotated[bool, typer.Option(hidden=True)] = False,
    json: Json = False,
) -> None:
    """Watch from outside the workers for rungs that have not fired and cases that stand still, until Ctrl-C."""
    there = setup(ctx)
    from workers.watching.process import look_once, render, watch

    if not once:
        from workers.logs import set_up_logs

        set_up_logs()
        served = there.settings.watchdog_port if port is None else port
        on_up = announce if json else None
        run(watch(there.settings, there.catalog, port=served, until_stdin_closes=until_stdin_closes, on_up=on_up))
        return
    look = run(look_once(there.settings, there.catalog))
    if json:
        emit(look.as_data())
    else:
        render(look)
    if look.change.now:
        raise typer.Exit(Exit.FINDING)
