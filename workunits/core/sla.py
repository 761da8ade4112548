"""The clock of a case: the rungs of its promises and the expiries of its tasks, on one live timer.

Only the next due rung is armed. A rung carries the time when it was due, not the time when it fired, so an
outage cannot move a breach; and an answer that was sent in time takes a breach back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

from temporalio import workflow

from . import ladder, reprojections
from .clocks import UNIT, Promised, Reading, clocks_of, is_plain, plain_clock
from .human import ANEW
from .incidents import tell_from_holds
from .lifecycle import Task
from .pinning import Calendars
from .promise import OPERATIONS_HOLD
from .record import ClockFacts, Microseconds, Record, Rung, Work

if TYPE_CHECKING:
    from datetime import datetime

    from .human import Desk

_LOWEST = "reminders are taken back from the first that lies ahead"
_MOVES = "a breach that stays moves with its due time"
"""Cases that were adjusted before there were these go on with all reminders anew, as their histories say."""
_TOLD_LATE = "a pause that is told late undoes no breach"
"""Cases in which one did before there was this go on with that, as their histories say."""


class Due(NamedTuple):
    """A rung that has not fired."""

    at: datetime
    rung: Literal["goal", "warn", "deadline", "passed", "expiry", "resume", "horizon"]
    task: Task | None = None
    reading: Reading | None = None
    number: int = 0


def _what(due: Due) -> tuple[datetime, str, str, str, int]:
    """Which rung it is: a clock is read anew each time."""
    return due.at, due.rung, due.task.id if due.task else "", due.reading.key if due.reading else "", due.number


class Clock:
    """Fires each rung once, at its due time or as soon after it as a worker is up."""

    __slots__ = ("_calendars", "_desk", "_plain", "_promised", "_record")

    def __init__(self, record: Record, desk: Desk, promised: Sequence[Promised], calendars: Calendars) -> None:
        """Watch a case.

        Args:
            record: Has what happened; gets the fired rungs.
            desk: Has the tasks that may expire.
            promised: What the unit promises, the outcome first.
            calendars: Of the promises in working time.
        """
        self._record = record
        self._desk = desk
        self._promised = promised
        self._calendars = calendars
        # Almost every case has one promise, in elapsed time: its clock is read once.
        self._plain = plain_clock(promised[0]) if is_plain(promised) else None

    # -- what is due

    def readings(self) -> Sequence[Reading]:
        """All clocks that have started."""
        if self._plain is not None and not self._record.entries:
            return self._plain
        return [
            reading
            for promised in self._promised
            for reading in clocks_of(promised, self._record, self._calendars.known)
        ]

    def pending(self) -> list[Due]:
        """The rungs that have not fired, soonest first."""
        record = self._record
        rungs = [Due(t.expires, "expiry", t) for t in self._desk.open_tasks() if t.expires]
        rungs += [Due(t.until, "resume", t) for t in self._desk.open_tasks() if t.until and t.state == "waiting"]
        for reading in self.readings():
            rungs += [Due(record.when(at), rung, None, reading, number) for at, rung, number in _rungs(reading, record)]
        horizon = self._calendars.horizon()
        if horizon is not None:
            rungs.append(Due(record.when(horizon), "horizon"))
        return sorted(rungs, key=lambda due: due.at)

    async def run(self) -> None:
        """Fire rungs as they come due, until cancelled."""
        # Of an earlier run of the case:
        tell_from_holds(self._record.incidents, self._promised)
        reprojections.want_again(self._record, self._calendars)
        while True:
            nearest = next(iter(self.pending()), None)
            if nearest is None:
                await workflow.wait_condition(lambda: bool(self.pending()))
                continue
            left = max(nearest.at - workflow.now(), timedelta(0))
            if left and await self._overtaken(nearest, left):
                continue
            await self._fire_due()

    async def _fire_due(self) -> None:
        """Fire what is due, the soonest first; what fires may end, or bring on, what else was to."""
        due = self._due_now()
        while due:
            first, *rest = due
            if first.rung == "horizon":
                await self._look_further()
                return
            self._fire(first)
            fresh = self._due_now()
            moved = [_what(one) for one in fresh] != [_what(one) for one in rest]
            due = fresh if moved and workflow.patched(ANEW) else rest

    def _due_now(self) -> list[Due]:
        return [due for due in self.pending() if due.at <= workflow.now()]

    async def _look_further(self) -> None:
        """Have calendars pinned, and withdraw what lies ahead by their other versions."""
        looked = await self._calendars.look_further()
        for why in (*reprojections.came_of(self._record, self._calendars, looked), *looked.short):
            self._desk.ignore("unknown_calendar", why)
        self.rearm(lambda reading: reading.promised.target.calendar in looked.changed)
        self._desk.changed = True

    async def _overtaken(self, nearest: Due, left: timedelta) -> bool:
        """Wait for a rung; true when an earlier one came up meanwhile.

        One that moved away, because its clock was stopped, wakes the case all the same, and nothing fires.
        """

        def earlier() -> bool:
            pending = self.pending()
            return bool(pending) and pending[0].at < nearest.at

        try:
            await workflow.wait_condition(earlier, timeout=left, timeout_summary=nearest.rung)
        except TimeoutError:
            return False
        return True

    # -- what fires

    def _fire(self, due: Due) -> None:
        record, at, now = self._record, self._record.offset(due.at), self._record.offset(workflow.now())
        self._desk.changed = True
        if due.task:
            if due.rung == "resume":
                self._desk.resume(due.task)
            else:
                self._desk.expire(due.task)
            task = due.task.id.rpartition("/")[2]
            record.rungs.append(Rung(rung=due.rung, due=at, at=now, task=task))  # type: ignore[arg-type]
            return
        assert due.reading is not None  # noqa: S101 - a rung is a task's or a clock's
        reading = due.reading
        if reading.key == UNIT:
            self._mark(due.rung, at)
        target = reading.promised.target
        reached = ladder.climb(self._desk, target.ladder, (due.rung, due.number), reading.task, now)
        record.rungs.append(
            Rung(
                rung=due.rung,  # type: ignore[arg-type]
                due=at,
                at=now,
                clock=reading.key,
                generation=reading.generation(now),
                number=due.number,
                reached=reached,
            )
        )

    def _mark(self, rung: str, at: Microseconds | None) -> None:
        """Note a rung of the unit's own promise."""
        if rung == "warn":
            self._record.warned = at
        elif rung == "deadline":
            self._record.breached = at

    def rearm(self, concerned: Callable[[Reading], bool]) -> None:
        """After an adjustment: what has fired and now lies ahead is withdrawn, and may fire again."""
        now = self._record.offset(workflow.now())
        for reading in filter(concerned, self.readings()):
            self._withdraw(reading, now)

    def broken(self) -> set[str]:
        """The keys of the clocks that go on although they are broken, by times or by what has fired."""
        now = self._record.offset(workflow.now())
        return {
            reading.key
            for reading in self.readings()
            if reading.stopped is None and (reading.is_late(now) or _fired(reading.key, self._record)["deadline"])
        }

    def told(self, work: Work, broken: Collection[str]) -> None:
        """Count the wait or hold that goes on: where a clock was broken, from now on, whenever it began.

        Args:
            work: The record of the work on its task.
            broken: The keys of the clocks that were broken until it was told.
        """
        now, since = self._record.offset(workflow.now()), work.since
        if since is None or since >= now:
            return
        reason = OPERATIONS_HOLD if work.now == "suspended" else work.waits_for[-1]
        concerned = [
            reading
            for reading in self.readings()
            if reading.task in (None, work.key) and reason in {pause.reason for pause in reading.promised.target.pauses}
        ]
        late = [reading.key for reading in concerned if reading.key in broken]
        moved = {reading.key for reading in concerned if reading.key not in broken and self._ahead(reading, now)}
        if (late or moved) and workflow.patched(_TOLD_LATE):
            work.belated += [(key, since, now) for key in late]
            self.rearm(lambda reading: reading.key in moved)

    def _ahead(
        self, reading: Reading, now: Microseconds
    ) -> list[tuple[Microseconds, Literal["goal", "warn", "deadline", "passed"], int]]:
        """What has fired although it is due only after now."""
        fired = _fired(reading.key, self._record)
        return [
            (at, rung, number)
            for at, rung, number in _thresholds(reading)
            if fired[rung] > (number - 1 if number else 0) and at > now
        ]

    def _withdraw(self, reading: Reading, now: Microseconds) -> None:
        """Take back what fired although it is due only after now; a breach that stays has its new due time."""
        ahead = self._ahead(reading, now)
        reminders = [one for one in ahead if one[1] == "passed"]
        # The first one says it of those after it, too; those before it have fired and stay so.
        numbered = bool(reminders) and workflow.patched(_LOWEST)
        for at, rung, number in [one for one in ahead if not numbered or one not in reminders[1:]]:
            taken = Rung(rung="withdrawn", due=at, at=now, clock=reading.key, of=rung, number=number if numbered else 0)
            self._record.rungs.append(taken)
            if reading.key == UNIT:
                self._mark(rung, None)
        due, breached = reading.due, self._record.breached
        if reading.key == UNIT and breached is not None and due not in (None, breached) and workflow.patched(_MOVES):
            self._record.breached = due

    # -- how the promises stand

    def is_late(self, at: Microseconds) -> bool:
        """Whether the outcome's promise is broken by then, by times and not by timers."""
        return next((reading.is_late(at) for reading in self.readings() if reading.key == UNIT), False)

    def due(self) -> Microseconds | None:
        """When the outcome is due; None while nobody knows."""
        return next((reading.due for reading in self.readings() if reading.key == UNIT), None)

    def show(self) -> None:
        """Write on the record how the clocks stand."""
        record = self._record
        if self._plain is not None and not record.entries:
            return
        now = record.closed if record.closed is not None else record.offset(workflow.now())
        readings = self.readings()
        for reading in readings:
            if reading.key != UNIT and reading.stopped is not None:
                self._judge_stopped(reading, reading.stopped)
        record.clocks = [_facts(reading, record, now, self._calendars.label(reading)) for reading in readings]
        record.due = self.due() or record.due

    def _judge_stopped(self, reading: Reading, stopped: Microseconds) -> None:
        """State a breach by times alone, whichever of timer and answer came first."""
        now, late = self._record.offset(workflow.now()), reading.is_late(stopped)
        broken = bool(_fired(reading.key, self._record)["deadline"])
        due = reading.due
        if late and not broken and due is not None:
            self._record.rungs.append(Rung(rung="deadline", due=due, at=now, clock=reading.key))
        elif broken and not late and due is not None:
            self._record.rungs.append(Rung(rung="withdrawn", due=due, at=now, clock=reading.key))

    def settle(self, closed: Microseconds) -> None:
        """At the close, state the breach by times alone, whichever of timer and answer came first."""
        record, now = self._record, self._record.offset(workflow.now())
        # What fires in the very task that closes the case was due after it, and nobody has seen it.
        record.rungs = [rung for rung in record.rungs if rung.due <= closed or rung.at < now]
        if record.warned is not None and record.warned > closed:
            record.warned = None
        late, due = self.is_late(closed), self.due()
        record.due = due if due is not None else record.due
        if late and record.breached is None:
            record.breached = record.due
            record.rungs.append(Rung(rung="deadline", due=record.due, at=closed))
        elif not late and record.breached is not None:
            record.breached = None
            if any(rung.rung == "deadline" and rung.clock == UNIT for rung in record.rungs):
                record.rungs.append(Rung(rung="withdrawn", due=record.due, at=now))
        record.off = self._calendars.off(self._promised[0].target.calendar, closed)


