"""Commands that run things: everything, a worker, a build that becomes current, and the doctor."""

from __future__ import annotations

from typing import Annotated

import typer

from workers.console import Exit, Json, Setup, announce, emit, run, setup

Modules = Annotated[
    list[str] | None, typer.Option("--module", help="A module with a PACKAGE of your own; may be repeated.")
]


def up(
    ctx: typer.Context,
    *,
    seed: Annotated[bool, typer.Option("--seed", help="Start the demo cases, once.")] = False,
    no_ui: Annotated[bool, typer.Option("--no-ui", help="Without Temporal's page.")] = False,
    module: Modules = None,
    json: Json = False,
) -> None:
    """Run everything on an engine of its own, until Ctrl-C."""
    from workers.logs import set_up_logs
    from workers.processes.up import up as run_up

    there = _with_modules(ctx, module)
    set_up_logs()
    arguments = ["--config", str(there.config)] if there.config else []
    arguments += [part for name in there.modules for part in ("--module", name)]
    on_up = announce if json else None
    run(run_up(there.settings, there.catalog, arguments=arguments, seed=seed, ui=not no_ui, on_up=on_up))


def worker(
    ctx: typer.Context,
    *,
    executors: Annotated[str, typer.Option(help="Serve only these: cases, automated, ai; by commas.")] = "",
    queue: Annotated[str, typer.Option(help="Another task queue than the settings'.")] = "",
    build_id: Annotated[str, typer.Option(help="Another build id than that of the code.")] = "",
    unversioned: Annotated[bool, typer.Option("--unversioned", help="Without Worker Versioning.")] = False,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Of the metrics, instead of the settings'; 0 for a free one.")
    ] = None,
    module: Modules = None,
    until_stdin_closes: Annotated[bool, typer.Option(hidden=True)] = False,
    json: Json = False,
) -> None:
    """Serve cases and machine steps, until SIGTERM or Ctrl-C."""
    from workers.logs import set_up_logs
    from workers.processes.worker import Job, serve

    there = _with_modules(ctx, module)
    set_up_logs()
    settings = there.settings.changed(queue=queue, build_id=build_id)
    names = tuple(name.strip() for name in executors.split(",") if name.strip())
    on_up = announce if json else None
    job = Job(
        names,
        versioned=not unversioned,
        until_stdin_closes=until_stdin_closes,
        metrics_port=metrics_port,
        on_up=on_up,
    )
    run(serve(settings, there.catalog, job))


def deploy(
    ctx: typer.Context,
    build_id: Annotated[str, typer.Argument(help="As the worker says when it polls.")],
    *,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for its first poll.")] = 30.0,
    json: Json = False,
) -> None:
    """Make a worker's build current: it gets the new cases. Open cases stay on theirs."""
    from workers.deployment import make_current
    from workers.engine.connect import connect

    there = setup(ctx)

    async def make() -> str | None:
        client = await connect(there.settings, there.catalog)
        return await make_current(client, there.settings.deployment, build_id, patience=wait)

    before = run(make())
    if json:
        emit({"deployment": there.settings.deployment, "current": build_id, "before": before})
    else:
        typer.echo(f"{build_id} is current; before it was {before or 'none'}")


def doctor(ctx: typer.Context, *, json: Json = False) -> None:
    """Examine the engine, the workers and the open cases; every finding comes with its remedy."""
    from workers.checks.doctor import examine, render

    findings = run(examine(setup(ctx)))
    if json:
        emit({"findings": findings})
    else:
        typer.echo(render(findings))
    failed = {finding.check for finding in findings if finding.status == "fail"}
    if failed:
        raise typer.Exit(Exit.UNREACHABLE if "engine" in failed else Exit.FINDING)


def _with_modules(ctx: typer.Context, module: list[str] | None) -> Setup:
    there = setup(ctx)
    return Setup(there.config, (*there.modules, *(module or ()))) if module else there
