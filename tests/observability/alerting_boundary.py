"""As `alerting`, of the alerts on hybrid steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.observability.alerting import Trial

STEP = {"unit": "usual", "step": "decide"}


def now(name: str, values: str, **labels: str) -> Mapping[str, str]:
    """One gauge of the step."""
    said = ",".join(f'{label}="{value}"' for label, value in {**STEP, **labels}.items())
    return {f"workunit_{name}{{{said}}}": values}


def grew(name: str, values: str, **labels: str) -> Mapping[str, str]:
    """One counter of the step, as two exporters of one ledger tell it."""
    a, b = (now(f"{name}_total", values, version="1", instance=instance, **labels) for instance in "ab")
    return {**a, **b}


def blind(differ: str, unseen: str, bound: str = "0.1x150") -> Mapping[str, str]:
    """What became of blind decisions."""
    bounds = now("blind_disagreement_bound_ratio", bound)
    return {**grew("blind_disagreements", differ), **grew("blind", unseen), **bounds}


def asked(reason: str, failed: str) -> Mapping[str, str]:
    """Two proposals a minute, some of which have this reason."""
    proposals = grew("proposals", "0+2x100", route="human_only", level="A2")
    return {**grew("proposal_reasons", failed, reason=reason), **proposals}


def overridden(values: str, decisions: str = "0+1x500") -> Mapping[str, str]:
    """What people who saw proposals did."""
    return {**grew("proposal_overrides", values), **grew("proposal_decisions", decisions, decision="accept")}


def audited(share: str, level: str) -> Mapping[str, str]:
    """How much is audited, at which level."""
    return {**now("audit_share", share), **now("autonomy_level", level, version="1")}


def _trial(alert: str, at: str, fires: Any, silent: Any, says: str, *, slow: bool = False) -> Trial:
    return Trial(alert, at, fires, silent, says, STEP, slow)


_STOPPED, _ENDS = "autonomy_stopped", "certificate_expiry_timestamp_seconds"

TRIALS = (
    _trial(
        "WorkunitAiBlindDisagreement",
        "300m",
        [blind("0+1x150", "0+2x150")],
        [
            blind("0+1x150", "0+20x150"),
            blind("0+1x150", "0+2x150", "0.6x150"),
            blind("0x20 1 2x20", "0x20 2 4x20"),  # too few to say anything
        ],
        "50% of those who decided decide of usual without seeing the proposal decided otherwise: over its bound",
        slow=True,
    ),
    _trial(
        "WorkunitAiModelFailing",
        "30m",
        [asked(reason, "0+1x100") for reason in ("ai_unavailable", "timeout_start_to_close", "KeyError", "other")],
        [
            asked("below_threshold", "0+1x100"),
            asked("shadow", "0+1x100"),
            asked("ai_unavailable", "0x20 1 2 3 4x20"),  # a few among many
            {**asked("shadow", "0+1x100"), **grew("proposal_reasons", "0x20 1 2x20", reason="ai_refused")},
        ],
        "the model of decide of usual fails for 50% of the proposals, and people decide without it",
    ),
    _trial(
        "WorkunitAiStopped",
        "5m",
        [now(_STOPPED, "0x2 1x5")],
        [now(_STOPPED, "1 1 0x9")],
        "the model of decide of usual is stopped: people decide",
    ),
    _trial(
        "WorkunitAiOverrides",
        "2880m",
        [overridden("0+0.1x144 14.9+0.5x150")],
        [
            overridden("0+0.1x500"),
            overridden("0+0.4x144 58.2+0.6x150"),  # many, and not twice as many
            overridden("0+0.01x144 1.49+0.05x150"),  # twice as many, and still few
            overridden("0x144 1 2 3x150", "0+1x144 145 146 147x150"),  # of few decisions
        ],
        "people override 50% of the proposals for decide of usual: over twice as many as in the week before",
        slow=True,
    ),
    _trial(
        "WorkunitAiAuditsOverdue",
        "65m",
        [audited("0.03x99", "5x99")],
        [audited("0.06x99", "5x99"), audited("0.03x99", "3x99"), audited("0.06x20 0.03x79", "5x99")],
        "3% of what the model of decide of usual decides were judged blind or audited; 5 % are to be",
    ),
    _trial(
        "WorkunitAiCertificateExpires",
        "5m",
        [now(_ENDS, "605000x9"), {**now(_ENDS, "900000x9", instance="a"), **now(_ENDS, "605000x9", instance="b")}],
        [now(_ENDS, "606000x9")],
        "a certificate of decide of usual ends within a week; its level falls then",
    ),
)
