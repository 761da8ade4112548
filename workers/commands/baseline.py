"""Commands of baselines: the process as it was before, from its event log."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from workers.console import Exit, Json, emit, fail, filled, note, setup

app = typer.Typer(help="What was there before: the old process, from its event log.", no_args_is_help=True)
_LONGEST_NAME = 100


@app.command("import")
def import_(
    ctx: typer.Context,
    log: Annotated[Path, typer.Argument(metavar="LOG", help="The event log: XES or CSV, also as gzip.")],
    *,
    unit: Annotated[str, typer.Option(help="The unit that is to be compared with it; it need not exist yet.")],
    map_: Annotated[Path, typer.Option("--map", metavar="MAP.toml", help="How the log is to be read.")],
    name: Annotated[
        str, typer.Option(help="The baseline's name; the log's file name without endings when left out.")
    ] = "",
    actor: Annotated[
        str, typer.Option("--as", callback=filled, metavar="NAME", help="Who asks for it; the login's name.")
    ] = "",
    json: Json = False,
) -> None:
    """Freeze the figures of the old process, with the intervals that they were computed from."""
    from observability.learning.baseline import BaselineExistsError, Order, freeze
    from observability.learning.mapping import read_map, refuse_unknown_steps
    from observability.ledger.store import Ledger
    from workers.names import actor as named
    from workers.pages.baseline import page

    there = setup(ctx)
    mapping = read_map(map_)
    if mapping.unit != unit:
        fail(f"{map_} is a map for the unit {mapping.unit}; give --unit {mapping.unit}, or change it", field="--unit")
    if name and not (name.isprintable() and name.strip() and len(name) <= _LONGEST_NAME):
        fail(f"a name is 1 to {_LONGEST_NAME} printable characters", code="invalid_field", field="--name")
    if unit in there.catalog:
        refuse_unknown_steps(mapping, [step.name for step in there.catalog.get(unit).steps], map_)
    elif not json:
        note(f"the unit {unit} is not registered here yet; the map declares its steps")
    ledger = Ledger(there.settings.ledger_url)
    ledger.check()
    try:
        with _progress(log) as tell:
            frozen = freeze(ledger, Order(log, mapping, name, named(actor)), tell)
    except BaselineExistsError as error:
        fail(str(error), code="baseline_exists", exit_code=Exit.CONFLICT, field="--name")
    if json:
        emit({"existing": frozen.existing, "baseline": frozen.baseline})
        return
    if frozen.existing:
        note("it was there already, from the same log and map")
    typer.echo(page(frozen.baseline))


@app.command("freeze")
def freeze_(
    ctx: typer.Context,
    unit: Annotated[str, typer.Argument(help="The unit.")],
    *,
    version: Annotated[str, typer.Option(help="The version; the present one when left out.")] = "",
    since: Annotated[str, typer.Option(help="Cases that closed from this day or time on (UTC).")] = "",
    until: Annotated[str, typer.Option(help="Cases that closed before it.")] = "",
    name: Annotated[str, typer.Option(help="The baseline's name; `version N` when left out.")] = "",
    actor: Annotated[
        str, typer.Option("--as", callback=filled, metavar="NAME", help="Who signs: the unit's owner.")
    ] = "",
    role: Annotated[list[str] | None, typer.Option(help="In which role; as the directory says when left out.")] = None,
    json: Json = False,
) -> None:
    """Freeze a version's own figures: the first baseline of a unit, or a new one after a better version or a shift."""
    from datetime import UTC, datetime

    from observability.learning.baseline import BaselineExistsError
    from observability.learning.changes import LearningError
    from observability.learning.selection import Asked
    from observability.learning.version_baseline import Signature, freeze_version
    from observability.ledger.store import Ledger
    from workers.commands.report import time_of
    from workers.names import actor as named
    from workers.pages.baseline import page
    from workers.roles import standing

    there, who = setup(ctx), named(actor)
    cls = there.catalog.get(unit)
    roles = standing(there.settings, who, role or (), acting_for=None, task=None, role=cls.learning.owner).roles
    asked = Asked(unit, time_of(since, "--since"), time_of(until, "--until"), version or cls.version)
    ledger = Ledger(there.settings.ledger_url)
    ledger.check()
    try:
        made = freeze_version(ledger, cls, asked, Signature(who, roles, datetime.now(UTC)), name)
    except BaselineExistsError as error:
        fail(str(error), code="baseline_exists", exit_code=Exit.CONFLICT, field="--name")
    except LearningError as error:
        fail(str(error), code="not_justified", exit_code=Exit.CONFLICT)
    if json:
        emit({"baseline": made})
        return
    typer.echo(page(made))


@app.command()
def show(
    ctx: typer.Context,
    unit: Annotated[str, typer.Argument(help="The unit.")],
    *,
    name: Annotated[str, typer.Option(help="One baseline; the newest when left out.")] = "",
    json: Json = False,
) -> None:
    """Show a unit's baselines."""
    from observability.learning.baseline import baselines_of
    from observability.ledger.store import Ledger
    from workers.pages.baseline import page

    ledger = Ledger(setup(ctx).settings.ledger_url)
    ledger.check()
    with ledger.read() as connection:
        found = baselines_of(connection, unit, name)
    if json:
        emit({"unit": unit, "baselines": found})
        return
    typer.echo(page(found[0]))
    if others := [other.name for other in found[1:]]:
        note(f"there are {len(others)} older ones: {', '.join(others)}; --name shows one")


@contextmanager
def _progress(log: Path) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how much of the log has been read."""
    if not sys.stderr.isatty() or not log.is_file():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        bar = shown.add_task("reading", total=log.stat().st_size)
        yield lambda read: shown.update(bar, completed=read)
