"""Commands on metrics: serving the ledger's figures, and the page that says what each one means."""

from __future__ import annotations

from typing import Annotated

import typer

from workers.console import Json, announce, run, setup

app = typer.Typer(help="Unit-level metrics for Prometheus: exact totals from the ledger.", no_args_is_help=True)


@app.command()
def serve(
    ctx: typer.Context,
    *,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Instead of the settings'; 0 for a free one.")
    ] = None,
    until_stdin_closes: Annotated[bool, typer.Option(hidden=True)] = False,
    json: Json = False,
) -> None:
    """Serve /metrics in the OpenMetrics format until Ctrl-C; one process is enough, two agree."""
    from workers.logs import set_up_logs
    from workers.metrics import serve as serve_metrics

    set_up_logs()
    there = setup(ctx)
    served = there.settings.metrics_port if port is None else port
    told = announce if json else None
    run(serve_metrics(there.settings, there.catalog, port=served, until_stdin_closes=until_stdin_closes, on_up=told))


@app.command()
def reference() -> None:
    """Print the reference of all metrics in Markdown: name, type, labels, meaning."""
    from observability.metrics.page import reference_page

    typer.echo(reference_page(), nl=False)
