"""Clocks, read from the record: pure functions of a promise, of what happened, and of a pinned calendar.

A clock is no date that someone has to move. It is its budget and the intervals in which it ran; consumed time, the
due time and every rung follow from these, however often it stood still. A pause that goes on is taken to last until
its cap, so that a clock that stands still has a due time too: the latest possible one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, Literal, Protocol

from .case_calendar import Calendar
from .promise import OPERATIONS_HOLD, Between, Elapsed, Target, as_target
from .record import ClockEntry, Interval, Microseconds, Record, Work
from .spec import Step

UNIT = "unit"
"""The key of the clock of the outcome itself."""
CASE = "case"
SECOND = 1_000_000
_ONE = timedelta(microseconds=1)

State = Literal["running", "paused", "stopped", "void"]


class Time(Protocol):
    """What counts as time: all of it, or the working time of a calendar. Offsets from the case's start."""

    def consumed(self, begin: Microseconds, end: Microseconds) -> Microseconds:
        """How much of an interval counts."""

    def advance(self, begin: Microseconds, amount: Microseconds) -> Microseconds | None:
        """When so much has counted; None beyond the calendar's horizon."""


class Wall:
    """All time counts."""

    def consumed(self, begin: Microseconds, end: Microseconds) -> Microseconds:
        """The whole interval."""
        return max(0, end - begin)

    def advance(self, begin: Microseconds, amount: Microseconds) -> Microseconds | None:
        """So much later."""
        return begin + amount


WALL = Wall()


@dataclass(frozen=True, slots=True)
class Promised:
    """A target of a unit: on the outcome, on a human step, or between two events."""

    target: Target
    step: str = ""
    """The human step."""
    of: Literal["", "start_by", "finish_by"] = ""
    between: Between | None = None
    outsiders: tuple[tuple[str, str], ...] = ()
    """The steps that an outsider performs, each with its role: waiting for them may stop the clock."""

    @property
    def name(self) -> str:
        """By which metrics and reports know it: `unit`, `decide.finish_by`, the name of a target between events."""
        return self.between.name if self.between else f"{self.step}.{self.of}" if self.step else UNIT

    def key(self, work: Work | None) -> str:
        """The clock's key within its case: each performance of a step has clocks of its own."""
        return f"{work.key}.{self.of}" if work else self.name


@dataclass(frozen=True, slots=True)
class Reading:
    """A clock, as the record tells it."""

    key: str
    promised: Promised
    time: Time
    started: Microseconds
    stopped: Microseconds | None
    """When what was promised came, or could come no more."""
    budget: Microseconds
    """With what was adjusted."""
    pauses: tuple[Interval, ...]
    """Merged, in order; one that goes on ends at its cap."""
    task: str | None = None
    """The key of the performance that it is about."""
    given: bool = True
    """Whether it stopped because what was promised came; else it ends without a result."""
    voided: Microseconds | None = None
    entries: tuple[ClockEntry, ...] = ()

    def running(self, until: Microseconds) -> Iterator[Interval]:
        """The intervals in which it ran, up to a moment."""
        end = min([until, *(moment for moment in (self.stopped, self.voided) if moment is not None)])
        begin = self.started
        for pause, resume in self.pauses:
            if begin < min(pause, end):
                yield begin, min(pause, end)
            begin = max(begin, resume)
        if begin < end:
            yield begin, end

    def consumed(self, until: Microseconds) -> Microseconds:
        """The time that has counted, up to a moment."""
        return sum(self.time.consumed(begin, end) for begin, end in self.running(until))

    def paused(self, until: Microseconds) -> Microseconds:
        """How long it stood still, on the wall clock."""
        end = until if self.stopped is None else min(until, self.stopped)
        return sum(max(0, min(resume, end) - pause) for pause, resume in self.pauses)

    def when(self, amount: Microseconds) -> Microseconds | None:
        """When so much has been consumed, if nobody stops it; None beyond the calendar's horizon."""
        begin = self.started
        for pause, resume in self.pauses:
            runs = self.time.consumed(begin, pause)
            if amount <= runs and begin < pause:
                return self.time.advance(begin, amount)
            amount -= runs
            begin = max(begin, resume)
        return self.time.advance(begin, amount)

    @property
    def due(self) -> Microseconds | None:
        """When the budget is used up."""
        return self.when(self.budget)

    def is_late(self, at: Microseconds) -> bool:
        """Whether the budget was exceeded by then, in whole seconds; never by rounded fractions."""
        return self.consumed(at) // SECOND > self.budget // SECOND

    def generation(self, now: Microseconds) -> int:
        """Counts how often it was armed: at its start, after each pause, and by each adjustment."""
        ended = sum(resume <= now for _, resume in self.pauses)
        done = [entry for entry in self.entries if entry.came in ("", "done")]
        return 1 + ended + sum(entry.entry in ("adjust", "reproject") for entry in done)

    def state(self, now: Microseconds) -> State:
        """Whether it runs."""
        if self.voided is not None:
            return "void"
        if self.stopped is not None and self.stopped <= now:
            return "stopped" if self.given else "void"
        return "paused" if any(pause <= now < resume for pause, resume in self.pauses) else "running"


