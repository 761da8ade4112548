"""Working time in whole numbers: what was recorded once of a calendar, and a clock's arithmetic on it.

Nothing here knows a zone or a holiday: an activity has read them, and a later edition of either cannot move what a
case has been promised. Moments are microseconds since 1970, UTC; so are local ones, as if the local clock showed UTC.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

SECOND = 1_000_000
DAY = 86_400 * SECOND
"""A day on local clocks; a real one is shorter or longer where clocks change."""

CALENDAR_ACTIVITY = "workunits.calendar"
"""The activity that takes a `PinOrder` and gives a `Pinned`; every worker that serves cases has it."""

Offsets = Sequence[tuple[int, int]]
"""From which second since 1970 local clocks are so many seconds ahead of UTC; the first holds before it, too."""


class Due(NamedTuple):
    """A moment, and the rule that moved it from where it would have been."""

    at: int
    rule: Literal["", "dst_gap", "dst_overlap"] = ""
    """`dst_gap`: clocks skip that local time, so it is the gap's end; `dst_overlap`: they show it twice."""


def resolve(offsets: Offsets, local: int, *, last: bool = False) -> Due:
    """Find the moment at which clocks show a local time; of two the first, unless `last`."""
    begins = [begin * SECOND for begin, _ in offsets]
    there: list[int] = []
    for n, (_, ahead) in enumerate(offsets):
        at = local - ahead * SECOND
        if (n == 0 or begins[n] <= at) and (n + 1 == len(begins) or at < begins[n + 1]):
            there.append(at)
    if there:
        return Due(there[-1 if last else 0], "dst_overlap" if len(there) > 1 else "")
    skipped = (begin for begin, (_, ahead) in zip(begins, offsets, strict=True) if begin + ahead * SECOND > local)
    return Due(min(skipped), "dst_gap")


class Hours:
    """Intervals of working time within a horizon; outside it nothing is known, and nothing counts."""

    __slots__ = ("_before", "_late", "_since", "_starts", "_until")

    def __init__(self, spans: Iterable[tuple[int, int]], since: int, until: int, *, late: bool = False) -> None:
        """Take the intervals, in order and without overlaps; those that touch become one.

        Args:
            spans: Begin and end of each.
            since: Where the horizon begins.
            until: Where it ends.
            late: What is used up with the end of an interval is due when the next one begins, not at that end.
        """
        edges: list[list[int]] = []
        for begin, end in spans:
            if edges and edges[-1][1] == begin:
                edges[-1][1] = end
            elif begin < end:
                edges.append([begin, end])
        self._starts = array("q", (begin for begin, _ in edges))
        # Working time before each interval, and all of it: ends are derived from it.
        self._before = array("q", accumulate((end - begin for begin, end in edges), initial=0))
        self._since, self._until, self._late = since, until, late

    def consumed(self, a: int, b: int) -> int:
        """Working time within `[a, b)`, in microseconds."""
        return max(0, self._worked(b) - self._worked(a))

    def advance(self, a: int, amount: int) -> int | None:
        """Find the earliest moment at which so much working time has passed since `a`.

        Args:
            a: The moment to count from.
            amount: Microseconds. With 0 it is `a` itself or, outside working time, when that begins again.

        Returns:
            The moment; None when it, or `a`, lies outside the horizon.
        """
        if not self._since <= a <= self._until:
            return None
        wanted = self._worked(a) + max(0, amount)
        find = bisect_right if self._late or amount <= 0 else bisect_left
        n = find(self._before, wanted) - 1
        return self._starts[n] + wanted - self._before[n] if n < len(self._starts) else None

    def off(self, a: int, b: int) -> list[tuple[int, int]]:
        """Say which intervals of `[a, b)` are not working time."""
        found, here = [], a
        for n in range(max(0, bisect_right(self._starts, a) - 1), bisect_left(self._starts, b)):
            if here < self._starts[n]:
                found.append((here, self._starts[n]))
            here = max(here, self._starts[n] + self._before[n + 1] - self._before[n])
        if here < b:
            found.append((here, b))
        return found

    def _worked(self, at: int) -> int:
        """Working time from the horizon's begin to a moment."""
        n = bisect_right(self._starts, at) - 1
        return min(self._before[n] + at - self._starts[n], self._before[n + 1]) if n >= 0 else 0


def _shared(numbers: list[int]) -> list[int]:
    """Keep each number once: an office's year has a handful of them, hundreds of times."""
    one: dict[int, int] = {}
    return [one.setdefault(number, number) for number in numbers]


class Pinned(BaseModel):
    """What was recorded once of a calendar, for a horizon; a case keeps it whatever becomes of the calendar."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    version: int
    zone: str
    """For people; nothing is looked up by it."""
    since: int
    """Where the horizon begins: a whole second, and the first of a local day."""
    until: int
    """Where it ends: the first second of a local day, too."""
    hours: Annotated[list[int], AfterValidator(_shared)]
    """From `since`: a gap, then working time, then a gap ...; in seconds."""
    offsets: list[tuple[int, int]] = Field(min_length=1)
    """See `Offsets`."""

    @cached_property
    def working(self) -> Hours:
        """The working hours."""
        edges = list(accumulate((seconds * SECOND for seconds in self.hours), initial=self.since))[1:]
        return Hours(zip(edges[::2], edges[1::2], strict=True), self.since, self.until)

    @cached_property
    def days(self) -> Hours:
        """The working days, each whole: from midnight to midnight on local clocks.

        A budget of working days is `consumed(start, due)` on them, with the due time of `next_day_due`; paused and
        resumed, it is still due at the same local time.
        """
        spans = ((self._midnight(day), self._midnight(day + 1)) for day in self.dates)
        inside = ((max(begin, self.since), min(end, self.until)) for begin, end in spans)
        return Hours(inside, self.since, self.until, late=True)

    @cached_property
    def dates(self) -> array[int]:
        """The local dates with any working time, as days since 1970."""
        horizon = range(self.local(self.since) // DAY, self.local(self.until) // DAY + 2)
        midnights = [(day, self._midnight(day)) for day in horizon]
        return array("q", (day for (day, a), (_, b) in pairwise(midnights) if self.working.consumed(a, b)))

    def local(self, at: int) -> int:
        """What local clocks show at a moment."""
        n = bisect_right(self.offsets, at // SECOND, key=lambda one: one[0]) - 1
        return at + self.offsets[max(0, n)][1] * SECOND

    def next_day_due(self, start: int, n: int) -> Due | None:
        """Find the same local time on the n-th next working day; the day of `start` is not counted.

        Args:
            start: The moment to count from.
            n: How many working days, at least 1.

        Returns:
            The moment and the rule that moved it; None when it, or `start`, lies outside the horizon.

        Raises:
            ValueError: `n` is less than 1.
        """
        if n < 1:
            raise ValueError("n: one working day or more")
        day, time = divmod(self.local(start), DAY)
        place = bisect_right(self.dates, day) + n - 1
        if not self.since <= start < self.until or place >= len(self.dates):
            return None
        found = resolve(self.offsets, self.dates[place] * DAY + time)
        # A gap may reach over midnight, and then into a day off.
        at = self.days.advance(found.at, 0)
        return None if at is None else Due(at, found.rule)

    def _midnight(self, day: int) -> int:
        """When a local date begins."""
        return resolve(self.offsets, day * DAY).at


class PinOrder(BaseModel):
    """Which calendar is to be recorded, and for which horizon."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    version: int | None = None
    """The newest when omitted."""
    since: int
    """Microseconds since 1970; what is recorded begins with that local day."""
    until: int
    """The same; what is recorded ends with that local day, at most six years later."""
