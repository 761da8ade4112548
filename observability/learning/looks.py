"""When a comparison may be judged before all cases are in: at fixed looks, each with its share of the error allowed.

Looks are due when so many cases of both arms together have ended. Whoever asks in between is told the verdict of the
last look, by the data of its moment, so that looking often does not find differences that are not there. The error is
spent as O'Brien and Fleming's boundaries spend it (Lan and DeMets 1983: 2 - 2 Phi(z / sqrt(t))); each look takes
what the function grows by, so that all together stay below alpha whatever the looks have in common.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from observability.learning.arms import Arm

ALPHA = 0.05
SHARES = (0.25, 0.5, 0.75, 1.0)
PLANNED = 400
"""Ended cases of both arms together at the last look, unless a plan says otherwise."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look."""

    number: int
    cases: int
    """After how many ended cases it is due."""
    alpha: float
    """What it may spend."""


def looks(planned: int = PLANNED, alpha: float = ALPHA, shares: Sequence[float] = SHARES) -> list[Look]:
    """The looks of a plan."""
    made, spent = [], 0.0
    for number, share in enumerate(shares, 1):
        allowed = _spent(share, alpha)
        made.append(Look(number, math.ceil(share * planned), allowed - spent))
        spent = allowed
    return made


def moment_of(look: Look, first: Arm, second: Arm) -> float | None:
    """When a look was due, in seconds since 1970; None while it is not."""
    ended = np.sort(np.concatenate([arm["closed"][arm["ended"]] for arm in (first, second)]))
    return float(ended[look.cases - 1]) if len(ended) >= look.cases else None


def _spent(share: float, alpha: float) -> float:
    return float(2 - 2 * stats.norm.cdf(stats.norm.ppf(1 - alpha / 2) / math.sqrt(share)))
