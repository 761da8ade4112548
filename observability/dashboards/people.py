"""The human queue: do people keep up?"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from observability.dashboards.parts import (
    UNIT,
    ask,
    curves,
    figure,
    frame,
    now,
    of_units,
    quantile,
    stands,
    to_unit,
)


def people() -> Dashboard:
    """Do people keep up?"""
    page = of_units(frame("workunits-people", "human queue", "Do people keep up with what waits for them?"))
    return (
        page.with_row(Row("Waiting now"))
        .with_panel(
            to_unit(
                figure(
                    "Open tasks",
                    "By role. Growing from day to day: more hands, or fewer tasks.",
                    "short",
                    now(stands("workunit_open_tasks", by="unit, role"), "{{unit}} {{role}}"),
                    width=12,
                )
            )
        )
        .with_panel(
            to_unit(
                figure(
                    "Oldest open task",
                    "By role. Open the tasks in the inbox, the soonest due first.",
                    "s",
                    now(f"max by (unit, role) (workunit_oldest_task_age_seconds{{{UNIT}}})", "{{unit}} {{role}}"),
                    width=12,
                )
            )
        )
        .with_panel(
            to_unit(
                curves(
                    "Tasks by state",
                    "Many claimed, few completed: people hold what they do not do.",
                    "short",
                    ask(stands("workunit_open_tasks", by="unit, step, state"), "{{unit}} {{step}} {{state}}"),
                    width=24,
                )
            )
        )
        .with_row(Row("How fast"))
        .with_panel(
            to_unit(
                curves(
                    "From ready to claimed",
                    "p85 of people's steps. Rises in the morning only: a matter of hours, not of hands.",
                    "s",
                    ask(
                        quantile(0.85, "workunit_step_queue_seconds", f'{UNIT},executor=~"human|hybrid"', "unit, step"),
                        "{{unit}} {{step}}",
                        exemplars=True,
                    ),
                )
            )
        )
        .with_panel(
            to_unit(
                curves(
                    "From claim to completion",
                    "p85. Long: ask what people have to look up elsewhere.",
                    "s",
                    ask(
                        quantile(0.85, "workunit_claim_to_complete_seconds", UNIT, "unit, step"),
                        "{{unit}} {{step}}",
                        exemplars=True,
                    ),
                )
            )
        )
    )
