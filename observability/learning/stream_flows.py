"""What cases of a stream's units have to do with each other: which went before which, and how long a run of them took.

Cases belong together when they share their business key, or when a fact of one is the business key of another.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from observability.learning.estimates import Spread, spread

ACHIEVED = ("achieved", "achieved_late")
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Passage:
    """A case of one of the units, as it stood at the window's end."""

    case: str
    unit: str
    key: str
    started: datetime
    accepted: datetime
    closed: datetime | None
    """None: it was open then."""
    close: str | None
    clean: bool
    """Neither an exception nor rework."""
    caller: str = ""
    """The case that performed it as a step."""
    facts: tuple[str, ...] = ()
    """The values of its facts that are text."""

    @property
    def achieved(self) -> bool:
        """Whether it closed with its outcome, in time or late."""
        return self.closed is not None and self.close in ACHIEVED


Thread = Sequence[Passage]
"""Cases that belong together, in the order in which they started."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Cases of one unit that followed on cases of another, or that it performed as a step."""

    source: str
    target: str
    inside: bool
    """The target is a step of the source."""
    after_achieved: int
    after_other: int
    """The source's case had closed otherwise, such as for a complaint about it."""
    handover: Spread | None
    """From the close of the one to the start of the other, in microseconds."""


@dataclass(frozen=True, slots=True)
class Lead:
    """Runs of cases that ended at one unit: how long from the first request to the last close, in microseconds."""

    unit: str
    times: Spread


def threads(passages: Iterable[Passage]) -> list[Thread]:
    """Put cases together that belong together."""
    every = sorted(passages, key=lambda one: (one.started, one.case))
    heads = {one.key: one.key for one in every}

    def head(key: str) -> str:
        while heads[key] != key:
            heads[key] = heads[heads[key]]
            key = heads[key]
        return key

    for one in every:
        for fact in one.facts:
            if fact in heads:
                heads[head(one.key)] = head(fact)
    found: defaultdict[str, list[Passage]] = defaultdict(list)
    for one in every:
        found[head(one.key)].append(one)
    return list(found.values())


@dataclass
class _Edge:
    achieved: int = 0
    other: int = 0
    gaps: list[int] = field(default_factory=list)


def present(thread: Thread, since: datetime | None) -> bool:
    """Whether a thread had an open case in the window."""
    return since is None or any(one.closed is None or one.closed >= since for one in thread)


def flows(runs: Iterable[Thread], since: datetime | None) -> list[Flow]:
    """Which unit's cases followed on which, the most frequent first.

    A case follows on those that closed before it started with no other case of the thread wholly in between. A case
    that another one performed as a step follows on nothing; it lies inside the other.

    Args:
        runs: The threads.
        since: Counted are cases that started from then on, whenever those closed on which they followed.
    """
    edges: defaultdict[tuple[str, str, bool], _Edge] = defaultdict(_Edge)
    for thread in runs:
        by_case = {one.case: one for one in thread}
        for one in thread:
            if since is not None and one.started < since:
                continue
            if one.caller in by_case:
                edge = edges[by_case[one.caller].unit, one.unit, True]
                edge.achieved += one.achieved
                edge.other += not one.achieved
                continue
            for before in _before(one, thread):
                edge = edges[before.unit, one.unit, False]
                edge.achieved += before.achieved
                edge.other += not before.achieved
                edge.gaps.append((one.started - (before.closed or one.started)) // _MICROSECOND)
    made = [
        Flow(source, target, inside, edge.achieved, edge.other, spread(edge.gaps))
        for (source, target, inside), edge in edges.items()
    ]
    return sorted(made, key=lambda flow: (-(flow.after_achieved + flow.after_other), flow.source, flow.target))


def _before(one: Passage, thread: Thread) -> list[Passage]:
    """The cases on which one follows."""
    gone = [(other, other.closed) for other in thread if other.closed and other is not one and not other.caller]
    past = [(other, closed) for other, closed in gone if closed <= one.started]
    return [
        other
        for other, closed in past
        if not any(closed <= between.started and between is not other for between, _ in past)
    ]


def after(one: Passage, thread: Thread) -> list[Passage]:
    """The cases that follow on a case."""
    return [other for other in thread if not other.caller and other is not one and one in _before(other, thread)]


def main_line(order: Sequence[str], runs: Sequence[Thread], found: Sequence[Flow], since: datetime | None) -> list[str]:
    """The way that most achieved outcomes go: from where most threads begin, along the largest flow each time.

    Args:
        order: The units, as the catalog has them; it decides between equals.
        runs: The threads.
        found: Their flows.
        since: Of the threads those that began from then on; all of them where none did.
    """
    fresh = [thread for thread in runs if since is None or thread[0].started >= since]
    begun = Counter(thread[0].unit for thread in fresh or runs)
    if not begun:
        return []
    line = [max(order, key=lambda unit: begun[unit])]
    while True:
        onward = [flow for flow in found if flow.source == line[-1] and not flow.inside and flow.target not in line]
        best = max(onward, key=lambda flow: flow.after_achieved, default=None)
        if best is None or not best.after_achieved:
            return line
        line.append(best.target)


def leads(runs: Iterable[Thread], since: datetime | None) -> list[Lead]:
    """How long threads took that ended in the window, by the unit whose case closed last, the most frequent first."""
    by_unit: defaultdict[str, list[int]] = defaultdict(list)
    for thread in runs:
        ends = [one.closed for one in thread if one.closed]
        if len(ends) < len(thread):
            continue
        last = max(thread, key=lambda one: one.closed or one.started)
        if last.closed and (since is None or last.closed >= since):
            by_unit[last.unit].append((last.closed - _accepted(thread)) // _MICROSECOND)
    made = [Lead(unit, found) for unit, times in by_unit.items() if (found := spread(times))]
    return sorted(made, key=lambda lead: -lead.times.n)


def delivered(runs: Iterable[Thread], last: str, since: datetime | None) -> list[int]:
    """How long from the first request to the achieved outcome of the stream's last unit, of each thread with one."""
    return [(at - _accepted(thread)) // _MICROSECOND for thread, at in _deliveries(runs, last, since)]


def clean_share(runs: Iterable[Thread], last: str, since: datetime | None) -> tuple[int, int]:
    """Of the threads delivered in the window, how many had neither an exception nor rework in any case."""
    done = [thread for thread, _ in _deliveries(runs, last, since)]
    return sum(all(one.clean for one in thread) for thread in done), len(done)


def _deliveries(runs: Iterable[Thread], last: str, since: datetime | None) -> Iterator[tuple[Thread, datetime]]:
    """The threads whose first outcome of the last unit was achieved in the window, and when."""
    for thread in runs:
        ends = [one.closed for one in thread if one.unit == last and one.achieved and one.closed]
        if ends and (since is None or min(ends) >= since):
            yield thread, min(ends)


def waiting(runs: Iterable[Thread]) -> int:
    """Threads with an open case."""
    return sum(any(one.closed is None for one in thread) for thread in runs)


def _accepted(thread: Thread) -> datetime:
    return min(one.accepted for one in thread)
