"""The command that says where a promise broke: of one case, or of all late cases of a unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from workers.console import Json, emit, fail, run, setup

if TYPE_CHECKING:
    from observability.learning.explaining import Explanation


def explain(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="CASE|UNIT", help="unit:key, or the key alone; with --late, a unit.")],
    *,
    late: Annotated[bool, typer.Option("--late", help="What makes the late cases of a unit late.")] = False,
    since: Annotated[str, typer.Option(help="With --late: cases that closed from this day or time on (UTC).")] = "",
    until: Annotated[str, typer.Option(help="With --late: cases that closed before it.")] = "",
    version: Annotated[str, typer.Option(help="With --late: only this version of the unit.")] = "",
    json: Json = False,
) -> None:
    """Say where the time went and where the promise broke, beside what is usual."""
    if late:
        _explain_unit(ctx, name, since, until, version, json=json)
        return
    for text, field in ((since, "since"), (until, "until"), (version, "version")):
        if text:
            fail("--since, --until and --version choose late cases; add --late", code="invalid_field", field=field)
    from workers.pages.explain import show_case
    from workers.pages.words import micro

    found = run(_explain_case(ctx, name))
    if json:
        emit(found.as_json(micro))
    else:
        show_case(found)


def _explain_unit(ctx: typer.Context, unit: str, since: str, until: str, version: str, *, json: bool) -> None:
    from observability.learning.explained import roles_of
    from observability.learning.lateness import lateness
    from observability.learning.selection import Asked
    from observability.ledger.store import Ledger
    from workers.commands.report import time_of
    from workers.pages.explain import show_unit
    from workers.pages.words import micro

    there = setup(ctx)
    roles = roles_of(there.catalog.get(unit))
    ledger = Ledger(there.settings.ledger_url)
    ledger.check()
    found = lateness(ledger, Asked(unit, time_of(since, "--since"), time_of(until, "--until"), version or None))
    if json:
        emit(found.as_json(micro, roles))
    else:
        show_unit(found, roles)


async def _explain_case(ctx: typer.Context, name: str) -> Explanation:
    """From the ledger; from the engine alone where the ledger does not have the case."""
    from datetime import UTC, datetime

    from observability.learning.explained import TooLargeError, UnknownError, explained, record_of, roles_of
    from observability.learning.explaining import explain as explain_record
    from observability.learning.usual import UNASKED
    from observability.ledger.store import Ledger
    from workers.console import open_cases
    from workers.names import find_case

    there = setup(ctx)
    now = datetime.now(UTC)
    if there.settings.has_ledger:
        ledger = Ledger(there.settings.ledger_url)
        ledger.check()
        try:
            return explained(ledger, record_of(ledger, name), now, there.catalog)
        except UnknownError:
            pass  # not followed yet, or pruned
    async with open_cases(ctx) as cases:
        view = await find_case(cases, name)
    if view.record is None:
        fail("the case has no record yet: it is in its first machine steps; ask again later", code="no_record")
    if view.record.elsewhere:
        raise TooLargeError
    return explain_record(view.record, view.closed or now, UNASKED, roles=roles_of(there.catalog.get(view.unit)))
