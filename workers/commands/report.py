"""The command that reports a unit's figures."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from workers.console import Json, emit, fail, setup

if TYPE_CHECKING:
    from observability.learning.baseline import Baseline
    from observability.ledger.store import Ledger

By = Literal["step", "executor", "segment"]


def report(
    ctx: typer.Context,
    unit: Annotated[str, typer.Argument(help="The unit.")],
    *,
    since: Annotated[str, typer.Option(help="Cases that closed from this day or time on (UTC).")] = "",
    until: Annotated[str, typer.Option(help="Cases that closed before it.")] = "",
    version: Annotated[str, typer.Option(help="Only this version of the unit.")] = "",
    as_of: Annotated[str, typer.Option(help="Evidence that was told later does not count.")] = "",
    by: Annotated[str, typer.Option(help="Break it down by step, executor or segment.")] = "",
    baseline: Annotated[str, typer.Option(help="Beside this baseline; the newest when omitted.")] = "",
    html: Annotated[Path | None, typer.Option(help="Write one self-contained page with charts.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a page that is there.")] = False,
    json: Json = False,
) -> None:
    """Say how a unit does: times, outcomes, exceptions, cost, beside its baseline."""
    from observability.learning.breakdown import break_down
    from observability.learning.report import report as compute
    from observability.learning.selection import Asked
    from observability.ledger.store import Ledger
    from workers.pages.report import breakdown_page, page

    there = setup(ctx)
    there.catalog.get(unit)
    if by and by not in ("step", "executor", "segment"):
        fail("--by: should be step, executor or segment", code="invalid_field", field="--by")
    asked = Asked(
        unit, time_of(since, "--since"), time_of(until, "--until"), version or None, time_of(as_of, "--as-of")
    )
    ledger = Ledger(there.settings.ledger_url)
    ledger.check()
    made = compute(ledger, asked)
    beside = _baseline(ledger, unit, baseline)
    figures: Any = beside.figures if beside else None
    parts = break_down(ledger, asked, by) if by else None  # type: ignore[arg-type]  # checked above
    if html:
        from observability.learning.report_html import write_page

        write_page(html, made, there.catalog.get(unit), figures, ledger, replace=force)
    if json:
        emit({"report": made, "by": parts, "baseline": beside, "html": str(html) if html else None})
        return
    typer.echo(page(made, figures, beside.name if beside else ""))
    if parts is not None:
        typer.echo(breakdown_page(parts, by))
    if html:
        typer.echo(f"\nWritten: {html}")


def _baseline(ledger: Ledger, unit: str, name: str) -> Baseline | None:
    from observability.learning.baseline import NoBaselineError, baselines_of

    try:
        with ledger.read() as connection:
            return baselines_of(connection, unit, name)[0]
    except NoBaselineError:
        if name:
            raise
        return None


def time_of(text: str, field: str) -> datetime | None:
    """Read a day or a time; None of nothing.

    Raises:
        CommandError: it is neither; names the field.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{field}: write a day or time, 2026-01-31 or 2026-01-31T12:00:00Z", code="invalid_field", field=field)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
