"""Commands on the clocks of a case: how they stand, and what a person may do to them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from workers.commands.actions import ActingFor, ActionId, Revision, Roles
from workers.commands.cases import As, CaseName
from workers.console import Json, run

Clock = Annotated[str, typer.Option(metavar="CLOCK", help="Which one; `sla show` names them.")]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; it stays on the record.")]
Listed = Annotated[str, typer.Option(metavar="REASON", help="One of the reasons that the target lists.")]
Evidence = Annotated[str, typer.Option(metavar="TEXT", help="Where it is written: a letter, a ticket.")]

app = typer.Typer(
    help="The clocks of a case: how its promises stand; stop one, adjust it, declare it void.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command("show")
def show(ctx: typer.Context, case: CaseName, *, json: Json = False) -> None:
    """Show the clocks of a case, what has fired, and what people did to them."""
    from datetime import UTC, datetime

    from workers.console import emit, open_cases
    from workers.names import find_case
    from workers.sla_page import as_json
    from workers.sla_page import show as show_page

    async def look() -> None:
        async with open_cases(ctx) as cases:
            view = await find_case(cases, case)
        if json:
            emit(as_json(view))
        else:
            show_page(view, datetime.now(UTC))

    run(look())


def _act(ctx: typer.Context, action: str, task: str, body: dict[str, Any], by: dict[str, Any], *, json: bool) -> None:
    from workers.acts import Act, Signature, act

    act(ctx, Act(f"{action}_clock", task, Signature(**by), body), json=json)


@app.command("pause")
def pause(
    ctx: typer.Context,
    case: CaseName,
    *,
    reason: Listed,
    evidence: Evidence,
    clock: Clock = "unit",
    actor: As = "",
    role: Roles = None,
    action_id: ActionId = "",
    revision: Revision = None,
    acting_for: ActingFor = None,
    json: Json = False,
) -> None:
    """Stop a clock, for a reason that its target lists; it runs again by `resume`, or at the reason's cap."""
    by = _by(actor, role, action_id, revision, acting_for)
    _act(ctx, "pause", f"{case}/clock:{clock}", {"reason": reason, "evidence": evidence}, by, json=json)


@app.command("resume")
def resume(
    ctx: typer.Context,
    case: CaseName,
    *,
    reason: Listed,
    evidence: Evidence = "",
    clock: Clock = "unit",
    actor: As = "",
    role: Roles = None,
    action_id: ActionId = "",
    revision: Revision = None,
    acting_for: ActingFor = None,
    json: Json = False,
) -> None:
    """Let a clock run again that was stopped for a reason."""
    by = _by(actor, role, action_id, revision, acting_for)
    _act(ctx, "resume", f"{case}/clock:{clock}", {"reason": reason, "evidence": evidence}, by, json=json)


@app.command("adjust")
def adjust(
    ctx: typer.Context,
    case: CaseName,
    *,
    hours: Annotated[float, typer.Option(help="Its budget is longer by so many hours of its time; or shorter.")],
    reason: Reason,
    evidence: Evidence,
    clock: Clock = "unit",
    actor: As = "",
    role: Roles = None,
    action_id: ActionId = "",
    revision: Revision = None,
    acting_for: ActingFor = None,
    json: Json = False,
) -> None:
    """Put right what was counted wrongly: the accountable role's word, on the record."""
    body = {"seconds": hours * 3600, "reason": reason, "evidence": evidence}
    by = _by(actor, role, action_id, revision, acting_for)
    _act(ctx, "adjust", f"{case}/clock:{clock}", body, by, json=json)


@app.command("void")
def void(
    ctx: typer.Context,
    case: CaseName,
    *,
    reason: Reason,
    evidence: Evidence,
    clock: Clock = "unit",
    actor: As = "",
    role: Roles = None,
    action_id: ActionId = "",
    revision: Revision = None,
    acting_for: ActingFor = None,
    json: Json = False,
) -> None:
    """Declare a promise void: it counts as neither met nor breached; the accountable role's word, on the record."""
    by = _by(actor, role, action_id, revision, acting_for)
    _act(ctx, "void", f"{case}/clock:{clock}", {"reason": reason, "evidence": evidence}, by, json=json)


def _by(
    actor: str, role: list[str] | None, action_id: str, revision: int | None, acting_for: str | None
) -> dict[str, Any]:
    return {
        "actor": actor,
        "roles": tuple(role or ()),
        "action_id": action_id,
        "revision": revision,
        "acting_for": acting_for,
    }
