"""Certificates: what has been shown of an executor at a step, and what is missing for it to decide by itself.

A certificate is proposed here and worth nothing until the accountable person has signed it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from observability.autonomy.calibration import FEWEST, Bools, Calibration, Floats, brier, calibration_error, fit
from observability.autonomy.labels import Label, evened, halves, share_unseen
from observability.autonomy.mix import Mix, mix_of
from observability.autonomy.threshold import CONFIDENCE_LEVEL, GRID, Search, lowest, needed, needed_at, start
from workunits.core.autonomy import FEWEST_UNSEEN

Level = Literal["A4", "A5"]
"""The levels at which nobody approves; only a certificate leads to them."""
UNTRIED = ("cases", "severe", "calibration")
"""While one of these is missing no threshold is tried, so nothing is seen of the errors at any."""


class Subject(BaseModel):
    """What a certificate is about; when any of it changes, it is about something else."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unit: str
    unit_version: str
    step: str
    segment: str = ""
    """Of the cases; empty for all of them together."""
    executor: str
    """Model, prompt and tools with their versions."""
    level: Level


class Ask(Subject):
    """What is asked for, and by which rules; all of it is decided before anyone looks at labels."""

    target: float = Field(gt=0, lt=1)
    """The largest share of errors among what is decided automatically."""
    confidence_level: float = Field(default=CONFIDENCE_LEVEL, gt=0.5, lt=1)
    grid: tuple[float, ...] = Field(default=GRID, min_length=1)
    looks: int = Field(default=1, ge=1)
    """How many times in all this may be asked while labels come in; each time spends its share of the error."""
    seed: int = 1
    """Of the split into halves."""
    fewest_cases: int = Field(default=300, ge=1)
    fewest_days: int = Field(default=28, ge=1)
    days_valid: int = Field(default=90, ge=1)
    proposals: int = Field(ge=0)
    """All that the executor made in the time of the labels, with and without one."""
    worse: tuple[str, ...] = ()
    """The guardrails of the unit that got worse, as their comparison names them."""
    now: AwareDatetime

    @field_validator("grid")
    @classmethod
    def _shares(cls, grid: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < threshold <= 1 for threshold in grid):
            raise ValueError("should be above 0 and at most 1 each")
        return grid

    @property
    def level_of_a_look(self) -> float:
        """The confidence level of one look: the error is shared out evenly (Bonferroni)."""
        return 1 - (1 - self.confidence_level) / self.looks


class Certificate(Subject):
    """What was shown, with its figures."""

    threshold: float
    """The calibrated confidence from which on the executor decides by itself."""
    target: float
    bound: float
    """No more than this share of what it decides is wrong, at the confidence level."""
    confidence_level: float
    """Of the bound, after what the number of looks costs."""
    n: int
    """Accepted cases that the bound counts."""
    errors: int
    severe: int
    """Severe errors among all labels."""
    tried: int
    """Thresholds."""
    labels: int
    """All labels that were given, in both halves."""
    days: int
    unseen_share: float
    """Blind, shadow and audit labels among all proposals."""
    calibration: Calibration
    brier: float
    calibration_error: float
    """Brier score and expected calibration error are of the half that the curve was not fitted to."""
    mix: Mix
    """What came in, for a later look whether it still does."""
    issued: AwareDatetime
    expires: AwareDatetime

    def accepts(self, raw: float | None) -> bool:
        """Whether a proposal of that raw confidence is above the threshold; one without confidence never is."""
        return raw is not None and self.calibration.of(raw) >= self.threshold


@dataclass(frozen=True, slots=True)
class Unmet:
    """One thing that is missing."""

    what: Literal["cases", "days", "severe", "guardrails", "unseen", "calibration", "threshold"]
    words: str
    """In words, with the figures."""


@dataclass(frozen=True, slots=True)
class _Half:
    """One half of the labels as figures, of those that tell a confidence."""

    raws: Floats
    wrong: Bools
    labels: int
    """All of the half."""


def propose(labels: Sequence[Label], ask: Ask) -> Certificate | list[Unmet]:
    """Propose a certificate, or say all that is missing for one.

    Args:
        labels: Of the executor that is asked about, one of a proposal; of other segments, or known later, is left out.
        ask: What is asked for.
    """
    own, even, fitted, judged = _parts(labels, ask)
    missing = [*_uncounted(own, fitted, judged, ask), *_faults(own, ask)]
    if not tried(missing):
        return missing
    calibration = fit(fitted.raws, fitted.wrong)
    confidences = calibration.of_all(judged.raws)
    search = _search(calibration, fitted, judged, ask)
    found = search.found
    if found is None:
        missing.append(_no_threshold(search, judged.labels, ask))
    if missing or found is None:
        return missing
    return Certificate(
        **{name: getattr(ask, name) for name in Subject.model_fields},
        threshold=found.threshold,
        target=ask.target,
        bound=found.bound,
        confidence_level=ask.level_of_a_look,
        n=found.n,
        errors=found.wrong,
        severe=sum(label.severe for label in own),
        tried=len(search.tried),
        labels=len(own),
        days=_days(own),
        unseen_share=share_unseen(own, ask.proposals),
        calibration=calibration,
        brier=brier(confidences, judged.wrong),
        calibration_error=calibration_error(confidences, judged.wrong),
        mix=mix_of((label.confidence, label.segment) for label in even),
        issued=ask.now,
        expires=ask.now + timedelta(days=ask.days_valid),
    )


