"""The discrete-event queue: who takes up which task of which case, and when.

Each case of a time-skipping engine has a clock of its own, so cases that compete for the same people cannot find out
by running. This computes it before they run. Only people take time here: how long machine steps really take is
measured when the cases are executed, and `NOTICE` leaves room for it.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from workers.simulating.plan import Arrival, Ask, Begins, Course, Outside, Person, Planned, Silence, Turn, Work
from workunits.core.errors import WorkUnitsError
from workunits.core.working import SECOND

NOTICE = timedelta(minutes=1)
"""Until somebody sees a new task."""


class HorizonEndsError(WorkUnitsError):
    """Somebody's calendar ends before their work does; pin it for longer."""


class NobodyHasRoleError(WorkUnitsError):
    """A case asks for a role that none of the people has."""


@dataclass(slots=True)
class _Running:
    """A case on its way."""

    arrival: Arrival
    course: Course
    asked: list[Ask] = field(default_factory=list)
    """What is not done yet of what it asked last."""
    said: list[Turn] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    begun: bool = False


@dataclass(frozen=True, slots=True)
class _Task:
    """A piece of work that waits for somebody."""

    work: Work
    case: _Running
    ready: int


def simulate(arriving: Iterable[Arrival], people: Sequence[Person], *, notice: timedelta = NOTICE) -> list[Planned]:
    """Work out who does what when: first come, first served, in each role.

    Nobody begins what they could not finish on the same day, unless no day is long enough for it. The same arrivals
    and people always give the same.

    Args:
        arriving: The cases, in any order.
        people: In the order in which they are asked when several are free equally long.
        notice: From a task's being ready until somebody can take it up.

    Returns:
        The cases, in the order of their arrival; those that others have begun among them.

    Raises:
        HorizonEndsError, NobodyHasRoleError: names the person, or the role and the step.
    """
    return _Queue(people, notice).run(sorted(arriving, key=lambda arrival: (arrival.at, arrival.key)))


class _Queue:
    def __init__(self, people: Sequence[Person], notice: timedelta) -> None:
        self._people = people
        self._notice = _us(notice)
        self._agenda: list[tuple[int, int, Callable[[int], None]]] = []
        self._count = 0
        self._waiting: defaultdict[str, list[tuple[int, int, _Task]]] = defaultdict(list)
        self._free = {person.name: (0, n) for n, person in enumerate(people)}
        """Who has nothing to do, since when; of equals the first one."""
        self._called: dict[str, int] = {}
        """Who has been told to look again, and when."""
        self._known = {role for person in people for role in person.roles}
        self._running: list[_Running] = []

    def run(self, arriving: Sequence[Arrival]) -> list[Planned]:
        for arrival in arriving:
            self._arrive(arrival)
        while self._agenda:
            now = self._agenda[0][0]
            while self._agenda and self._agenda[0][0] == now:
                heapq.heappop(self._agenda)[2](now)
            self._assign(now)
        ordered = sorted(self._running, key=lambda case: case.arrival.at)
        return [Planned(case.arrival, tuple(case.turns)) for case in ordered]

    def _arrive(self, arrival: Arrival) -> None:
        case = _Running(arrival, arrival.course())
        self._running.append(case)
        self._at(arrival.at, partial(self._go_on, case))

    def _at(self, moment: int, what: Callable[[int], None]) -> None:
        self._count += 1
        heapq.heappush(self._agenda, (moment, self._count, what))

    def _go_on(self, case: _Running, now: int) -> None:
        """Ask the case what it wants next."""
        try:
            while not case.asked:
                said, case.said = tuple(case.said), []
                wanted = list(case.course.send(said) if case.begun else next(case.course))
                case.begun = True
                for ask in wanted:
                    if isinstance(ask, Begins):
                        self._arrive(ask.arrival(now))
                case.asked = [ask for ask in wanted if not isinstance(ask, Begins)]
        except StopIteration:
            return
        for ask in case.asked:
            if isinstance(ask, Outside | Silence):
                turn = _away(ask, now)
                self._at(turn.completed, partial(self._done, case, ask, turn))
            elif isinstance(ask, Begins):
                continue
            elif ask.role not in self._known:
                raise NobodyHasRoleError(f"nobody has the role {ask.role!r}, which the step {ask.step!r} asks for")
            else:
                self._at(now + self._notice, partial(self._queue, _Task(ask, case, now)))

    def _queue(self, task: _Task, now: int) -> None:
        self._count += 1
        heapq.heappush(self._waiting[task.work.role], (now, self._count, task))

    def _done(self, case: _Running, ask: Ask, turn: Turn, now: int) -> None:
        case.turns.append(turn)
        case.said.append(turn)
        case.asked.remove(ask)
        if not case.asked:
            self._go_on(case, now)

    def _assign(self, now: int) -> None:
        """Give the longest waiting tasks to those who have been free longest."""
        while any(self._offer(person, now) for person in sorted(self._idle(), key=lambda one: self._free[one.name])):
            continue

    def _idle(self) -> list[Person]:
        return [person for person in self._people if person.name in self._free]

    def _offer(self, person: Person, now: int) -> bool:
        """Offer somebody the task that has waited longest for any of their roles; whether it is taken up now."""
        queues = [self._waiting[role] for role in person.roles if self._waiting[role]]
        if not queues:
            return False
        queue = min(queues, key=lambda one: one[0][:2])
        begins = self._begin(person, queue[0][2].work, now)
        if begins == now:
            self._take(person, heapq.heappop(queue)[2], now)
            return True
        if not now < self._called.get(person.name, 0) <= begins:
            self._called[person.name] = begins
            self._at(begins, lambda _: None)  # everybody looks again then
        return False

    def _begin(self, person: Person, work: Work, now: int) -> int:
        """When a person can take up a piece of work: now, or when their hours begin again."""
        opens = self._advance(person, now, 0)
        lasts = _us(work.lasts)
        begun = bool(person.hours.consumed(opens - 1, opens))
        if not begun or self._advance(person, opens, lasts) - opens == lasts:
            return opens
        # It does not fit into what is left of this day.
        shut = person.hours.off(opens, opens + lasts)[0]
        return self._advance(person, shut[0], 0)

    def _take(self, person: Person, task: _Task, now: int) -> None:
        del self._free[person.name]
        ends = self._advance(person, now, _us(task.work.lasts))
        work = task.work
        breaks = tuple(person.hours.off(now, ends))
        turn = Turn(work.step, work.role, person.name, task.ready, now, ends, work.gives, work.of, breaks)

        def finish(at: int) -> None:
            self._free[person.name] = (at, self._people.index(person))
            self._done(task.case, task.work, turn, at)

        self._at(ends, finish)

    @staticmethod
    def _advance(person: Person, now: int, amount: int) -> int:
        there = person.hours.advance(now, amount)
        if there is None:
            raise HorizonEndsError(f"the calendar of {person.name} ends before their work does; pin it for longer")
        return there


def _us(span: timedelta) -> int:
    return round(span.total_seconds()) * SECOND


def _away(ask: Outside | Silence, now: int) -> Turn:
    """A turn that takes nobody's time: of a party outside, or of nobody."""
    ends = now + _us(ask.after)
    who, gives = (ask.who, ask.gives) if isinstance(ask, Outside) else ("", None)
    return Turn(ask.step, ask.role, who, now, ends, ends, gives)
