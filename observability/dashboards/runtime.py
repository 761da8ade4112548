"""Ledger, follower, watchdog, incidents: is it the runtime?"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from observability.dashboards.parts import (
    JOB,
    RATE,
    ask,
    curves,
    figure,
    frame,
    now,
    stands,
)


def runtime() -> Dashboard:
    """Is it me? What an operator looks at first."""
    page = frame(
        "workunits-runtime", "workers and queues", "Is the runtime well: ledger, follower, watchdog, incidents?"
    )
    return (
        page.with_row(Row("Is it me?"))
        .with_panel(
            figure(
                "Processes that answer",
                "0: the process is gone, or the port is closed. Start it again; cases lose nothing.",
                "short",
                now(f"up{{{JOB}}}", "{{job}} {{instance}}"),
                width=12,
            )
        )
        .with_panel(
            figure(
                "The ledger answers",
                "0: no figure here is of now. See docs/ledger.md.",
                "short",
                now(f"min(workunit_ledger_up{{{JOB}}})"),
            )
        )
        .with_panel(
            figure(
                "Records in quarantine",
                "Above 0: `workunits ledger letters` says which and why.",
                "short",
                now(f"max(workunit_dead_letters{{{JOB}}})"),
            )
        )
        .with_panel(
            curves(
                "The follower is behind",
                "Rises steadily: it has stopped. Over an hour: figures are stale, cases are not.",
                "s",
                ask(f"max(workunit_follower_lag_seconds{{{JOB}}})", "lag"),
            )
        )
        .with_panel(
            curves(
                "Since the follower's last pass",
                "Rises steadily: start `workunits follow` again.",
                "s",
                ask(f"time() - max(workunit_follower_last_pass_timestamp_seconds{{{JOB}}})", "ago"),
            )
        )
        .with_row(Row("Stuck cases"))
        .with_panel(
            figure(
                "Incidents",
                "Machine steps that wait for an operator: retry or skip them on the inbox's page of incidents.",
                "short",
                now(stands("workunit_open_incidents", JOB, "unit, step"), "{{unit}} {{step}}"),
                width=24,
            )
        )
        .with_panel(
            curves(
                "The watchdog's findings",
                "`workunits watchdog` lists them with the remedy of each.",
                "short",
                ask(stands("workunit_watchdog_findings", JOB, "kind"), "{{kind}}"),
            )
        )
        .with_panel(
            curves(
                "Rungs that did not fire",
                "Above 0: reminders or deadlines are late; look whether workers run.",
                "short",
                ask(stands("workunit_watchdog_gap_cases", JOB, "unit, kind"), "{{unit}} {{kind}}"),
            )
        )
        .with_panel(
            curves(
                "The latest of these rungs",
                "How long it is overdue. Minutes: workers are down or too few.",
                "s",
                ask(f"max by (unit, kind) (workunit_watchdog_gap_largest_seconds{{{JOB}}})", "{{unit}} {{kind}}"),
            )
        )
        .with_panel(
            curves(
                "Since the watchdog looked",
                "Over two minutes: it has stopped, and nobody watches.",
                "s",
                ask(f"time() - max(workunit_watchdog_last_pass_timestamp_seconds{{{JOB}}})", "ago"),
                ask(f"max(workunit_watchdog_pass_duration_seconds{{{JOB}}})", "duration of a pass"),
            )
        )
        .with_row(Row("Workers"))
        .with_panel(
            curves(
                "Cases wait for a worker",
                "p95 from ready to taken. Above a second for long: start more workers.",
                "s",
                ask(
                    "histogram_quantile(0.95, sum by (le, task_queue) "
                    f"(rate(temporal_workflow_task_schedule_to_start_latency_seconds_bucket{{{JOB}}}[{RATE}])))",
                    "{{task_queue}}",
                ),
            )
        )
        .with_panel(
            curves(
                "Attempts at machine steps",
                "Failed ones that rise: `workunit_runtime_failures_total` has the kind, `workunits doctor` the remedy.",
                "short",
                ask(
                    f"sum by (step, result) (increase(workunit_runtime_attempts_total{{{JOB}}}[{RATE}]))",
                    "{{step}} {{result}}",
                ),
            )
        )
        .with_panel(
            curves(
                "Free hands",
                "0 for long: steps wait for a worker with a free hand; start one, or raise WORKUNITS_MAX_ACTIVITIES.",
                "short",
                ask(
                    f"sum by (task_queue, worker_type) (temporal_worker_task_slots_available{{{JOB}}})",
                    "{{task_queue}} {{worker_type}}",
                ),
            )
        )
        .with_panel(
            curves(
                "Open cases in memory",
                "At the limit (WORKUNITS_MAX_CACHED_CASES): cases are replayed when somebody acts on them.",
                "short",
                ask(f"sum by (instance) (temporal_sticky_cache_size{{{JOB}}})", "{{instance}}"),
            )
        )
    )
