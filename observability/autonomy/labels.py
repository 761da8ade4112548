"""Labels: proposals of which it is known, independently of what was shown, whether they were right.

An approve click is no label: who saw the proposal may have agreed without looking. What counts is a decision taken
without seeing it (`blind`, and `shadow` at level A1), an audit, or what the case came to later.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from workunits.core.errors import BadInput

Source = Literal["blind", "shadow", "audit", "outcome"]
UNSEEN: frozenset[Source] = frozenset({"blind", "shadow", "audit"})
"""What a person judged without having seen the proposal, or in an audit of it: the share that must not dry up."""
_SAMPLES: tuple[frozenset[Source], ...] = (frozenset({"shadow"}), frozenset({"blind", "audit"}), frozenset({"outcome"}))
"""Each is a sample of all cases of its time; blind ones of reviewed cases and audits of the rest are one together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One proposal, and whether it was right; there is one label of a proposal, never two."""

    confidence: float | None
    """As the model told it, uncalibrated, 0 to 1; None when it told none."""
    wrong: bool
    severe: bool
    """Wrong in a way that the unit calls severe."""
    source: Source
    weight: float = 1.0
    """One over the probability with which the case was drawn for its label."""
    at: datetime
    """When the proposal was made."""
    found: datetime | None = None
    """When somebody answered blind or audited it, which may be weeks after; None where only `at` is known."""
    segment: str
    case: str = ""
    """With `key` it names the proposal."""
    key: str = ""

    def __post_init__(self) -> None:
        """Refuse what no statistics could use.

        Raises:
            BadInput: a figure is out of its range.
        """
        if self.confidence is not None and not 0 <= self.confidence <= 1:
            raise BadInput("should be from 0 to 1, or absent", field="confidence")
        if not 1 <= self.weight < float("inf"):
            raise BadInput("should be one over a probability, so at least 1", field="weight")
        if self.severe and not self.wrong:
            raise BadInput("can be set for what is wrong only", field="severe")
        for name, moment in (("at", self.at), ("found", self.found)):
            if moment is not None and moment.tzinfo is None:
                raise BadInput("needs a time zone", field=name)

    @property
    def known(self) -> datetime:
        """From when on it counts: whoever asked before did not have it."""
        return self.at if self.found is None else max(self.at, self.found)


def data_of(labels: Sequence[Label]) -> str:
    """Name labels by what a look at their errors sees of each, in any order: other labels have another name."""
    told = sorted(
        json.dumps([one.case, one.key, str(one.at.astimezone(UTC)), one.confidence, one.wrong, one.source, one.weight])
        for one in labels
    )
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def evened(labels: Sequence[Label], seed: int) -> list[Label]:
    """Leave labels out by chance, so that all cases of a sample had the same probability to be in it.

    The binomial bound counts cases, and cannot weigh them. A label that was drawn with probability 1/w stays with w
    over the largest weight, so each case has the probability of the rarest. Nothing goes where all weights are equal.

    Args:
        labels: In any order.
        seed: Of the draw, which looks at no label's verdict.

    Returns:
        What stays, by the time of the proposal.
    """
    ordered = sorted(labels, key=lambda label: label.at)
    draws = np.random.default_rng([seed, 1]).random(len(ordered))
    largest = {
        source: max((label.weight for label in ordered if label.source in sample), default=1.0)
        for sample in _SAMPLES
        for source in sample
    }
    return [label for label, draw in zip(ordered, draws, strict=True) if draw < label.weight / largest[label.source]]


def halves(labels: Sequence[Label], seed: int) -> tuple[list[Label], list[Label]]:
    """Split labels by chance into two halves, the first for what is fitted, the second for what is judged."""
    order = np.random.default_rng([seed, 2]).permutation(len(labels))
    middle = len(labels) // 2
    return [labels[place] for place in order[:middle]], [labels[place] for place in order[middle:]]


def share_unseen(labels: Sequence[Label], proposals: int) -> float:
    """The share of proposals that somebody judged without having seen them, or in an audit; 0 of none."""
    return sum(label.source in UNSEEN for label in labels) / proposals if proposals else 0.0
