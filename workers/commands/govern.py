"""Commands on the life of definitions: sign and publish, deprecate, retire."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.console import Json, emit, filled, run, setup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workers.governing.publishing import Offer, Shown
    from workers.settings import Settings
    from workunits.governance import Need, Published

Unit = Annotated[str, typer.Argument(help="The unit.")]
As = Annotated[
    str, typer.Option("--as", callback=filled, metavar="NAME", help="Who signs, as the people directory names them.")
]
Reason = Annotated[str, typer.Option(help="Why, kept with it.")]
Version = Annotated[str, typer.Option("--version", help="Only this version; else all that are published.")]


def publish(
    ctx: typer.Context,
    unit: Unit,
    *,
    who: Annotated[
        str,
        typer.Option(
            "--as", callback=filled, metavar="NAME", help="Who signs; without it, only shows what would be signed."
        ),
    ] = "",
    role_of: Annotated[
        str, typer.Option("--role-of", metavar="ROLE", help="Sign in this role alone; else in all that are held.")
    ] = "",
    histories: Annotated[
        list[Path] | None, typer.Option("--histories", help="More stored histories to replay, beside tests/replay.")
    ] = None,
    json: Json = False,
) -> None:
    """Show what changed since a unit was published last, and sign it; with all sign-offs it is active."""
    from datetime import UTC, datetime

    from workers.governing.publishing import offer, replay_gate, signed
    from workers.governing.signing import open_roster, signs
    from workers.pages.publish import change_lines

    there = setup(ctx)
    offered = offer(there.catalog, unit)
    if not json:
        typer.echo("\n".join(change_lines(offered)))
    if offered.is_published:
        _tell(offered, there.settings, None, None, json=json)
        return
    shown = run(replay_gate(there.catalog, offered.unit, offered.shelf, histories or []))
    made = None
    if who:
        now = datetime.now(UTC).replace(microsecond=0)
        wanted = signs(open_roster(there.settings), who, offered.missing, role_of, now)
        made = signed(offered, who, wanted, now, shown.histories)
        offered.shelf.write(made)
    _tell(offered, there.settings, made, shown, json=json)


def _tell(offered: Offer, settings: Settings, made: Published | None, shown: Shown | None, *, json: bool) -> None:
    from workers.pages.publish import made_lines, shown_lines, sign_lines

    kept = made.signatures if made else offered.kept
    missing = made.missing if made else offered.missing
    stage = made.stage if made else offered.there.stage if offered.there else None
    if json:
        before = offered.before
        emit(
            {
                "unit": offered.unit.unit_name,
                "version": offered.unit.version,
                "hash": offered.hash,
                "stage": stage,
                "published": stage not in (None, "draft"),
                "against": {"version": before.version, "hash": before.hash} if before else None,
                "changes": offered.made,
                "histories": shown.histories if shown else None,
                "unseen_steps": shown.unseen if shown else None,
                "signatures": kept,
                "missing": missing,
                "fallen": offered.fallen,
                "file": str(offered.path),
            }
        )
        return
    if shown:
        typer.echo("\n" + "\n".join(shown_lines(shown)))
    typer.echo("\n" + "\n".join(sign_lines(offered, kept, missing, _holders(settings, missing))))
    if made:
        typer.echo("\n" + "\n".join(made_lines(made, str(offered.path))))
    elif missing:
        typer.echo(f"\nNothing was written. Sign it: workunits publish {offered.unit.unit_name} --as NAME")


def _holders(settings: Settings, missing: Sequence[Need]) -> Mapping[str, Sequence[str]]:
    """Who may give what is missing, where a directory says so."""
    if settings.directory is None or not missing:
        return {}
    from datetime import UTC, datetime

    from workers.governing.signing import holders, open_roster

    return holders(open_roster(settings), [need.role for need in missing], datetime.now(UTC))


def deprecate(
    ctx: typer.Context, unit: Unit, *, who: As, version: Version = "", reason: Reason = "", json: Json = False
) -> None:
    """Say that a unit is on its way out: cases may still be started, with a warning; open ones go on."""
    from workers.governing.retiring import turn

    there = setup(ctx)
    turned = turn(there.settings, there.catalog, unit, "deprecated", who=who, reason=reason, version=version)
    if json:
        emit(_turned(turned, {}))
        return
    for one in turned:
        typer.echo(f"{one.unit} {one} is deprecated.")
    how = f"workunits retire {unit}{f' --version {version}' if version else ''} --as NAME"
    typer.echo(f"Open cases go on; whoever starts another one is warned. To end it: {how}")


def retire(
    ctx: typer.Context,
    unit: Unit,
    *,
    who: As,
    version: Version = "",
    reason: Reason = "",
    let_finish: Annotated[
        bool, typer.Option("--let-finish", help="Also while cases are open: workers serve them to their ends.")
    ] = False,
    json: Json = False,
) -> None:
    """End a deprecated unit: no case of it can be started any more."""
    from workers.engine.connect import connect
    from workers.governing.governed import open_cases_of
    from workers.governing.retiring import may_turn, refuse_called_by_open, refuse_open, turn

    there = setup(ctx)
    shelf, turning = may_turn(there.settings, there.catalog, unit, "retired", who=who, version=version)

    async def count() -> int:
        client = await connect(there.settings, there.catalog)
        await refuse_called_by_open(client, there.catalog, shelf, turning)
        return await open_cases_of(client, unit, version)

    left = run(count())
    if not let_finish:
        refuse_open(unit, left)
    note = "; ".join(part for part in (reason, f"{left} case(s) were open" if left else "") if part)
    turned = turn(there.settings, there.catalog, unit, "retired", who=who, reason=note, version=version)
    if json:
        emit(_turned(turned, {"open": left}))
        return
    for one in turned:
        typer.echo(f"{one.unit} {one} is retired: no case of it can be started.")
    if left:
        typer.echo(f"{left} case(s) are open, and workers serve them to their ends: workunits list --unit {unit}")
    else:
        typer.echo("No case of it is open; workers leave it out from their next start.")


def _turned(turned: Sequence[Published], more: Mapping[str, Any]) -> Mapping[str, Any]:
    kept = [{"version": one.version, "hash": one.hash, "stage": one.stage, "turn": one.life[-1]} for one in turned]
    return {"unit": turned[0].unit, "turned": kept, **more}
