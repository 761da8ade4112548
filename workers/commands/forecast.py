"""The command that says which open cases will probably break their promise, and how good such forecasts have been."""

from __future__ import annotations

from typing import Annotated

import typer

from workers.console import Json, emit, fail, setup


def forecast(
    ctx: typer.Context,
    unit: Annotated[str, typer.Argument(help="Only this unit's cases.")] = "",
    *,
    backtest: Annotated[
        bool, typer.Option("--backtest", help="How good forecasts of the unit would have been so far.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 50,
    json: Json = False,
) -> None:
    """Say for each open case how probably it breaks its promise, the most probable first."""
    from datetime import UTC, datetime

    from observability.learning.backtest import backtest as test
    from observability.learning.forecast import Forecaster
    from observability.ledger.store import Ledger
    from workers.pages.forecast import show_backtest, show_forecasts

    there = setup(ctx)
    if unit:
        there.catalog.get(unit)
    elif backtest:
        fail("name the unit whose forecasts are to be tested", code="invalid_field", field="unit")
    ledger = Ledger(there.settings.ledger_url)
    ledger.check()
    now = datetime.now(UTC)
    if backtest:
        tested = test(ledger, unit, now)
        if json:
            emit(tested.as_json())
        else:
            show_backtest(tested)
        return
    with ledger.read() as connection:
        found = Forecaster(ledger).of(connection, unit or None, now)
    if json:
        more = len(found) > limit
        emit({"at": now, "cases": [one.as_json(now) for one in found[:limit]], "more": more})
    else:
        show_forecasts(found, limit, now)
