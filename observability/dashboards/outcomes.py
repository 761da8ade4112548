"""The overview: do the units achieve what they are for?"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from observability.dashboards.parts import (
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


def outcomes() -> Dashboard:
    """Do the units achieve what they are for?"""
    achieved, late = f'{UNIT},close="achieved"', f'{UNIT},close=~"achieved|achieved_late"'
    page = of_units(frame("workunits-outcomes", "outcomes", "Do the units achieve what they are for, and in time?"))
    closed = grew("workunit_closed_total", UNIT)
    return (
        page.with_row(Row("Achieved?"))
        .with_panel(
            to_unit(
                figure(
                    "Outcome achieved",
                    "Share of closed cases, late ones included. Falls: open the unit and look at its reasons.",
                    "percentunit",
                    now(f"{grew('workunit_closed_total', late)} / ({closed} > 0)", "{{unit}}"),
                )
            )
        )
        .with_panel(
            to_unit(
                figure(
                    "Achieved in time",
                    "Share of closed cases. Far below 'Outcome achieved': time is lost, so look at where it goes.",
                    "percentunit",
                    now(f"{grew('workunit_closed_total', achieved)} / ({closed} > 0)", "{{unit}}"),
                )
            )
        )
        .with_panel(
            to_unit(
                figure(
                    "Straight through",
                    "Closed cases that no person touched. Falls after a version mark: see what goes to people.",
                    "percentunit",
                    now(f"{grew('workunit_straight_through_cases_total', UNIT)} / ({closed} > 0)", "{{unit}}"),
                )
            )
        )
        .with_panel(
            to_unit(
                figure(
                    "Right the first time",
                    "Achieved without rework or exception. Low: the unit's exceptions and repeats say where.",
                    "percentunit",
                    now(f"{grew('workunit_first_pass_cases_total', UNIT)} / ({closed} > 0)", "{{unit}}"),
                )
            )
        )
        .with_panel(
            to_unit(
                curves(
                    "Cases closed",
                    "By how they closed. 'failed' or 'expired' rises: read workunit_close_reasons on the unit's page.",
                    "short",
                    ask(grew("workunit_closed_total", UNIT, "unit, close", RATE), "{{unit}} {{close}}"),
                )
            )
        )
        .with_panel(
            to_unit(
                curves(
                    "Cases started",
                    "Starts stop: ask whoever starts them. They outrun the closed ones: open cases pile up.",
                    "short",
                    ask(grew("workunit_started_total", UNIT, "unit", RATE), "{{unit}}"),
                )
            )
        )
        .with_row(Row("Open now"))
        .with_panel(
            to_unit(
                figure(
                    "Open cases",
                    "Compare with last week at this time. 'incident' above 0: see the page of incidents.",
                    "short",
                    now(stands("workunit_open_cases", by="unit, state"), "{{unit}} {{state}}"),
                    width=12,
                )
            )
        )
        .with_panel(
            to_unit(
                figure(
                    "Oldest open case",
                    "Older than the unit's budget: find it with `workunits list --unit UNIT` and ask why.",
                    "s",
                    now(f"max by (unit) (workunit_oldest_case_age_seconds{{{UNIT}}})", "{{unit}}"),
                    width=12,
                )
            )
        )
        .with_panel(
            to_unit(
                curves(
                    "Cases that ended outside",
                    "Ended past our doors: someone used the engine directly. Any: find out who.",
                    "short",
                    ask(grew("workunit_closed_outside_total", UNIT, "unit", RATE), "{{unit}}"),
                )
            )
        )
        .with_panel(
            to_unit(
                curves(
                    "Counted otherwise first",
                    "Figures that were corrected later. Many: the engine or the clocks are not well.",
                    "short",
                    ask(grew("workunit_corrections_total", UNIT, "unit, kind", RATE), "{{unit}} {{kind}}"),
                )
            )
        )
    )
