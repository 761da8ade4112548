"""How long a case still takes from a step on: Kaplan-Meier over cases that were as long in that step.

A stay is one performance of a step, from when it was ready. What is estimated is the time from there to the close of
the case; of cases that are still open, only that it is longer than so far is known (they are right-censored). A case
that has been in its step for so long is compared with those alone that had been, too: who left the step sooner says
nothing of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

MINIMUM = 30
"""Closes from which on a curve says something (semantics, section 5)."""
NEVER = np.iinfo(np.int64).max
"""When something ends that goes on."""
Moments = NDArray[np.int64]
Basis = Literal["version", "unit"]
"""Whose cases a forecast rests on."""


@dataclass(frozen=True, slots=True)
class Stays:
    """Stays as columns of equal length; moments are microseconds since 1970."""

    ready: Moments
    left: Moments
    """When the step ended."""
    closed: Moments
    """When the case closed."""
    version: NDArray[Any]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.ready)

    def of_version(self, version: str) -> Stays:
        """Those of one version."""
        return self._where(self.version == version)

    def as_of(self, moment: int) -> Curve:
        """What was known of them at a moment; later ends were not."""
        begun = self._where(self.ready < moment)
        stayed = np.minimum(begun.left, moment) - begun.ready
        took, ended = np.minimum(begun.closed, moment) - begun.ready, begun.closed <= moment
        order = np.lexsort((~ended, took))
        return Curve(stayed[order], took[order], ended[order])

    def _where(self, chosen: NDArray[np.bool_]) -> Stays:
        return Stays(self.ready[chosen], self.left[chosen], self.closed[chosen], self.version[chosen])


@dataclass(frozen=True, slots=True)
class Chance:
    """A probability, and what it rests on."""

    probability: float
    n: int
    """Stays that were as long."""
    closes: int
    """Of them, those whose case has closed."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Stays as they were known at one moment; durations in microseconds since the step was ready.

    They are in the order of `took`, of equal ones those first that ended: so a curve is one product. SciPy's `ecdf`
    gives the same (a test compares), and takes many times as long: a list of tasks has fifty of them.
    """

    stayed: Moments
    """How long the step took, or had taken so far."""
    took: Moments
    """How long it took to the close of the case, or had taken so far."""
    ended: NDArray[np.bool_]
    """Whether the case had closed."""

    def open_after(self, age: int, left: int) -> Chance | None:
        """The probability that a case is still open after some more time.

        Args:
            age: How long it has been in the step.
            left: How much more time; beyond the longest time that was seen, the curve stays where it is.

        Returns:
            None with too little data.
        """
        alike = self.stayed > age
        ended = self.ended[alike]
        n, closes = len(ended), int(ended.sum())
        if closes < MINIMUM:
            return None
        until = int(np.searchsorted(self.took[alike], age + left, side="right"))
        at_risk = n - np.arange(until)
        return Chance(float(np.prod(1 - ended[:until] / at_risk)), n, closes)


class Outlook:
    """The curves of a step as of one moment; each is made once, when it is needed."""

    def __init__(self, stays: Stays, moment: int) -> None:
        """Take the stays in a step, and the moment; nothing later is used."""
        self._stays = stays
        self._moment = moment
        self._made: dict[str | None, Curve] = {}

    def breach(self, version: str, ready: int, due: int) -> tuple[Chance, Basis] | None:
        """The probability that a case closes after its due time; its version says so, or else the whole unit.

        Args:
            version: The case's version.
            ready: Since when the case is in the step.
            due: Its due time.

        Returns:
            None when neither has enough data.
        """
        age, left = self._moment - ready, due - self._moment
        chance = self._curve(version).open_after(age, left)
        if chance is not None:
            return chance, "version"
        chance = self._curve(None).open_after(age, left)
        return None if chance is None else (chance, "unit")

    def _curve(self, version: str | None) -> Curve:
        if version not in self._made:
            some = self._stays if version is None else self._stays.of_version(version)
            self._made[version] = some.as_of(self._moment)
        return self._made[version]