def read_clock(
    promised: Promised, record: Record, calendars: Mapping[str, Calendar], work: Work | None = None
) -> Reading | None:
    """Read a clock.

    Args:
        promised: What was promised.
        record: What happened.
        calendars: By name, as they were pinned.
        work: The performance, for a promise on a step.

    Returns:
        The clock; None when it has not started, or its calendar is not pinned yet.
    """
    target, key = promised.target, promised.key(work)
    started, stopped, given = _course(promised, record, work)
    if started is None:
        return None
    entries = tuple(entry for entry in record.entries if entry.clock == key)
    voided = next((entry.at for entry in entries if entry.entry == "void"), None)
    time: Time = WALL
    if isinstance(target.within, Elapsed):
        budget = target.within.span // _ONE
    else:
        calendar = calendars.get(target.calendar)
        if calendar is None:
            return None
        time, counted = calendar.time(target.within), calendar.budget(target.within, started)
        if counted is None:
            return None
        budget = counted
    return Reading(
        key=key,
        promised=promised,
        time=time,
        started=started,
        stopped=stopped,
        budget=max(0, budget + sum(entry.amount for entry in entries if entry.entry == "adjust")),
        pauses=_pauses(promised, record, entries, (started, stopped), work),
        task=work.key if work else None,
        given=given,
        voided=voided,
        entries=entries,
    )


def promises(steps: Collection[Step[Any, Any]], target: Target, between: Iterable[Between]) -> Iterator[Promised]:
    """All that a unit promises, the outcome itself first."""
    outsiders = tuple((step.name, step.role) for step in steps if step.external)
    yield Promised(target, outsiders=outsiders)
    for step in steps:
        if step.start_by is not None:
            yield Promised(as_target(step.start_by), step.name, "start_by")
        if step.finish_by is not None:
            yield Promised(as_target(step.finish_by), step.name, "finish_by")
    for promise in between:
        yield Promised(promise.target, between=promise, outsiders=outsiders)


def is_plain(promised: Sequence[Promised]) -> bool:
    """Whether the only promise is the outcome's, in elapsed time, and nothing stops its clock."""
    first = promised[0].target
    return len(promised) == 1 and isinstance(first.within, Elapsed) and not first.pauses


