"""The command that runs a changed executor over past cases, before anything is published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from workers.console import Exit, Json, emit, fail, filled, note, run, setup

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.rehearsing.metered import MeteredModel
    from workers.rehearsing.rehearsing import Rehearsal
    from workunits.performs import Performer


def rehearse(
    ctx: typer.Context,
    step: Annotated[str, typer.Argument(metavar="UNIT.STEP", help="An ai or hybrid step: `fraud_review.triage`.")],
    *,
    model: Annotated[str, typer.Option(help="The new model: `openai:<model>` and so on; else the present one.")] = "",
    prompt_from: Annotated[
        str,
        typer.Option(metavar="MODULE:FUNCTION", help="Takes the present instructions, gives those to use instead."),
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Past cases at most, the newest first.")] = 100,
    version: Annotated[
        str, typer.Option("--version", help="Cases of this version, or `all`; today's when omitted.")
    ] = "",
    budget_usd: Annotated[
        float | None, typer.Option("--budget-usd", min=0.0, help="USD at most; then it ends early.")
    ] = None,
    actor: Annotated[
        str, typer.Option("--as", callback=filled, help="Who has it done; the login's name when omitted.")
    ] = "",
    json: Json = False,
) -> None:
    """Ask a changed model or prompt what past cases asked, without side effects, and compare with what was decided."""
    from observability.ledger.store import Ledger
    from workers.engine.connect import connect
    from workers.names import actor as named
    from workers.pages.rehearse import as_json, page
    from workers.performers import load_performers
    from workers.rehearsing.metered import Meter, MeteredModel
    from workers.rehearsing.rehearsing import rehearsable, rehearse, rewriter

    there = setup(ctx)
    if not model and not prompt_from:
        fail("say what is to be changed: --model NEW, or --prompt-from MODULE:FUNCTION", field="--model")
    unit, found = rehearsable(there.catalog, step)
    settings, who = there.settings, named(actor)
    new = model or settings.ai_model
    # Another provider's address is none of this one's.
    same = new.partition(":")[0] == settings.ai_model.partition(":")[0]
    metered = MeteredModel(
        new,
        settings.ai_base_url if same else None,
        meter=Meter(budget_usd),
        rewrite=rewriter(prompt_from),
        rewritten_by=prompt_from,
    )
    ledger = Ledger(settings.ledger_url)
    ledger.check()

    def performer(model: MeteredModel) -> Performer:
        return load_performers(settings, [found], there.catalog.performers, model=model)[0]

    async def do() -> Rehearsal:
        client = await connect(settings, there.catalog)
        return await rehearse(
            client,
            ledger,
            (unit, found),
            performer,
            metered,
            actor=who,
            limit=limit,
            version=version,
            tell=_tell(new, quiet=json),
        )

    done = run(do())
    if json:
        emit(as_json(done))
    else:
        typer.echo(page(done))
    if not done.trials:
        raise typer.Exit(Exit.FINDING)
    if done.ended:
        raise typer.Exit(Exit.PARTLY)


def _tell(model: str, *, quiet: bool) -> Callable[[int], None]:
    def tell(cases: int) -> None:
        if cases and not quiet:
            note(f"asking {model} about {cases} past case(s), one after the other ...")

    return tell
