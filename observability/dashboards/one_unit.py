"""One unit, by its four elements."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from observability.dashboards.parts import (
    RANGE,
    RATE,
    UNIT,
    VERSION,
    ask,
    curves,
    figure,
    frame,
    grew,
    now,
    of_versions,
    quantile,
    rows,
    spread,
)


def _medians(name: str) -> str:
    """Of each step that was performed: one that was not has no median."""
    return f"sort_desc({quantile(0.5, name, VERSION, 'step, executor', RANGE)} >= 0)"


def unit() -> Dashboard:
    """One unit, by its four elements."""
    page = of_versions(frame("workunits-unit", "one unit", "Outcome, logic, structure and learning of one unit."))
    cycle = "workunit_cycle_time_seconds"
    closed = grew("workunit_closed_total", VERSION, "unit, version")
    spent = grew("workunit_part_seconds_total", VERSION, "part")
    handed = grew("workunit_handoffs_total", VERSION, "kind")
    worked = grew("workunit_effort_seconds_total", VERSION, "kind")
    good = grew("workunit_closed_total", f'{VERSION},close=~"achieved|achieved_late"', "unit, version")
    return (
        page.with_row(Row("Outcome"))
        .with_panel(
            rows(
                "Closed, by reason",
                "The most frequent reason first is what to mend next.",
                "short",
                now(
                    f"sort_desc({grew('workunit_close_reasons_total', VERSION, 'close, reason')})",
                    "{{close}} {{reason}}",
                ),
            )
        )
        .with_panel(
            curves(
                "Cycle time",
                "Dots are cases: click one for its page, history and trace. p85 above a budget: see where time goes.",
                "s",
                ask(quantile(0.5, cycle), "median", exemplars=True),
                ask(quantile(0.85, cycle), "p85", exemplars=True),
                ask(f"max by (target) (workunit_sla_budget_seconds{{{VERSION}}})", "budget of {{target}}"),
            )
        )
        .with_panel(
            spread(
                "Cycle times",
                "Two bands are two kinds of cases: compare them apart.",
                ask(grew(f"{cycle}_bucket", VERSION, "le", RATE), "{{le}}"),
            )
        )
        .with_panel(
            curves(
                "Lead time",
                "From acceptance. Far above the cycle time: cases wait before they are started.",
                "s",
                ask(quantile(0.5, "workunit_lead_time_seconds"), "median", exemplars=True),
            )
        )
        .with_row(Row("Logic"))
        .with_panel(
            rows(
                "Exceptions",
                "By step and code. An exception that comes often wants a rule of its own.",
                "short",
                now(f"sort_desc({grew('workunit_exceptions_total', VERSION, 'step, code')})", "{{step}} {{code}}"),
            )
        )
        .with_panel(
            rows(
                "Machine steps that failed for good",
                "An incident waits for an operator: /incidents in the inbox.",
                "short",
                now(
                    f"sort_desc({grew('workunit_technical_failures_total', VERSION, 'step, code')})",
                    "{{step}} {{code}}",
                ),
            )
        )
        .with_panel(
            curves(
                "Cases with an exception or rework",
                "Share of closed cases. A jump at a version mark: compare the versions.",
                "percentunit",
                ask(
                    f"{grew('workunit_exception_cases_total', VERSION)} / ({grew('workunit_closed_total')} > 0)",
                    "exception",
                ),
                ask(
                    f"{grew('workunit_rework_cases_total', VERSION)} / ({grew('workunit_closed_total')} > 0)", "rework"
                ),
            )
        )
        .with_panel(
            curves(
                "Performances of steps",
                "By how they ended. A step that ends otherwise than 'done' more often: read its cases.",
                "short",
                ask(grew("workunit_steps_total", VERSION, "step, ended", RATE), "{{step}} {{ended}}"),
            )
        )
        .with_row(Row("Structure"))
        .with_panel(
            curves(
                "Where time goes",
                "Shares of closed cases' elapsed time. Begin with the largest part in which nobody works.",
                "percentunit",
                ask(
                    f"{spent} / on () group_left () (sum({spent}) > 0)",
                    "{{part}}",
                ),
                width=24,
            )
        )
        .with_panel(
            rows(
                "Waiting before each step",
                "Median from ready to begun. The longest is where more people, or none, would help most.",
                "s",
                now(
                    _medians("workunit_step_queue_seconds"),
                    "{{step}}",
                ),
            )
        )
        .with_panel(
            rows(
                "Work in each step",
                "Median; under a second shows as half of one. Long and frequent: worth a better form or rule.",
                "s",
                now(
                    _medians("workunit_step_work_seconds"),
                    "{{step}}",
                ),
            )
        )
        .with_panel(
            figure(
                "Handoffs of a case",
                "hh: from person to person. Each costs a queue; join steps that the same role does.",
                "short",
                now(
                    f"{handed} / on () group_left () (sum({closed}) > 0)",
                    "{{kind}}",
                ),
                width=12,
            )
        )
        .with_panel(
            figure(
                "Work of people and machines",
                "Average of a closed case: it says what one costs, where rates are not declared.",
                "s",
                now(f"{worked} / on () group_left () (sum({closed}) > 0)", "{{kind}}"),
                width=12,
            )
        )
        .with_row(Row("Learning"))
        .with_panel(
            rows(
                "Versions that the catalog has",
                "More than one: a change is being judged; see `workunits compare`.",
                "short",
                now(f"max by (unit, version, definition) (workunit_build_info{{{VERSION}}})", "{{unit}} {{version}}"),
            )
        )
        .with_panel(
            rows(
                "Achieved, by version",
                "A raw figure, not a verdict: `workunits compare UNIT A B` gives that.",
                "percentunit",
                now(f"{good} / ({closed} > 0)", "{{version}}"),
            )
        )
        .with_panel(
            rows(
                "The baseline",
                "What there is to beat, as it was frozen; compare it with the cycle time above.",
                "s",
                now(
                    f'max by (statistic) (workunit_baseline{{{UNIT},measure="cycle_time"}})',
                    "cycle time {{statistic}}",
                ),
            )
        )
        .with_panel(
            figure(
                "The owner's turn",
                "Above 0: a review is overdue, a version not judged, a baseline stale: see `workunits learn history`.",
                "short",
                now(
                    f"max by (unit) (workunit_review_overdue{{{UNIT}}} + workunit_unjudged_versions{{{UNIT}}} "
                    f"+ workunit_baseline_stale{{{UNIT}}})",
                    "{{unit}}",
                ),
                width=12,
            )
        )
    )
