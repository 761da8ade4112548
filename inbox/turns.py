"""Whose turn it is to be delivered: the oldest action of each case, so that none waits for another case's.

What was never sent and what was sent in vain have places of their own, and a free place goes to the unit that has the
fewest: whatever does not answer keeps nothing waiting that would.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable

from inbox.journal import Head

PLACES = 16
"""How many cases are delivered to at once for the first time, and as many again that did not answer before."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 2.0
"""Seconds in which a case that did not answer is left alone."""


class Turns:
    """Which cases wait for their turn, which have it, and which are left alone for a moment."""

    def __init__(self) -> None:
        """Begin with none."""
        self._waiting: dict[bool, dict[str, deque[Head]]] = {}
        """Whether it was sent before, then its unit."""
        self._out: dict[bool, dict[str, Head]] = {False: {}, True: {}}
        self._paused: dict[str, tuple[float, float]] = {}
        """By case: until when, and for how long that is."""

    @property
    def idle(self) -> bool:
        """Whether nobody waits, and nobody has the turn."""
        return not (any(self._waiting.values()) or any(self._out.values()) or self._paused)

    def look(self, heads: Iterable[Head], now: float) -> None:
        """Let those wait that there are now.

        Args:
            heads: The oldest of each case, in the order in which they get their turn.
            now: Seconds of a clock that only goes forward.
        """
        paused, self._paused = self._paused, {}
        self._waiting = {False: defaultdict(deque), True: defaultdict(deque)}
        for head in heads:
            case = head.case_id
            if case in paused:
                self._paused[case] = paused[case]
            if not any(case in out for out in self._out.values()) and now >= paused.get(case, (now,))[0]:
                self._waiting[head.again][_unit(case)].append(head)

    def take(self) -> Head | None:
        """Whose turn is next, and is theirs from now on; None while there is no place, or nobody waits."""
        for again, out in self._out.items():
            units = self._waiting.get(again)
            if units and len(out) < PLACES:
                unit = min(units, key=lambda unit: sum(_unit(case) == unit for case in out))
                head = units[unit].popleft()
                if not units[unit]:
                    del units[unit]
                out[head.case_id] = head
                return head
        return None

    def back(self, head: Head, *, answered: bool, now: float) -> None:
        """End a turn; a case that did not answer is left alone for longer each time."""
        del self._out[head.again][head.case_id]
        _, last = self._paused.pop(head.case_id, (now, 0.0))
        if not answered:
            pause = min(last * 2, _LONGEST_PAUSE) or _FIRST_PAUSE
            self._paused[head.case_id] = now + pause, pause


def _unit(case: str) -> str:
    return case.partition(":")[0]
