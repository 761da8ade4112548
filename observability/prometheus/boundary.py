"""Alerts on hybrid steps: whether models are as good as they were signed for, and whether people still look.

Shares are of a step over all versions of its unit. One of few proposals says nothing, so each asks for enough of them.
"""

from __future__ import annotations

from observability.metrics.known import WHYS
from observability.prometheus.rule import Alert, Group, Terms

_HOUR, _DAY = 3600.0, 86_400.0
_WEEK = 7 * _DAY
_STEP = "{{ $labels.step }} of {{ $labels.unit }}"
_SHARE = "{{ $value | humanizePercentage }}"
_FEWEST = 0.05
"""The share of a model's decisions that is to be judged blind or audited."""
_FAILED = f'{{reason!~"{"|".join(WHYS)}"}}'
"""Any reason that is not one of the route itself: the model failed, by whatever exception."""


def alerts(terms: Terms) -> Group:
    """All of them."""
    return Group("workunits-boundary", [*_of_models(terms), *_of_people(terms)])


def _of_models(terms: Terms) -> list[Alert]:
    differ, unseen = (
        _grew("workunit_blind_disagreements_total", _WEEK, terms),
        _grew("workunit_blind_total", _WEEK, terms),
    )
    failed, all_ = (
        _grew(f"workunit_proposal_reasons_total{_FAILED}", _HOUR, terms),
        _grew("workunit_proposals_total", _HOUR, terms),
    )
    return [
        Alert(
            "WorkunitAiBlindDisagreement",
            f"{differ}\n/\n{unseen}\n> {_now('max', 'workunit_blind_disagreement_bound_ratio')}\n"
            f"and {differ} > 2.5\nand {unseen} >= {terms.enough}",
            "ticket",
            f"{_SHARE} of those who decided {_STEP} without seeing the proposal decided otherwise: over its bound",
        ),
        Alert(
            "WorkunitAiModelFailing",
            f"{failed}\n/\n{all_}\n> 0.2\nand {failed} > 2.5",
            "ticket",
            f"the model of {_STEP} fails for {_SHARE} of the proposals, and people decide without it",
        ),
        Alert(
            "WorkunitAiStopped",
            f"{_now('max', 'workunit_autonomy_stopped')} > 0",
            "info",
            f"the model of {_STEP} is stopped: people decide",
        ),
    ]


def _of_people(terms: Terms) -> list[Alert]:
    day, before = _override_rate(_DAY, terms), _override_rate(_WEEK, terms, f" offset {terms.span(_DAY)}")
    decided = "workunit_proposal_decisions_total"
    return [
        Alert(
            "WorkunitAiOverrides",
            f"{day}\n> 2 * ({before})\nand {day} > 0.1 + ({before})\n"
            f"and {_grew(decided, _DAY, terms)} >= {terms.enough}\n"
            f"and {_grew(decided, _WEEK, terms, f' offset {terms.span(_DAY)}')} >= {terms.enough}",
            "ticket",
            f"people override {_SHARE} of the proposals for {_STEP}: over twice as many as in the week before",
        ),
        Alert(
            "WorkunitAiAuditsOverdue",
            f"{_now('max', 'workunit_audit_share')} < {_FEWEST}\nand {_now('max', 'workunit_autonomy_level')} >= 4",
            "ticket",
            f"{_SHARE} of what the model of {_STEP} decides were judged blind or audited; 5 % are to be",
            _HOUR,
        ),
        Alert(
            "WorkunitAiCertificateExpires",
            f"{_now('min', 'workunit_certificate_expiry_timestamp_seconds')} - time() < {terms.seconds(_WEEK)}",
            "ticket",
            f"a certificate of {_STEP} ends within a week; its level falls then",
        ),
    ]


def _override_rate(seconds: float, terms: Terms, offset: str = "") -> str:
    overridden = _grew("workunit_proposal_overrides_total", seconds, terms, offset)
    return f"{overridden}\n/ {_grew('workunit_proposal_decisions_total', seconds, terms, offset)}"


def _grew(series: str, seconds: float, terms: Terms, offset: str = "") -> str:
    return f"sum by (unit, step) (max without (instance) (increase({series}[{terms.span(seconds)}]{offset})))"


def _now(how: str, series: str) -> str:
    return f"{how} by (unit, step) ({series})"
