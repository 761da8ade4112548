"""The commands by which the ledger lets go of what it may not or need not keep."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workers.console import Json, emit, fail, filled, note, setup

if TYPE_CHECKING:
    from observability.ledger.forgetting import Kind
    from observability.ledger.store import Ledger


def forget(
    ctx: typer.Context,
    *,
    case: Annotated[str, typer.Option(help="Erase this case's personal data.")] = "",
    subject: Annotated[str, typer.Option(help="Erase this person's name wherever it stands.")] = "",
    export_to: Annotated[
        Path | None, typer.Option("--export", help="Write the marks of all that is forgotten, to keep beside backups.")
    ] = None,
    import_from: Annotated[
        Path | None, typer.Option("--import", help="After a restore: forget again by these marks.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of marks that is there.")] = False,
    actor: Annotated[
        str, typer.Option("--as", callback=filled, help="Who does it; the login's name when omitted.")
    ] = "",
    json: Json = False,
) -> None:
    """Erase personal data from the ledger and from the inbox's store; figures stay, and it does not come back."""
    from observability.ledger.erasing import export_marks, import_marks
    from observability.ledger.erasing import forget as erase
    from observability.ledger.store import Ledger
    from workers.names import actor as named

    if sum(bool(given) for given in (case, subject, export_to, import_from)) != 1:
        fail("name one of --case, --subject, --export, --import", code="usage")
    settings = setup(ctx).settings
    ledger = Ledger(settings.ledger_url)
    ledger.check()
    who = named(actor)
    on_its_way = 0
    if export_to:
        said = {"marks": export_marks(ledger, export_to, replace=force), "file": str(export_to)}
    elif import_from:
        said = {"cases": import_marks(ledger, import_from, actor=who)}
    else:
        kind: Kind = "case" if case else "subject"
        said = {"cases": erase(ledger, kind, case or subject, actor=who), "kind": kind}
    if not export_to:
        on_its_way = _forget_in_inbox(settings.journal_url, ledger)
        said["on_its_way"] = on_its_way
    if json:
        emit(said)
    elif export_to:
        typer.echo(f"{said['marks']} mark(s) written to {export_to}")
    else:
        typer.echo(
            f"Erased in {said['cases']} case(s). The mark is kept: what the engine still has does not bring it back."
        )
        if on_its_way:
            note(f"{on_its_way} action(s) are still on their way to the engine: forget again once they are delivered.")


def _forget_in_inbox(url: str, ledger: Ledger) -> int:
    """Do the same in the inbox's store, where there is one; how many actions have yet to be delivered first."""
    from inbox.forgetting import forget_in
    from inbox.store import Store
    from observability.ledger.forgetting import Forgetting

    store = Store(url)
    if store.sqlite and not Path(store.url.database or "").exists():
        return 0
    with ledger.read() as connection:
        marks = Forgetting.load(connection)
    try:
        return forget_in(store, marks)
    finally:
        store.close()


def prune(
    ctx: typer.Context,
    before: Annotated[str, typer.Argument(help="Cases that closed before this day (UTC) go: 2025-01-31.")],
    *,
    unit: Annotated[list[str] | None, typer.Option(help="Only this unit's; may be repeated.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    actor: Annotated[
        str, typer.Option("--as", callback=filled, help="Who does it; the login's name when omitted.")
    ] = "",
    json: Json = False,
) -> None:
    """Delete closed cases that are old enough, with all that they consist of."""
    from datetime import UTC, datetime

    from observability.ledger.pruning import prune as prune_cases
    from observability.ledger.pruning import units_of
    from observability.ledger.store import Ledger
    from workers.names import actor as named

    there = setup(ctx)
    try:
        day = datetime.strptime(before, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        fail("before: should be a day such as 2025-01-31", code="invalid_field", field="before")
    ledger = Ledger(there.settings.ledger_url)
    ledger.check()
    known = units_of(ledger)
    units = [name if name in known else there.catalog.get(name).unit_name for name in unit or []]
    counts = prune_cases(ledger, units or known, day, actor=named(actor), dry_run=dry_run)
    if json:
        emit({"before": day, "dry_run": dry_run, "cases": counts})
        return
    for name, count in counts.items():
        typer.echo(f"{name}: {count} case(s)")
    typer.echo(f"{sum(counts.values())} case(s) {'would be' if dry_run else 'were'} deleted.")
