"""Commands of the learning ledger: what was changed and why, what came of it, and how the unit drifts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from workers.console import Json, emit, filled, setup

if TYPE_CHECKING:
    from observability.learning.changes import Entry
    from observability.ledger.store import Ledger

app = typer.Typer(help="The learning ledger: changes, verdicts, decisions, drift.", no_args_is_help=True)
Unit = Annotated[str, typer.Argument(help="The unit.")]
Actor = Annotated[str, typer.Option("--as", callback=filled, metavar="NAME", help="Who does it; the login's name.")]


@app.command()
def propose(
    ctx: typer.Context,
    unit: Unit,
    *,
    from_version: Annotated[str, typer.Option("--from", metavar="VERSION", help="The version that is changed.")],
    to_version: Annotated[str, typer.Option("--to", metavar="VERSION", help="The version that the change makes.")],
    hypothesis: Annotated[str, typer.Option(help="Why it should get better.")],
    expected: Annotated[str, typer.Option(help="By how much, and in what.")],
    measure: Annotated[str, typer.Option(help="The one measure that decides, declared before anyone looks.")],
    actor: Actor = "",
    json: Json = False,
) -> None:
    """Write down a change before anyone has seen what it does."""
    from observability.learning.changes import Proposal
    from observability.learning.changes import propose as write
    from workers.names import actor as named

    cls = setup(ctx).catalog.get(unit)
    wanted = Proposal(from_version, to_version, hypothesis, expected, measure)
    _tell(write(_ledger(ctx), cls, wanted, named(actor), datetime.now(UTC)), json=json)


@app.command()
def decide(
    ctx: typer.Context,
    unit: Unit,
    change: Annotated[int, typer.Argument(metavar="CHANGE", help="Its number, as `learn history` has it.")],
    decision: Annotated[str, typer.Argument(help="adopt, drop, or keep: it goes on running.")],
    *,
    reason: Annotated[str, typer.Option(help="Why.")],
    planned: Annotated[int, typer.Option(min=60, help="Ended cases of both versions at the last look.")] = 400,
    actor: Actor = "",
    json: Json = False,
) -> None:
    """Judge a change by its cases, and write down verdict and decision; nobody can say what the verdict is."""
    from observability.learning.changes import Choice, change_of
    from observability.learning.changes import decide as write
    from observability.learning.comparing import Plan
    from observability.learning.verdicts import judge, verdict_of
    from workers.names import actor as named

    cls, ledger, now = setup(ctx).catalog.get(unit), _ledger(ctx), datetime.now(UTC)
    with ledger.read() as connection:
        said = change_of(connection, unit, change).proposed
        versions = str(said.from_version), str(said.to_version)
        plan = Plan("", planned=planned)
        found = judge(connection, cls, versions, now, measure=said.measure or "", since=said.at, plan=plan)
    choice = Choice(decision, reason, named(actor), now)
    _tell(write(ledger, unit, change, verdict_of(found), choice), json=json)


@app.command()
def review(
    ctx: typer.Context,
    unit: Unit,
    *,
    reason: Annotated[str, typer.Option(help="What was seen, and why nothing is to be changed.")],
    actor: Actor = "",
    json: Json = False,
) -> None:
    """Write down that the unit's figures were reviewed, where nothing is to be changed."""
    from observability.learning.changes import review as write
    from workers.names import actor as named

    cls = setup(ctx).catalog.get(unit)
    _tell(write(_ledger(ctx), cls, reason, named(actor), datetime.now(UTC)), json=json)


@app.command()
def history(ctx: typer.Context, unit: Unit, *, json: Json = False) -> None:
    """Show a unit's changes, what came of each, its drift, and what its owner has to look at."""
    from observability.learning.baseline import newest_baseline
    from observability.learning.changes import entries_of, gathered
    from observability.learning.drift import charts
    from observability.learning.standing import standing_of
    from workers.pages.learn import page

    cls, now = setup(ctx).catalog.get(unit), datetime.now(UTC)
    with _ledger(ctx).read() as connection:
        entries = entries_of(connection, unit)
        drift = charts(connection, unit, now, baseline=newest_baseline(connection, unit))
        stands = standing_of(connection, cls, now)
    if json:
        shown = {measure: chart.as_json() for measure, chart in drift.items()}
        emit({"unit": unit, "entries": entries, "drift": shown, "standing": stands.as_json()})
        return
    typer.echo(page(stands, entries, gathered(entries), drift))


def _ledger(ctx: typer.Context) -> Ledger:
    from observability.ledger.store import Ledger

    ledger = Ledger(setup(ctx).settings.ledger_url)
    ledger.check()
    return ledger


def _tell(entry: Entry, *, json: bool) -> None:
    from workers.pages.learn import line

    if json:
        emit({"entry": entry})
    else:
        typer.echo(line(entry))
