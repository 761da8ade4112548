"""Commands on designs: the four elements of units, and a package of one's own to begin with."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workers.console import Exit, Json, emit, note, setup

if TYPE_CHECKING:
    from observability.learning.standing import Standing
    from workers.design import Report


def check(
    ctx: typer.Context,
    target: Annotated[
        str, typer.Argument(help="A unit's name, module:Class or file.py:Class; all units when left out.")
    ] = "",
    *,
    json: Json = False,
) -> None:
    """List units with their four elements, and say which design decisions are open."""
    from workers.pages.design import page
    from workers.pages.words import plain
    from workunits.core.errors import DefinitionError

    unseen = ""
    try:
        reports = _reports(ctx, target)
    except DefinitionError as error:
        from workers.design import report_of_refusal, reports_around

        if target:
            reports = [report_of_refusal(error)]
            unseen = "" if target.rpartition(":")[2] in (error.unit, error.name) else target
        else:
            reports = reports_around(setup(ctx).settings.modules, setup(ctx).settings.packages)
    ok = not any(report.open for report in reports)
    loops = _loops(ctx, reports)
    if json:
        learning = None if loops is None else [loop.as_json() for loop in loops]
        checked = [report.as_json() for report in reports]
        emit({"checked": checked, "ok": ok, "learning": learning, "not_examined": [unseen] if unseen else []})
    else:
        typer.echo(page(reports))
        if unseen:
            typer.echo(f"{unseen} was not examined: it cannot be loaded before what is open above is decided")
        for loop in loops or ():
            for warning in loop.warnings:
                typer.echo(f"{loop.unit}: warning: {plain(warning)}")
    if not ok:
        raise typer.Exit(Exit.FINDING)


def _loops(ctx: typer.Context, reports: Sequence[Report]) -> Sequence[Standing] | None:
    """How the learning loops stand, where a ledger is configured; one that does not answer fails no check."""
    from workunits.core.errors import WorkUnitsError

    units = [report.unit for report in reports if report.unit is not None]
    try:
        settings = setup(ctx).settings
        if not settings.has_ledger or not units:
            return None
        from datetime import UTC, datetime

        from observability.learning.standing import standing
        from observability.ledger.store import Ledger

        ledger = Ledger(settings.ledger_url)
        ledger.check()
        with ledger.read() as connection:
            return standing(connection, units, datetime.now(UTC))
    except WorkUnitsError as error:
        note(f"the learning loop was not looked at: {error}")
        return None


def _reports(ctx: typer.Context, target: str) -> list[Report]:
    from workers.design import report_on

    if not target:
        return [report_on(unit) for unit in setup(ctx).catalog]
    if not any(sign in target for sign in ":/.") and not Path(f"{target}.py").exists():
        return [report_on(setup(ctx).catalog.get(target))]
    from workers.targets import find_class

    return [report_on(find_class(target))]


def diff(
    ctx: typer.Context,
    unit: Annotated[str, typer.Argument(help="The unit.")],
    before: Annotated[str, typer.Argument(metavar="A", help="A version, or the first digits of a definition's hash.")],
    after: Annotated[str, typer.Argument(metavar="B", help="Likewise, or `catalog`: what is loaded here.")] = "catalog",
    *,
    json: Json = False,
) -> None:
    """Say what changed between two definitions of a unit: its boundary, its contract, the rest."""
    from observability.ledger.store import Ledger
    from workers.governing.changes import changes
    from workers.governing.definitions import known, pick
    from workers.pages.changes import page

    there = setup(ctx)
    ledger = Ledger(there.settings.ledger_url)
    ledger.check()
    found, loaded = known(ledger, there.catalog, unit), unit in there.catalog
    one = pick(found, before, field="A", in_catalog=loaded)
    other = pick(found, after, field="B", in_catalog=loaded)
    made = changes(one.definition, other.definition)
    if json:
        ends = {name: {"version": end.version, "hash": end.hash} for name, end in (("from", one), ("to", other))}
        emit({"unit": unit, **ends, "changes": made, "breaking": any(change.breaking for change in made)})
    else:
        typer.echo(page(unit, one, other, made))


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or an empty folder.")],
    *,
    name: Annotated[str, typer.Option(help="The package's name; that of the folder when left out.")] = "",
    json: Json = False,
) -> None:
    """Write a package of your own: one unit, its performer and its test, ready to run."""
    from workers.scaffold import write_package

    made = write_package(folder, name)
    unit = f"{made.name}.unit:PurchaseRequest"
    if json:
        emit({"folder": str(made.folder), "package": made.name, "unit": unit, "files": made.files})
        return
    enter = [] if made.folder.resolve() == Path.cwd() else [f"    cd {shlex.quote(str(made.folder))}"]
    typer.echo(
        "\n".join(
            [
                f"Written: the package {made.name} with one unit, its performer and its test.",
                *(f"    {made.folder / file}" for file in made.files),
                "",
                "Next:",
                *enter,
                "    pytest                                 its test, on skipped time",
                "    workunits check purchase_request       its four elements",
                "    workunits up                           everything on an engine of its own, until Ctrl-C",
                "",
                "Then, in a second terminal in the same folder:",
                "    workunits start purchase_request --input example.json",
                "    workunits tasks ls",
            ]
        )
    )
