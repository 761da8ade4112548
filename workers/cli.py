"""The command line: puts the commands together, and turns every error into one sentence and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from workers.commands import (
    autonomy,
    baseline,
    calendars,
    cases,
    catalog,
    codec,
    demo,
    design,
    evidence,
    export,
    forget,
    govern,
    inbox,
    incidents,
    learn,
    ledger,
    metrics,
    notify,
    replay,
    runtime,
    sla,
    tasks,
    watchdog,
)
from workers.commands.advise import advise as advise_command
from workers.commands.compare import compare as compare_command
from workers.commands.explain import explain as explain_command
from workers.commands.forecast import forecast as forecast_command
from workers.commands.rehearse import rehearse as rehearse_command
from workers.commands.report import report as report_command
from workers.commands.rollout import rollout as rollout_command
from workers.commands.stream import stream as stream_command
from workers.console import EXIT_CODES, CommandError, Exit, Setup, debugging, judge, report

app = typer.Typer(
    name="workunits",
    help="A durable runtime for work units: outcome, logic, structure and learning in one typed file.",
    epilog=EXIT_CODES,
    rich_markup_mode=None,  # plain text: a third faster, and the same in a pipe
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def options(
    ctx: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option("--config", envvar="WORKUNITS_CONFIG", help="Settings instead of ./workunits.toml."),
    ] = None,
    module: runtime.Modules = None,
) -> None:
    """Take the options that stand before the command."""
    ctx.obj = Setup(config, tuple(module or ()))


for command in (demo.demo, runtime.up, runtime.worker, runtime.deploy, runtime.doctor):
    app.command()(command)
app.command()(cases.start)
app.command("list")(cases.list_)
app.command()(cases.show)
app.command()(cases.cancel)
app.command()(design.check)
app.command()(design.diff)
app.command()(design.init)
app.command()(catalog.catalog)
app.command()(catalog.role)
app.command()(govern.publish)
app.command()(govern.deprecate)
app.command()(govern.retire)
app.command()(replay.replay)
app.add_typer(tasks.app, name="tasks")
app.add_typer(incidents.app, name="incidents")
app.add_typer(autonomy.app, name="autonomy")
app.add_typer(sla.app, name="sla")
app.command()(ledger.follow)
app.command()(inbox.inbox)
app.command()(notify.notify)
app.command()(watchdog.watchdog)
app.command()(inbox.token)
app.command()(inbox.redeliver)
app.command()(evidence.evidence)
app.command("report")(report_command)
app.command("compare")(compare_command)
app.command("rollout")(rollout_command)
app.command("rehearse")(rehearse_command)
app.command("explain")(explain_command)
app.command("forecast")(forecast_command)
app.command("advise")(advise_command)
app.command("stream")(stream_command)
app.command()(forget.forget)
ledger.app.command()(forget.prune)
app.command()(export.export)
app.add_typer(ledger.app, name="ledger")
app.add_typer(metrics.app, name="metrics")
app.add_typer(codec.app, name="codec")
app.add_typer(baseline.app, name="baseline")
app.add_typer(learn.app, name="learn")
app.add_typer(calendars.app, name="calendars")


def main(line: typer.Typer = app) -> NoReturn:
    """Run the command line, or another one that ends like it, and exit."""
    as_json = "--json" in sys.argv[1:]
    try:
        said = line(standalone_mode=False)
        code = said if isinstance(said, int) else int(Exit.OK)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(Exit.OK)
    except Exception as error:  # noqa: BLE001, nobody is to see a traceback
        code = _end(error, as_json=as_json)
    _leave(code)


def _leave(code: int) -> NoReturn:
    """End the process without taking Python down: threads of Temporal's core may abort it on the way."""
    tracing = sys.modules.get("observability.tracing")
    if tracing is None:
        sys.exit(code)
    tracing.shut_down()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # whoever read it has gone
            stream.flush()
    os._exit(code)


def _end(error: Exception, *, as_json: bool) -> int:
    if debugging():
        traceback.print_exception(error)
    said = judge(error) or _usage(error)
    if said is None:
        why = f"unexpected {type(error).__name__}: {error}"[:500]
        said = CommandError(
            f"{why}. This should not happen; WORKUNITS_DEBUG=1 shows where", code="unexpected", exit_code=Exit.FINDING
        )
    report(said, as_json=as_json)
    return int(said.exit_code)


def _usage(error: Exception) -> CommandError | None:
    """What typer says about a command line that it does not understand."""
    name = type(error).__name__
    if name == "Abort":
        return CommandError("stopped", code="aborted", exit_code=Exit.FINDING)
    message = getattr(error, "format_message", None)
    if message is None:
        return None
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "workunits"
    said = "a command is missing" if name == "NoArgsIsHelpError" else message().rstrip(".")
    return CommandError(f"{said}; see {path} --help", code="usage", exit_code=Exit.USAGE)


if __name__ == "__main__":
    main()
