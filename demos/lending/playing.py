"""The stream lived through: applications drawn, the people's queue worked out, and every case really executed."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice, takewhile
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from demos.lending import office
from demos.lending.applicants import apply
from demos.lending.drawing import bank
from demos.lending.parts import AFFORD, COMPLAINT, CONTRACT, DECISION, FRAUD, IDENTITY, INTAKE, OFFER
from demos.lending.threads import Thread
from workers.simulating.executing import Executed, Executor, OtherwiseError
from workers.simulating.house import House
from workers.simulating.plan import Person, Planned, moment
from workers.simulating.queueing import simulate
from workunits.core.errors import WorkUnitsError

STREAM = "lending"
ZONE = ZoneInfo("Europe/Berlin")
PLAYED = (INTAKE, IDENTITY, AFFORD, FRAUD, DECISION, OFFER, CONTRACT, COMPLAINT)
"""The units that the demo knows how to play; of those, what is in the catalog is executed."""
AT_ONCE = 14
"""Applications on their way at a time."""
_BEYOND = 30 * office.WEEK
_TOLD_EVERY = 50
Say = Callable[[str], None]


@dataclass
class Plan:
    """What is to happen."""

    begin: int
    """A Monday's midnight, in microseconds since 1970."""
    threads: Sequence[Thread]
    cases: Sequence[Planned]
    people: Sequence[Person]
    have: Sequence[str]
    """The units that are executed."""
    missing: Sequence[str]
    """Units of the stream that are not in the catalog, or that the demo cannot play."""

    @property
    def last_arrival(self) -> int:
        """When the last application comes in."""
        return max(thread.at for thread in self.threads)

    @property
    def ends(self) -> int:
        """When the last person is done."""
        return max(case.ends for case in self.cases)


@dataclass
class Played:
    """What has happened."""

    plan: Plan
    executed: list[Executed] = field(default_factory=list)
    otherwise: list[str] = field(default_factory=list)
    """Cases that went otherwise than planned; a sentence each."""


def plan(begin: int, seed: str, have: Sequence[str], missing: Sequence[str], *, many: int, weeks: int) -> Plan:
    """Draw applications and work out who does what when.

    Args:
        begin: A Monday's midnight, in microseconds since 1970.
        seed: The same one gives the same.
        have: The units that are in the catalog.
        missing: Those of the stream that are not played.
        many: So many applications; 0: as many as come in.
        weeks: In so many weeks, when it is not said how many.
    """
    there = bank()
    moments = there.arrivals(begin, ZONE, office.SCALE, Random(f"{seed}/arrivals"))  # noqa: S311, simulated
    end = begin + weeks * office.WEEK
    chosen = islice(moments, many) if many else takewhile(lambda at: at < end, moments)
    made = []
    for number, at in enumerate(chosen, 1):
        day = moment(at).astimezone(ZONE).date()
        application = apply(number, day, there, Random(f"{seed}/application/{number}"))  # noqa: S311
        made.append(Thread(application, at, there, seed, have))
    people = office.people(begin, made[-1].at + _BEYOND)
    cases = simulate([arrival for thread in made for arrival in thread.arrivals()], people)
    return Plan(begin, made, cases, people, have, missing)


class Player:
    """Executes a plan."""

    def __init__(self, house: House, plan: Plan, say: Say) -> None:
        """Begin.

        Args:
            house: Where cases are executed.
            plan: Which.
            say: Told of progress, a line at a time.
        """
        self.played = Played(plan)
        self._house, self._plan, self._say = house, plan, say
        self._executor = Executor(house.cases, house.skipper, at_once=AT_ONCE)
        self._counts: Counter[str] = Counter()

    async def play(self) -> Played:
        """Execute every case of every application, and have the ledger see them."""
        by_thread: defaultdict[str, list[Planned]] = defaultdict(list)
        for case in self._plan.cases:
            by_thread[case.arrival.key.partition("-")[2]].append(case)
        room = asyncio.Semaphore(AT_ONCE)

        async def one(thread: Thread) -> None:
            async with room:
                await self._thread(thread, by_thread[thread.number.partition("-")[2]])

        await asyncio.gather(*(one(thread) for thread in self._plan.threads))
        self._say("the ledger reads what the cases wrote")
        await self._house.follow()
        return self.played

    async def _thread(self, thread: Thread, cases: Sequence[Planned]) -> None:
        """One case after the other: a later one is made from what the earlier ones came to."""
        for case in cases:
            try:
                (done,) = await self._executor.execute([case])
                said = await self._result(thread, done)
            except (OtherwiseError, WorkUnitsError) as error:
                self.played.otherwise.append(str(error))
                return
            self.played.executed.append(done)
            self._count(case.arrival.unit)
            wanted = thread.verdicts[case.arrival.unit]
            if said != wanted:
                name = f"{case.arrival.unit}:{case.arrival.key}"
                self.played.otherwise.append(f"{name} came to {said}; planned was {wanted}")
                return

    async def _result(self, thread: Thread, done: Executed) -> str:
        """What a case came to, in its result's word; or the reason for which it has none."""
        record = done.view.record
        if record is None or record.close not in ("achieved", "achieved_late", "not_achieved"):
            return str(record.reason if record else done.view.state)
        unit = self._house.catalog.get(done.view.unit)
        said: Any = await self._house.client.get_workflow_handle(done.view.case).result()
        given = said.get("result") if isinstance(said, dict) else getattr(said, "result", None)
        if given is None:
            return str(record.reason)
        result = unit.outcome.result.model_validate(given)
        thread.really[done.view.unit] = result
        return str(_word_of(result).verdict)

    def _count(self, unit: str) -> None:
        self._counts[unit] += 1
        done = sum(self._counts.values())
        if done % _TOLD_EVERY == 0 or done == len(self._plan.cases):
            told = ", ".join(f"{name} {count}" for name, count in self._counts.items())
            self._say(f"  {done} of {len(self._plan.cases)} cases: {told}")


def _word_of(result: Any) -> Any:
    """Where a unit's result has its verdict."""
    return getattr(result, "admission", None) or getattr(result, "decision", None) or result


def begins(now: datetime, weeks: int) -> int:
    """When a simulation begins: on a Monday from which so many weeks have no holiday."""
    from workers.simulating.executing import next_monday

    return office.quiet_monday(next_monday(now), weeks)