def _thresholds(reading: Reading) -> Iterator[tuple[Microseconds, Literal["goal", "warn", "deadline", "passed"], int]]:
    """When each rung of a clock is due, as far as the calendar reaches; of reminders, which one."""
    target = reading.promised.target
    if target.goal is not None and (at := reading.when(int(reading.budget * target.goal))) is not None:
        yield at, "goal", 0
    if (at := reading.when(int(reading.budget * target.warn))) is not None:
        yield at, "warn", 0
    due = reading.due
    if due is None:
        return
    yield due, "deadline", 0
    if target.passed:
        every = target.passed.every.span // timedelta(microseconds=1)
        yield from ((due + number * every, "passed", number) for number in range(1, target.passed.at_most + 1))


def _rungs(
    reading: Reading, record: Record
) -> list[tuple[Microseconds, Literal["goal", "warn", "deadline", "passed"], int]]:
    """The rungs of a clock that are still to come."""
    if reading.stopped is not None or reading.voided is not None:
        return []
    fired = _fired(reading.key, record)
    return [
        (at, rung, number)
        for at, rung, number in _thresholds(reading)
        if (number > fired[rung] if number else not fired[rung])
    ]


def _fired(key: str, record: Record) -> Counter[str]:
    """How often each rung of a clock has fired, without those that were taken back."""
    fired: Counter[str] = Counter()
    for rung in record.rungs:
        if rung.clock == key and rung.task is None:
            if rung.rung == "withdrawn":
                fired[rung.of] = max(0, rung.number - 1)
            else:
                fired[rung.rung] += 1
    return fired


def _facts(reading: Reading, record: Record, now: Microseconds, calendar: str) -> ClockFacts:
    stopped = reading.stopped
    until = now if stopped is None else stopped
    late = reading.is_late(until)
    return ClockFacts(
        clock=reading.key,
        name=reading.promised.name,
        started=reading.started,
        budget=reading.budget,
        consumed=reading.consumed(until),
        paused=reading.paused(until),
        due=reading.due,
        stopped=stopped,
        breached=reading.due if late or (stopped is None and _fired(reading.key, record)["deadline"]) else None,
        state=reading.state(now),
        generation=reading.generation(now),
        calendar=calendar,
        task=reading.task,
    )