def asked_about(labels: Sequence[Label], ask: Ask) -> list[Label]:
    """The labels that were known when it was asked, of the segment that is asked about."""
    return [label for label in labels if label.known <= ask.now and ask.segment in {"", label.segment}]


def tried(missing: Sequence[Unmet]) -> bool:
    """Whether labels were judged against a threshold before this was found missing."""
    return not any(one.what in UNTRIED for one in missing)


def uncounted(labels: Sequence[Label], ask: Ask) -> list[Unmet]:
    """Say what is missing in numbers of labels and days; which of them are right is not looked at."""
    own, _, fitted, judged = _parts(labels, ask)
    return _uncounted(own, fitted, judged, ask)


def _search(calibration: Calibration, fitted: _Half, judged: _Half, ask: Ask) -> Search:
    """Begin where the fitting half says, and judge by the other."""
    level = ask.level_of_a_look
    first = start(
        calibration.of_all(fitted.raws), fitted.wrong, target=ask.target, confidence_level=level, grid=ask.grid
    )
    return lowest(
        calibration.of_all(judged.raws),
        judged.wrong,
        target=ask.target,
        confidence_level=level,
        grid=ask.grid,
        first=first,
    )


def _parts(labels: Sequence[Label], ask: Ask) -> tuple[list[Label], list[Label], _Half, _Half]:
    """The labels that are asked about, what stays of them when evened, and the two halves of that."""
    own = asked_about(labels, ask)
    even = evened(own, ask.seed)
    fitting, judging = halves(even, ask.seed)
    return own, even, _figures(fitting), _figures(judging)


def _uncounted(labels: Sequence[Label], fitted: _Half, judged: _Half, ask: Ask) -> list[Unmet]:
    """What is missing whatever anybody found right or wrong."""
    found: list[Unmet] = []
    if len(labels) < ask.fewest_cases:
        found.append(Unmet("cases", f"{len(labels):,} labels; it takes {ask.fewest_cases:,}"))
    if (days := _days(labels)) < ask.fewest_days:
        found.append(Unmet("days", f"the labels are of {days} days; it takes {ask.fewest_days}"))
    if (share := share_unseen(labels, ask.proposals)) < FEWEST_UNSEEN:
        more = math.ceil(FEWEST_UNSEEN * ask.proposals) - round(share * ask.proposals)
        found.append(
            Unmet(
                "unseen",
                f"{_share(share)} of {ask.proposals:,} proposals were judged blind or audited; it takes "
                f"{_share(FEWEST_UNSEEN)}, so {max(more, 1):,} more",
            )
        )
    if min(len(fitted.raws), len(judged.raws)) < FEWEST:
        there = len(fitted.raws) + len(judged.raws)
        found.append(
            Unmet("calibration", f"{there:,} labels tell a confidence; it takes {2 * FEWEST}, half to calibrate by")
        )
    return found


def _faults(labels: Sequence[Label], ask: Ask) -> list[Unmet]:
    """What keeps any threshold from being certified."""
    found: list[Unmet] = []
    if severe := [label for label in labels if label.severe]:
        last = max(label.at for label in severe)
        found.append(Unmet("severe", f"{len(severe)} severe errors, the last on {last:%Y-%m-%d}; none is allowed"))
    if ask.worse:
        found.append(Unmet("guardrails", f"{len(ask.worse)} guardrails got worse: {', '.join(ask.worse)}"))
    return found


def _no_threshold(search: Search, judged: int, ask: Ask) -> Unmet:
    """Say how far the most promising threshold is from the target, and how many labels it would take."""
    best, level = search.tried[0], ask.level_of_a_look
    told = (
        f"no threshold has an error bound of at most {_share(ask.target)} at {_share(level)}: from the most promising "
        f"one, {best.threshold:g}, on, {best.wrong:,} of {best.n:,} accepted cases were wrong, a bound of "
        f"{_share(best.bound)}"
    )
    rate = best.wrong / best.n if best.n else 0.0
    accepted = needed_at(rate, ask.target, level)
    if accepted is None:
        return Unmet(
            "threshold", f"{told}; more cases would not help, for {_share(rate)} wrong is not below the target"
        )
    with_none = needed(ask.target, level)
    told += f"; it takes about {accepted:,} accepted cases with errors as they are ({with_none:,} with none)"
    if best.n:
        told += f", so about {-(-2 * accepted * judged // best.n):,} labels in all, half of them to calibrate by"
    return Unmet("threshold", told)


def _figures(labels: Sequence[Label]) -> _Half:
    told = [(label.confidence, label.wrong) for label in labels if label.confidence is not None]
    return _Half(
        np.array([raw for raw, _ in told], dtype=np.float64),
        np.array([wrong for _, wrong in told], dtype=np.bool_),
        len(labels),
    )


def _days(labels: Sequence[Label]) -> int:
    """Whole days from the first to the last."""
    moments: list[datetime] = [label.at for label in labels]
    return (max(moments) - min(moments)).days if moments else 0


def _share(share: float) -> str:
    return f"{100 * share:.3g} %"
