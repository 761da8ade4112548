"""Rubber stamps: signs that people approve what is shown to them without looking at it.

Signs are about a step and its reviews, never about a person; they ask the unit's owner to look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import stats

from observability.autonomy.reading_floor import reading_floor
from observability.autonomy.threshold import lower_bound

Decision = Literal["accept", "edit", "replace", "reject", "escalate"]
NEAR_ONE = 0.95
"""The accept rate from which on it is compared with what people decide blind."""
RARE = 0.01
FEWEST = 20
"""Reviews, blind ones or timed ones, before shares of them are judged."""
TOO_MANY_FAST = 0.2
"""The share of decisions that may be under the floor: some things are seen at a glance."""
MISSED = 0.05
"""The share of planted wrong proposals that may be missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """One proposal that a person decided."""

    decision: Decision
    shown: bool
    """Whether the person had seen it before deciding; if not, it was a blind one."""
    agrees: bool | None = None
    """Whether a blind decision was the proposal's; None for others."""
    seconds: float | None = None
    """From opening it to deciding; None where it was not measured."""
    words: int = 0
    """How much there was to read, evidence included."""
    planted: bool = False
    """Whether it was made wrong on purpose, to be caught."""


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign of rubber-stamping."""

    what: Literal["accepts_all", "too_fast", "missed"]
    share: float
    """The share that it is about."""
    n: int
    """Of how many."""
    words: str
    """In words, with the figures."""


def signs(reviewed: Sequence[Reviewed]) -> list[Sign]:
    """All signs that a step's reviews show; empty when there is none."""
    found = (accepts_all(reviewed), too_fast(reviewed), missed(reviewed))
    return [sign for sign in found if sign is not None]


def accepts_all(reviewed: Sequence[Reviewed]) -> Sign | None:
    """Nearly everything shown is accepted, while people who do not see the proposal decide otherwise more often.

    Fisher's exact test compares the share that was not accepted with the share of blind ones that disagree.
    """
    shown = [one for one in reviewed if one.shown and not one.planted]
    blind = [one for one in reviewed if not one.shown and one.agrees is not None]
    if min(len(shown), len(blind)) < FEWEST:
        return None
    accepted = sum(one.decision == "accept" for one in shown)
    differ = sum(not one.agrees for one in blind)
    rate = accepted / len(shown)
    table = np.array([[len(shown) - accepted, accepted], [differ, len(blind) - differ]])
    tested: Any = stats.fisher_exact(table, alternative="less")
    if rate < NEAR_ONE or float(tested.pvalue) >= RARE:
        return None
    words = (
        f"{rate:.1%} of {len(shown):,} proposals that were shown were accepted, and {differ / len(blind):.1%} of "
        f"{len(blind):,} blind decisions differ"
    )
    return Sign("accepts_all", rate, len(shown), words)


def too_fast(reviewed: Sequence[Reviewed]) -> Sign | None:
    """More decisions on what was shown than one in five came faster than it can be read, certainly (exact bound)."""
    timed = [(one.seconds, one.words) for one in reviewed if one.shown and one.seconds is not None and one.words]
    if len(timed) < FEWEST:
        return None
    fast = sum(seconds < reading_floor(words) for seconds, words in timed)
    if lower_bound(fast, len(timed)) <= TOO_MANY_FAST:
        return None
    share = fast / len(timed)
    return Sign("too_fast", share, len(timed), f"{share:.0%} of {len(timed):,} decisions took less than reading does")


def missed(reviewed: Sequence[Reviewed]) -> Sign | None:
    """Of the wrong proposals that were planted, more were accepted than may be, certainly (exact bound)."""
    planted = [one for one in reviewed if one.planted and one.shown]
    through = sum(one.decision == "accept" for one in planted)
    if lower_bound(through, len(planted)) <= MISSED:
        return None
    share = through / len(planted)
    return Sign("missed", share, len(planted), f"{through} of {len(planted)} planted wrong proposals were accepted")
