"""How much one may ask for: a bucket of requests for each actor and each address, refilled steadily."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rate:
    """So many at once, and so many a second in the long run."""

    burst: float
    per_second: float


@dataclass
class Limits:
    """The buckets of all who ask; the least recent are forgotten, which fills theirs."""

    reads: Rate = Rate(300, 30)
    """Of one actor."""
    writes: Rate = Rate(120, 10)
    """Of one actor."""
    address: Rate = Rate(2000, 200)
    """Of all who come from one address, whoever they are."""
    failures: Rate = Rate(20, 0.2)
    """Refused logins and tokens of one address."""
    clock: Callable[[], float] = time.monotonic
    remembered: int = 10_000
    _buckets: OrderedDict[tuple[str, str], tuple[float, float]] = field(default_factory=OrderedDict, repr=False)

    def take(self, kind: str, who: str) -> int:
        """Take one out of a bucket.

        Args:
            kind: `reads`, `writes`, `address` or `failures`.
            who: Whose bucket.

        Returns:
            0, or the whole seconds until there is one again; then none was taken.
        """
        left, rate = self._left(kind, who)
        if left < 1:
            return max(1, math.ceil((1 - left) / rate.per_second))
        self._keep(kind, who, left - 1)
        return 0

    def empty(self, kind: str, who: str) -> int:
        """The whole seconds until a bucket has one again; 0 when it has. Takes none."""
        left, rate = self._left(kind, who)
        return 0 if left >= 1 else max(1, math.ceil((1 - left) / rate.per_second))

    def _left(self, kind: str, who: str) -> tuple[float, Rate]:
        rate: Rate = getattr(self, kind)
        left, at = self._buckets.get((kind, who), (rate.burst, self.clock()))
        return min(rate.burst, left + (self.clock() - at) * rate.per_second), rate

    def _keep(self, kind: str, who: str, left: float) -> None:
        self._buckets[kind, who] = (left, self.clock())
        self._buckets.move_to_end((kind, who))
        while len(self._buckets) > self.remembered:
            self._buckets.popitem(last=False)
