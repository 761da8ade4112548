"""The AI boundary: what do models propose, who decides, and are they as good as they were signed for?"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from observability.dashboards.parts import (
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
    to_unit,
)
from observability.metrics.known import WHYS

STEP, NAMED = "unit, step", "{{unit}} {{step}}"
_ALL, _DECIDED = "workunit_proposals_total", "workunit_proposal_decisions_total"
_ROUTED = "|".join(why for why in WHYS if why != "autonomy_unknown")
_FAILED = f'{VERSION},reason!~"{_ROUTED}"'
"""Any reason that is not the route's own; that the level cannot be read is a failure, too."""


def boundary() -> Dashboard:
    """What do models propose, who decides, and are they good enough?"""
    about = "What do models propose, who decides, and are they as good as they were signed for?"
    page = of_versions(frame("workunits-boundary", "AI boundary", about))
    return _cost(_quality(_routes(_standing(page))))


def _standing(page: Dashboard) -> Dashboard:
    level, stopped = f"workunit_autonomy_level{{{VERSION}}}", f"workunit_autonomy_stopped{{{UNIT}}}"
    ends = f"workunit_certificate_expiry_timestamp_seconds{{{UNIT}}}"
    return (
        page.with_row(Row("How far models may go"))
        .with_panel(
            rows(
                "Level of each step",
                "0 no AI, 1 shadow, 2 suggest, 3 approve, 4 veto window, 5 auto. 4 and 5 need a signed certificate.",
                "short",
                now(f"max by (unit, version, step) ({level})"),
            )
        )
        .with_panel(
            figure(
                "Kill switches",
                "1: stopped, people decide. `workunits autonomy lift UNIT.STEP` when the cause is gone.",
                "short",
                now(f"max by ({STEP}) ({stopped})", NAMED),
            )
        )
        .with_panel(
            figure(
                "Certificates end in",
                "Under a week: have the accountable person look at the labels since, and sign anew or let it end.",
                "s",
                now(f"min by ({STEP}) ({ends}) - time()", NAMED),
            )
        )
        .with_panel(
            figure(
                "Judged blind or audited",
                "Of what is a week old at levels 4 and 5. Under 5 %: nobody knows any more how good the model is.",
                "percentunit",
                now(f"max by ({STEP}) (workunit_audit_share{{{UNIT}}})", NAMED),
                width=24,
            )
        )
    )


def _routes(page: Dashboard) -> Dashboard:
    auto, failed = f'{VERSION},route="auto"', "workunit_proposal_reasons_total"
    return (
        page.with_row(Row("Who decides"))
        .with_panel(
            to_unit(
                curves(
                    "Proposals by route",
                    "More to people without a new version: see the reasons below.",
                    "short",
                    ask(grew(_ALL, by=f"{STEP}, route", span=RATE), f"{NAMED} {{{{route}}}}"),
                )
            )
        )
        .with_panel(
            to_unit(
                figure(
                    "Automation coverage",
                    "Share that nobody has to decide. Higher is no aim: compare with the blind disagreement.",
                    "percentunit",
                    now(f"{grew(_ALL, auto, STEP)} / ({grew(_ALL, by=STEP)} > 0)", NAMED),
                    width=12,
                )
            )
        )
        .with_panel(
            to_unit(
                rows(
                    "Reasons of the routes",
                    "Many below_threshold: cases changed, or the threshold is strict. ceiling: the unit's risk rule.",
                    "short",
                    now(f"{grew(failed, by=f'{STEP}, reason')} > 0"),
                )
            )
        )
        .with_panel(
            to_unit(
                curves(
                    "Failures that went to a person",
                    "Rises: the provider, its key or quota, or instructions that no longer fit. Cases go on.",
                    "short",
                    ask(grew(failed, _FAILED, f"{STEP}, reason", RATE), f"{NAMED} {{{{reason}}}}"),
                )
            )
        )
    )


def _quality(page: Dashboard) -> Dashboard:
    blind, bound = "workunit_blind_total", "workunit_blind_disagreement_bound_ratio"
    sure = "workunit_proposal_confidence"
    differ, overridden = grew("workunit_blind_disagreements_total", by=STEP), "workunit_proposal_overrides_total"
    return (
        page.with_row(Row("How good they are"))
        .with_panel(
            to_unit(
                figure(
                    "Blind disagreement",
                    "Of people who did not see the proposal. Over its bound: lower the level, or stop the step.",
                    "percentunit",
                    now(f"{differ} / ({grew(blind, by=STEP)} > 0)", NAMED),
                )
            )
        )
        .with_panel(
            figure(
                "Its bound",
                "The strictest target that somebody signed, else a tenth.",
                "percentunit",
                now(f"min by ({STEP}) ({bound}{{{UNIT}}})", NAMED),
            )
        )
        .with_panel(
            to_unit(
                figure(
                    "Override rate",
                    "Of people who saw the proposal. Near 0 beside a high blind disagreement: they do not look.",
                    "percentunit",
                    now(f"{grew(overridden, by=STEP)} / ({grew(_DECIDED, by=STEP)} > 0)", NAMED),
                    width=12,
                )
            )
        )
        .with_panel(
            to_unit(
                curves(
                    "Decisions on proposals",
                    "What people who saw them did. All accepted, at once: look whether the evidence is opened.",
                    "short",
                    ask(grew(_DECIDED, by=f"{STEP}, decision", span=RATE), f"{NAMED} {{{{decision}}}}"),
                )
            )
        )
        .with_panel(
            curves(
                "Calibrated confidence",
                "Median, and the tenth that is lowest. Falls: cases are others than those it was calibrated on.",
                "percentunit",
                ask(quantile(0.5, sure, by=STEP), f"{NAMED} median", exemplars=True),
                ask(quantile(0.1, sure, by=STEP), f"{NAMED} lowest tenth"),
            )
        )
    )


def _cost(page: Dashboard) -> Dashboard:
    cost, latency = "workunit_ai_cost_usd_total", "workunit_proposal_latency_seconds"
    return (
        page.with_row(Row("What they take"))
        .with_panel(
            to_unit(
                figure(
                    "Cost of a proposal",
                    "US dollars for each that came, where the price is known. Rises: longer cases, or unfit answers.",
                    "currencyUSD",
                    now(f"{grew(cost, by=STEP)} / ({grew(f'{latency}_count', by=STEP)} > 0)", NAMED),
                )
            )
        )
        .with_panel(
            to_unit(
                figure(
                    "Cost",
                    "US dollars in the time that is shown.",
                    "currencyUSD",
                    now(grew(cost, by=STEP), NAMED),
                )
            )
        )
        .with_panel(
            curves(
                "How long a proposal takes",
                "p50 and p95 of the attempt that gave it. Near the step's time-out: proposals get lost.",
                "s",
                ask(quantile(0.5, latency, by=STEP), f"{NAMED} p50", exemplars=True),
                ask(quantile(0.95, latency, by=STEP), f"{NAMED} p95"),
            )
        )
    )
