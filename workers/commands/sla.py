"""Commands on the clocks of a case: how they stand, and what a person may do to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from workers.commands.actions import Body, acting
from workers.commands.cases import CaseName
from workers.console import Json, fail, run

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
    from workers.pages.sla import as_json
    from workers.pages.sla import show as show_page

    async def look() -> None:
        async with open_cases(ctx) as cases:
            view = await find_case(cases, case)
        if json:
            emit(as_json(view))
        else:
            show_page(view, datetime.now(UTC))

    run(look())


def _action(body: Callable[..., Body]) -> Callable[..., Body]:
    """Make the command of what is done to a clock."""
    name = body.__name__
    app.command(name)(acting(body, f"{name}_clock", named=CaseName, task_of=_clock_of))
    return body


def _clock_of(case: str, said: dict[str, Any]) -> str:
    """The clock among the case's tasks; it is named by an option, and is no part of what is said."""
    return f"{case}/clock:{said.pop('clock')}"


@_action
def pause(*, reason: Listed, evidence: Evidence, clock: Clock = "unit") -> Body:  # noqa: ARG001 - names the task
    """Stop a clock, for a reason that its target lists; it runs again by `resume`, or at the reason's cap."""
    return {"reason": reason, "evidence": evidence}


@_action
def resume(*, reason: Listed, evidence: Evidence = "", clock: Clock = "unit") -> Body:  # noqa: ARG001 - as in pause
    """Let a clock run again that was stopped for a reason."""
    return {"reason": reason, "evidence": evidence}


@_action
def adjust(
    *,
    hours: Annotated[float, typer.Option(help="Its budget is longer by so many hours of its time; or shorter.")],
    reason: Reason,
    evidence: Evidence,
    clock: Clock = "unit",  # noqa: ARG001 - as in pause
) -> Body:
    """Put right what was counted wrongly: the accountable role's word, on the record."""
    from workunits.core.clock_acts import LONGEST

    most = LONGEST / 3600
    if not -most <= hours <= most:  # the unit would say it in seconds
        fail(f"--hours: should be from {-most:g} to {most:g}, a number of hours", code="invalid_field", field="--hours")
    return {"seconds": hours * 3600, "reason": reason, "evidence": evidence}


@_action
def void(*, reason: Reason, evidence: Evidence, clock: Clock = "unit") -> Body:  # noqa: ARG001 - as in pause
    """Declare a promise void: it counts as neither met nor breached; the accountable role's word, on the record."""
    return {"reason": reason, "evidence": evidence}