@lru_cache(maxsize=256)
def plain_clock(promised: Promised) -> tuple[Reading, ...]:
    """The clock of an open case whose only promise is the outcome's, in elapsed time: the same for all cases."""
    within = promised.target.within
    assert isinstance(within, Elapsed)  # noqa: S101 - `is_plain` says so
    return (Reading(UNIT, promised, WALL, 0, None, within.span // _ONE, ()),)


def clocks_of(promised: Promised, record: Record, calendars: Mapping[str, Calendar]) -> Iterator[Reading]:
    """The clocks of a promise that have started: of a step's, one for each of its performances."""
    works = [work for work in record.steps if work.step == promised.step] if promised.step else [None]
    readings = (read_clock(promised, record, calendars, work) for work in works)
    return (reading for reading in readings if reading is not None)


def _course(
    promised: Promised, record: Record, work: Work | None
) -> tuple[Microseconds | None, Microseconds | None, bool]:
    """When a clock started and stopped, and whether it stopped because what was promised came."""
    if work is not None:
        began = _begun(work) if promised.of == "start_by" else None
        if began is not None:
            return work.ready, began, True
        answered = work.end in ("done", "exception")
        return work.ready, work.done, work.done is None or answered
    if promised.between is None:
        return 0, record.closed, True
    started, came = (event(record, name) for name in (promised.between.since, promised.between.until))
    if started is None or came is not None:
        return started, None if came is None or started is None else max(started, came), True
    return started, record.closed, record.closed is None


def event(record: Record, name: str) -> Microseconds | None:
    """When a named event first happened."""
    step, _, what = name.rpartition(".")
    if step == CASE:
        return 0
    moments = (_moment(work, what) for work in record.steps if work.step == step)
    return min((moment for moment in moments if moment is not None), default=None)


def _moment(work: Work, what: str) -> Microseconds | None:
    if what == "ready":
        return work.ready
    if what == "claimed":
        return work.claimed if work.first_claimed is None else work.first_claimed
    if what == "begun":
        return _begun(work)
    return work.done if work.end == "done" else None


def _begun(work: Work) -> Microseconds | None:
    if work.work:
        return work.work[0][0]
    return work.since if work.now is None else None


def _pauses(
    promised: Promised,
    record: Record,
    entries: Iterable[ClockEntry],
    course: tuple[Microseconds, Microseconds | None],
    work: Work | None,
) -> tuple[Interval, ...]:
    """When a clock stood still: for each reason that the target lists, as long as its cap lasts."""
    started, stopped = course
    found: list[Interval] = []
    for pause in promised.target.pauses:
        left = pause.cap.span // _ONE
        stood = _merged(_reasoned(pause.reason, promised, record, entries, work))
        for begin, end in stood:
            first = max(begin, started)
            last = min([first + left, *(moment for moment in (end, stopped) if moment is not None)])
            if first < last:
                found.append((first, last))
                left -= last - first
    return tuple((begin, end) for begin, end in _merged(found) if end is not None)


def _reasoned(
    reason: str, promised: Promised, record: Record, entries: Iterable[ClockEntry], work: Work | None
) -> Iterator[tuple[Microseconds, Microseconds | None]]:
    """The intervals of one reason; the end of one that goes on is None."""
    outsiders = dict(promised.outsiders)
    for one in record.steps if work is None else (work,):
        if work is None and outsiders.get(one.step) == reason:
            yield one.ready, one.done
        told = {begin: heard for clock, begin, heard in one.belated if clock == promised.key(work)}
        stood = [*_waits(one, reason), *(_holds(one, record) if reason == OPERATIONS_HOLD else ())]
        yield from ((told.get(begin, begin), end) for begin, end in stood)
    since: Microseconds | None = None
    for entry in entries:
        if entry.entry == "pause" and entry.reason == reason:
            since = entry.at
        elif entry.entry == "resume" and entry.reason == reason and since is not None:
            yield since, entry.at
            since = None
    if since is not None:
        yield since, None


def _holds(work: Work, record: Record) -> Iterator[tuple[Microseconds, Microseconds | None]]:
    # A machine step is held because it failed: nobody declared that.
    if work.kind == "human" or any(one.key == work.key and one.stops_clocks for one in record.incidents):
        yield from work.held
        if work.now == "suspended" and work.since is not None:
            yield work.since, work.done


def _waits(work: Work, reason: str) -> Iterator[tuple[Microseconds, Microseconds | None]]:
    yield from (wait for wait, why in zip(work.waits, work.waits_for, strict=False) if why == reason)
    if work.now == "waiting" and work.since is not None and work.waits_for[len(work.waits) :] == [reason]:
        yield work.since, work.done


def _merged(
    intervals: Iterable[tuple[Microseconds, Microseconds | None]],
) -> list[tuple[Microseconds, Microseconds | None]]:
    """Intervals in order, without overlaps; an open one swallows what follows."""
    merged: list[tuple[Microseconds, Microseconds | None]] = []
    for begin, end in sorted(intervals, key=lambda interval: interval[0]):
        if merged and (merged[-1][1] is None or begin <= merged[-1][1]):
            last = merged[-1][1]
            merged[-1] = merged[-1][0], None if last is None or end is None else max(last, end)
        elif end is None or begin < end:
            merged.append((begin, end))
    return merged
