"""What is simulated: cases that arrive, people with their hours, and what each case asks of them.

A case is a generator. It yields what it asks of people at a moment, all at once, and is told how that went when the
last of it is done; so a course may branch on its turns, and several units may compete for the same people.
Moments are microseconds since 1970, UTC, as in `workunits.core.working`; durations are whole seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from pydantic import BaseModel

from workunits.core.working import SECOND, Hours

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_Z95 = 1.6448536269514722
"""Standard deviations from the median to the 95th percentile of a normal distribution."""


def moment(at: int) -> datetime:
    """The moment of so many microseconds since 1970, UTC."""
    return EPOCH + timedelta(microseconds=at)


def since_1970(at: datetime) -> int:
    """Microseconds since 1970 of a moment with its zone."""
    return (at - EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Spread:
    """How long something takes: log-normal, as most of people's work is."""

    median: timedelta
    p95: timedelta

    def draw(self, dice: Random) -> timedelta:
        """Draw a duration, in whole seconds, at least one."""
        middle = self.median.total_seconds()
        sigma = math.log(self.p95 / self.median) / _Z95
        return timedelta(seconds=max(1, round(middle * math.exp(sigma * dice.gauss(0, 1)))))


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who works on one thing at a time, in their hours."""

    name: str
    roles: tuple[str, ...]
    hours: Hours


Gives = BaseModel | Callable[[Mapping[str, Any]], BaseModel]
"""An answer; or how it follows from what the person is shown, which only the executed case knows: a digest to sign."""


@dataclass(frozen=True, slots=True)
class Work:
    """A human step that somebody of a role has to find time for."""

    step: str
    role: str
    lasts: timedelta
    """Of work; what does not fit into the rest of a day is begun on the next one."""
    gives: Gives
    of: str = ""
    """The unit that the case has called, when the step is of its case, under the same key."""


@dataclass(frozen=True, slots=True)
class Outside:
    """A human step of a party outside: it competes for nobody's time, and answers when it answers."""

    step: str
    role: str
    who: str
    after: timedelta
    gives: Gives


@dataclass(frozen=True, slots=True)
class Silence:
    """A human step that nobody answers: it expires."""

    step: str
    role: str
    after: timedelta
    """As its definition says."""


@dataclass(frozen=True, slots=True)
class Begins:
    """Another case that begins because of this one; nobody waits for it."""

    arrival: Callable[[int], Arrival]
    """Makes it, told the moment at which this case has got here."""


Ask = Work | Outside | Silence | Begins


@dataclass(frozen=True, slots=True)
class Turn:
    """How one human step goes: who does it, and when."""

    step: str
    role: str
    who: str
    ready: int
    """When the case asks for it. Machine steps before it take no time here; see `queueing`."""
    claimed: int
    """When the work on it begins, too."""
    completed: int
    gives: Gives | None = field(repr=False)
    """None: nobody answered, and it expired."""
    of: str = ""
    """The unit that was called, when the step is of its case."""
    breaks: tuple[tuple[int, int], ...] = ()
    """When the work rests, since the day of whoever does it is over: it is stopped, and begun again."""


Course = Generator[Sequence[Ask], Sequence[Turn], None]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A case that comes in."""

    unit: str
    key: str
    at: int
    case: BaseModel | Callable[[], BaseModel] = field(repr=False)
    """Its input; or what makes it when the case is to be executed, from what other cases have come to."""
    course: Callable[[], Course] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Planned:
    """A case with all that people will do to it, and when."""

    arrival: Arrival
    turns: tuple[Turn, ...]
    """In the order of their completion."""

    @property
    def ends(self) -> int:
        """When the last person is done with it; for a case that needs nobody, when it comes in."""
        return max((turn.completed for turn in self.turns), default=self.arrival.at)


def arrivals(hours: Hours, since: int, until: int, every: timedelta, dice: Random) -> Iterator[int]:
    """Draw moments at which cases come in: at random, independently, in working time only.

    Args:
        hours: When anything comes in at all.
        since: From when.
        until: Up to when.
        every: The mean working time from one to the next.
        dice: Decides.
    """
    gone = 0.0
    while True:
        gone += dice.expovariate(1 / every.total_seconds())
        at = hours.advance(since, max(1, round(gone)) * SECOND)
        if at is None or at >= until:
            return
        yield at
