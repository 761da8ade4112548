"""Alerts on what all units stand on: that cases go on, that somebody watches, and that what happened is counted.

Two watchdogs or two exporters find the same, so each expression takes the larger of their answers.
"""

from __future__ import annotations

from observability.prometheus.rule import Alert, Group, Terms, lately

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0
_N = "{{ $value }}"
_UNIT = "{{ $labels.unit }}"


def alerts(terms: Terms) -> Group:
    """All of them, those that call somebody first."""
    return Group("workunits-runtime", [*_pages(terms), *_tickets(terms)])


def _pages(terms: Terms) -> list[Alert]:
    passed, down = "workunit_watchdog_last_pass_timestamp_seconds", "workunit_ledger_up"
    lag = "workunit_follower_lag_seconds"
    return [
        Alert(
            # At once: the watchdog has already seen three attempts fail. For a while: whoever acts on the case has the
            # engine count its attempts anew, and the page is not to be called off each time.
            "WorkunitCaseWedged",
            "max without (instance) "
            f'(max_over_time(workunit_watchdog_findings{{kind="task_failing"}}[{terms.span(2 * _MINUTE)}])) > 0',
            "page",
            f"{_N} case(s) of {_UNIT} cannot go on: the unit's code fails",
        ),
        Alert(
            "WorkunitNoWorker",
            _found("no_worker"),
            "page",
            f"cases of {_UNIT} wait for a worker: nobody serves a queue, or a version that they are pinned to",
            _MINUTE,
        ),
        Alert(
            "WorkunitWatchdogGap",
            "max without (instance) (workunit_watchdog_gap_cases) > 0",
            "page",
            f"{_N} case(s) of {_UNIT} have a {{{{ $labels.kind }}}} that was due and has not fired",
            2 * _MINUTE,
        ),
        Alert(
            "WorkunitWatchdogSilent",
            f"time() - max({passed}) > {terms.seconds(5 * _MINUTE)}\nor absent({passed})",
            "page",
            "no watchdog has looked for five minutes: nobody would say if cases stood still",
            _MINUTE,
        ),
        Alert(
            "WorkunitEngineUnavailable",
            _found("engine_unavailable"),
            "page",
            "Temporal does not answer the watchdog: no case goes on",
            _MINUTE,
        ),
        Alert(
            "WorkunitLedgerDown",
            f"max({down}) == 0",
            "page",
            "the ledger does not answer: cases go on, and nothing of them is counted",
            _MINUTE,
        ),
        Alert(
            "WorkunitMetricsDown",
            f"absent({down})",
            "page",
            "nobody serves the unit-level metrics: no alert on promises can fire",
            2 * _MINUTE,
        ),
        Alert(
            "WorkunitFollowerNearRetention",
            f"max({lag}) > {terms.seconds(terms.retention / 4)}",
            "page",
            "the ledger is behind by over a quarter of the engine's retention: closed cases will be lost to it",
        ),
    ]


def _tickets(terms: Terms) -> list[Alert]:
    lag = "workunit_follower_lag_seconds"
    return [
        Alert(
            "WorkunitFollowerBehind",
            f"max({lag}) > {terms.seconds(5 * _MINUTE)}\nor max(workunit_ledger_up) == 1 unless on () max({lag})",
            "ticket",
            "no follower has passed for five minutes: the ledger, and with it all figures, stand still",
            _MINUTE,
        ),
        Alert(
            "WorkunitCasesStuck",
            _found("out_of_patience", "nobody_eligible", "case_unreadable"),
            "ticket",
            f"{_N} case(s) of {_UNIT} stand still: {{{{ $labels.kind }}}}",
            5 * _MINUTE,
        ),
        Alert(
            "WorkunitCasesHeld",
            _found("held"),
            "ticket",
            f"for a day there was always a case of {_UNIT} on hold; {_N} hold(s) now",
            _DAY,
        ),
        Alert(
            "WorkunitIncidentOpen",
            "max without (instance) (workunit_open_incidents) > 0",
            "ticket",
            f"{_N} step(s) {{{{ $labels.step }}}} of {_UNIT} failed for good and wait for an operator",
            5 * _MINUTE,
        ),
        Alert(
            "WorkunitClosedOutside",
            f"sum by (unit) ({lately('workunit_closed_outside_total', terms)}) > 0.5",
            "ticket",
            f"cases of {_UNIT} were ended past its doors: terminated, timed out or deleted in the engine",
        ),
        Alert(
            "WorkunitDeadLetters",
            "max(workunit_dead_letters) > 0",
            "ticket",
            f"{_N} case(s) could not be stored in the ledger and are in quarantine",
            _MINUTE,
        ),
        Alert(
            "WorkunitDirectoryBroken",
            _found("directory_broken"),
            "ticket",
            "the file of people cannot be read: what was read before stays in force",
            _MINUTE,
        ),
        Alert(
            "WorkunitReviewOverdue",
            "max without (instance) (workunit_review_overdue) > 0",
            "ticket",
            f"the review of {_UNIT} by its owner is overdue",
            _HOUR,
        ),
    ]


def _found(*kinds: str) -> str:
    return f'max without (instance) (workunit_watchdog_findings{{kind=~"{"|".join(kinds)}"}}) > 0'
