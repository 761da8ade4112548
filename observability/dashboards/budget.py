"""The error budget: how much of what may be missed is left?"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from observability.dashboards.parts import (
    RANGE,
    RATE,
    UNIT,
    ask,
    curves,
    figure,
    frame,
    grew,
    now,
    of_units,
    stands,
    to_unit,
)


def budget() -> Dashboard:
    """How much of what may be missed is left?"""
    page = of_units(frame("workunits-budget", "error budget", "How much of what each unit may miss is left?"))
    sla, by = "workunit_sla_total", "unit, target"
    # An objective of 1 has no budget, and no share of it that is left.
    allowed = f"(1 - max by (unit, target) (workunit_sla_objective_ratio{{{UNIT}}}) > 0)"
    missed = grew(sla, f'{UNIT},result="breached"', by)
    decided = grew(sla, f'{UNIT},result=~"met|breached"', by)
    share = f"{missed} / ({decided} > 0)"
    burnt = f"({share})".replace(RANGE, "1h")
    return (
        page.with_row(Row("Promises kept"))
        .with_panel(
            to_unit(
                figure(
                    "SLA met",
                    "Share of clocks decided in the time that is shown. Compare with the objective beside it.",
                    "percentunit",
                    now(f"1 - {share}", "{{unit}} {{target}}"),
                    width=12,
                )
            )
        )
        .with_panel(
            to_unit(
                figure(
                    "Objective",
                    "As the unit declares it; to change it is a new version.",
                    "percentunit",
                    now(f"max by (unit, target) (workunit_sla_objective_ratio{{{UNIT}}})", "{{unit}} {{target}}"),
                    width=12,
                )
            )
        )
        .with_panel(
            to_unit(
                figure(
                    "Error budget left",
                    "Of the time that is shown; absent where none may be missed. Below 0: stop what is no repair.",
                    "percentunit",
                    now(f"1 - ({share}) / {allowed}", "{{unit}} {{target}}"),
                    width=12,
                )
            )
        )
        .with_panel(
            to_unit(
                curves(
                    "Burn rate",
                    "Of an hour; 1 uses the budget up exactly. Above 14, of ten clocks or more: someone is called.",
                    "short",
                    ask(f"{burnt} / {allowed}", "{{unit}} {{target}}"),
                )
            )
        )
        .with_row(Row("Clocks of open cases"))
        .with_panel(
            to_unit(
                curves(
                    "Clocks by state",
                    "'at_risk' is what can still be saved: the inbox lists it first.",
                    "short",
                    ask(stands("workunit_sla_clocks", by="unit, target, state"), "{{unit}} {{target}} {{state}}"),
                )
            )
        )
        .with_panel(
            to_unit(
                curves(
                    "Decided clocks",
                    "Met, breached or void. Many void: the promise does not fit the work.",
                    "short",
                    ask(grew(sla, UNIT, "unit, target, result", RATE), "{{unit}} {{target}} {{result}}"),
                )
            )
        )
    )
