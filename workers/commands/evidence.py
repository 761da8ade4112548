"""The command by which evidence of a case's quality comes in, one piece or a whole file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workers.console import Exit, Json, emit, fail, filled, note, setup

if TYPE_CHECKING:
    from observability.ledger.evidence import Noted
    from workers.evidence_file import Bad


def evidence(
    ctx: typer.Context,
    case: Annotated[str, typer.Argument(help="The case.", show_default=False)] = "",
    measure: Annotated[str, typer.Argument(help="The unit's quality measure.", show_default=False)] = "",
    value: Annotated[str, typer.Argument(help="A number, or yes or no.", show_default=False)] = "",
    *,
    source: Annotated[str, typer.Option(help="Where it comes from: a complaint's number, an audit.")] = "",
    occurred_at: Annotated[str, typer.Option(help="When it happened, ISO 8601 with zone; now when omitted.")] = "",
    csv: Annotated[
        Path | None, typer.Option(help="Instead: a file with the columns case, measure, value, source, occurred_at.")
    ] = None,
    actor: Annotated[
        str, typer.Option("--as", callback=filled, help="Who tells it; the login's name when omitted.")
    ] = "",
    json: Json = False,
) -> None:
    """Tell what was learned of a closed case: a complaint, a chargeback, an audit's finding."""
    from observability.ledger.evidence import Told, note_all
    from observability.ledger.evidence import note as note_evidence
    from observability.ledger.store import Ledger
    from workers.evidence_file import Bad, read_evidence, told_of
    from workers.names import actor as named

    there = setup(ctx)
    fields = {"case": case, "measure": measure, "value": value, "source": source, "occurred_at": occurred_at}
    if csv and any(fields.values()):
        fail("--csv FILE tells all of it; leave the rest out", field="--csv")
    if csv is None and not (case and measure and value):
        fail("name the case, the measure and the value, or --csv FILE", field="case")
    ledger = Ledger(there.settings.ledger_url)
    ledger.check()
    who = named(actor)
    if csv is None:
        _tell([note_evidence(ledger, there.catalog, told_of(fields), actor=who)], [], json=json)
        return
    lines = read_evidence(csv)
    noted, bad = [], [told for _, told in lines if not isinstance(told, Told)]
    told = ((number, piece) for number, piece in lines if isinstance(piece, Told))
    for number, found in note_all(ledger, there.catalog, told, actor=who):
        if isinstance(found, Exception):
            bad.append(Bad.of(number, found))
        else:
            noted.append(found)
    bad.sort(key=lambda one: one.line)
    _tell(noted, bad, json=json)
    if not json:
        typer.echo(f"{len(noted)} piece(s) of evidence noted, {len(bad)} line(s) refused")
    if bad:
        raise typer.Exit(Exit.PARTLY if noted else Exit.USAGE)


def _tell(noted: list[Noted], bad: list[Bad], *, json: bool) -> None:
    if json:
        emit({"noted": noted, "errors": bad})
        return
    for one in noted:
        late = "" if one.counts else "; too late or too early to count"
        known = "" if one.new else "; told before"
        typer.echo(f"{one.case}: {one.measure} noted, it counts as {one.close}{late}{known}")
    for wrong in bad:
        note(f"line {wrong.line}: {wrong.message}")
