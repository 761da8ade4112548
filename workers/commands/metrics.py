"""Commands on metrics: serving the ledger's figures, the page of what each one means, and the rules that watch them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workers.console import Json, announce, emit, run, setup

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
    from workers.processes.metrics import serve as serve_metrics

    set_up_logs()
    there = setup(ctx)
    served = there.settings.metrics_port if port is None else port
    told = announce if json else None
    run(serve_metrics(there.settings, there.catalog, port=served, until_stdin_closes=until_stdin_closes, on_up=told))


@app.command()
def reference(*, json: Json = False) -> None:
    """Print the reference of all metrics in Markdown: name, type, labels, meaning."""
    from observability.metrics.contract import METRICS
    from observability.metrics.page import reference_page

    if json:
        emit({"metrics": METRICS})
    else:
        typer.echo(reference_page(), nl=False)


@app.command()
def rules(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option(file_okay=False, help="The folder; files of units that are gone are removed.")],
    *,
    retention: Annotated[
        float, typer.Option(min=0.01, help="Days for which Temporal keeps closed cases: its namespace's retention.")
    ] = 3.0,
    enough: Annotated[
        int, typer.Option(min=1, help="Clocks in a window from which on a ratio of them says something.")
    ] = 10,
    pace: Annotated[
        float, typer.Option(min=0.001, max=1, help="Multiplies every duration: for trying alerts out, else 1.")
    ] = 1.0,
    json: Json = False,
) -> None:
    """Write Prometheus rules from what each unit promises: SLOs, and alerts on what stands still or is not counted."""
    from observability.prometheus.rule import Terms
    from observability.prometheus.rules import alerts, write

    catalog = setup(ctx).catalog
    terms = Terms(retention=retention * 86_400, enough=enough, pace=pace)
    written = write(out, catalog, terms)
    count = len(alerts(catalog, terms))
    if json:
        emit({"folder": str(out), "files": written, "alerts": count})
    else:
        typer.echo(f"{len(written)} files with {count} alerts in {out}")
