"""When a granted certificate falls. It does so by itself and at once; only a person's signature brings one back.

Each of these is looked at whenever somebody asks, so the rules that compare with the past ask for more than chance
gives now and then (1 in 100 or rarer) and, where many cases make any difference certain, for one that matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict
from scipy import stats

from observability.autonomy.calibration import Bools, Floats, calibration_error
from observability.autonomy.certificate import Certificate
from observability.autonomy.labels import Label, evened, share_unseen
from observability.autonomy.mix import Shift, mix_of, shift_of_confidences, shift_of_segments
from observability.autonomy.threshold import lower_bound, upper_bound
from workunits.core.autonomy import FEWEST_UNSEEN

RARE = 0.01
"""How rarely chance alone may bring a certificate down by one of the tests."""
FAR = 0.1
"""The total variation from which on a shift of what comes in matters."""
WORSE = 0.03
"""By how much the calibration error may grow."""
FEWEST = 100
"""Proposals, or labels, since the certificate was issued, before shares of them are judged."""
AUDIT_DAYS = 7
"""How long a case may wait for its audit."""
_DRAWS = 999
_SEED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One proposal of the executor, labelled or not."""

    at: AwareDatetime
    confidence: float | None
    """Raw."""
    segment: str


class Since(BaseModel):
    """What has come since a certificate was issued; of what is older, only severe errors count."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: Sequence[Label]
    """Also those that became known since, of proposals before."""
    proposals: Sequence[Seen]
    """All of them, so labelled ones, too."""
    now: AwareDatetime


@dataclass(frozen=True, slots=True)
class Fall:
    """One reason for which a certificate falls."""

    what: Literal["severe", "bound", "drift", "calibration", "audits", "expired"]
    words: str
    """In words, with the figures."""


def falls(certificate: Certificate, since: Since) -> list[Fall]:
    """Say whether a certificate must fall now and why; empty when it stands."""
    begun, until, segment = certificate.issued, since.now, certificate.segment
    labels = [one for one in since.labels if one.known <= until and segment in {"", one.segment}]
    proposals = [one for one in since.proposals if begun <= one.at <= until and segment in {"", one.segment}]
    # Its own data are the labels that were known when it was issued (`propose`), so none of them counts twice.
    even = evened([one for one in labels if one.known > begun], _SEED)
    return [
        *_severe(labels),
        *_bound(certificate, even),
        *_drift(certificate, proposals),
        *_calibration(certificate, even),
        *_audits([one for one in labels if one.at >= begun], proposals, until),
        *_expired(certificate, until),
    ]


def _severe(labels: Sequence[Label]) -> list[Fall]:
    """Any: there was none when it was issued, or it would not have been, so whichever is there was found since."""
    severe = [label for label in labels if label.severe]
    if not severe:
        return []
    return [Fall("severe", f"{len(severe)} severe errors, the first on {min(one.at for one in severe):%Y-%m-%d}")]


def _bound(certificate: Certificate, labels: Sequence[Label]) -> list[Fall]:
    """Either the certificate's claim does not hold with the labels since, or these alone certainly contradict it.

    The second is for a certificate of so many cases that whatever comes hardly moves its bound.
    """
    accepted = [label for label in labels if certificate.accepts(label.confidence)]
    n, wrong = len(accepted), sum(label.wrong for label in accepted)
    together = upper_bound(certificate.errors + wrong, certificate.n + n, certificate.confidence_level)
    alone = lower_bound(wrong, n, 1 - RARE)
    if wrong and together > certificate.target:
        told = f"with those before the bound is {together:.2%}"
    elif alone > certificate.target:
        told = f"so the error is at least {alone:.2%}"
    else:
        return []
    return [Fall("bound", f"{wrong:,} of {n:,} accepted cases since were wrong, {told}: over {certificate.target:.2%}")]


def _drift(certificate: Certificate, proposals: Sequence[Seen]) -> list[Fall]:
    """Whether what comes in differs from what was certified, for certain (two tests share the error) and by much."""
    if len(proposals) < FEWEST:
        return []
    before, after = certificate.mix, mix_of((one.confidence, one.segment) for one in proposals)
    shifts: dict[str, Shift] = {
        "confidence": shift_of_confidences(before, after),
        "segments": shift_of_segments(before, after),
    }
    return [
        Fall("drift", f"the spread of {name} moved by {shift.distance:.0%} (chi-squared, p = {shift.p_value:.2g})")
        for name, shift in shifts.items()
        if shift.p_value < RARE / len(shifts) and shift.distance >= FAR
    ]


def _calibration(certificate: Certificate, labels: Sequence[Label]) -> list[Fall]:
    """Whether confidence no longer says what it said: more than then, and more than a perfect curve shows by chance."""
    told = [(label.confidence, label.wrong) for label in labels if label.confidence is not None]
    if len(told) < FEWEST:
        return []
    confidences = certificate.calibration.of_all(np.array([raw for raw, _ in told]))
    wrong = np.array([wrong for _, wrong in told], dtype=np.bool_)
    error = calibration_error(confidences, wrong)
    if error <= certificate.calibration_error + WORSE or _by_chance(confidences, wrong) >= RARE:
        return []
    was = certificate.calibration_error
    return [
        Fall("calibration", f"the calibration error of {len(told):,} labels since is {error:.3f}, and was {was:.3f}")
    ]


def _by_chance(confidences: Floats, wrong: Bools) -> float:
    """How probably a curve that is right shows such a calibration error, by simulation (`monte_carlo_test`)."""

    def draw(size: tuple[int, ...]) -> Floats:
        return np.asarray(rng.random(size) >= confidences, dtype=np.float64)

    def error(sample: Any) -> float:
        return calibration_error(confidences, np.asarray(sample, dtype=np.bool_))

    rng = np.random.default_rng(_SEED)
    tested: Any = stats.monte_carlo_test(
        wrong.astype(np.float64), draw, error, vectorized=False, n_resamples=_DRAWS, alternative="greater"
    )
    return float(tested.pvalue)


def _audits(labels: Sequence[Label], proposals: Sequence[Seen], now: AwareDatetime) -> list[Fall]:
    """Whether fewer were judged unseen than drawing one in twenty explains; what is recent may still wait."""
    due = now - timedelta(days=AUDIT_DAYS)
    old = sum(one.at <= due for one in proposals)
    share = share_unseen([label for label in labels if label.at <= due], old)
    unlucky = float(stats.binom.cdf(round(share * old), old, FEWEST_UNSEEN))
    if old < FEWEST or share >= FEWEST_UNSEEN or unlucky >= RARE:
        return []
    words = f"{share:.1%} of {old:,} proposals older than {AUDIT_DAYS} days were judged blind or audited"
    return [Fall("audits", f"{words}; {FEWEST_UNSEEN:.0%} are to be")]


def _expired(certificate: Certificate, now: AwareDatetime) -> list[Fall]:
    return [Fall("expired", f"it was valid until {certificate.expires:%Y-%m-%d}")] if now >= certificate.expires else []
