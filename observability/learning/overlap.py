"""Work of the same person that overlaps: how much of their touch was on more than one piece at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def counted_twice(who: Sequence[int], starts: Sequence[int], ends: Sequence[int]) -> float | None:
    """The share of all work that lies inside other work of the same person.

    Args:
        who: The person of each interval, as a number.
        starts: When each begins.
        ends: When each ends, in the same unit.

    Returns:
        None when nobody worked.
    """
    people, begun, ended = np.asarray(who), np.asarray(starts), np.asarray(ends)
    order = np.lexsort((begun, people))
    total = covered = 0
    for mine in np.split(order, np.flatnonzero(np.diff(people[order])) + 1):
        a, b = begun[mine], ended[mine]
        # Up to where the time before each interval is taken already.
        taken = np.concatenate((a[:1], np.maximum.accumulate(b)[:-1]))
        total += int((b - a).sum())
        covered += int(np.maximum(0, b - np.maximum(a, taken)).sum())
    return (total - covered) / total if total else None
