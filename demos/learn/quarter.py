"""The quarter: its weeks, its cases and people, and the plan of who does what, which changes when the versions do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from demos.invoices import world
from workers.simulating.executing import acts
from workers.simulating.figures import Load, loads
from workers.simulating.plan import Person, Planned, moment
from workers.simulating.queueing import simulate
from workunits.core.errors import WorkUnitsError
from workunits.core.working import DAY

WEEK = 7 * DAY
_BEYOND = 10 * WEEK
"""For which people's calendars go on: what came in last is finished, too."""
_FEWEST, _SURE = 60, 0.8
_OFFICE_WEEK = timedelta(hours=40)
Arm = Callable[[str, int], str]
"""The version of a case, by its business key and the moment at which it comes in."""


class PastChangedError(WorkUnitsError):
    """A plan that was made later says otherwise of what has happened."""


@dataclass(frozen=True, slots=True)
class Weeks:
    """How the quarter is divided, in weeks."""

    before: int = 4
    """With version 1 alone: from these cases comes the advice, and the first baseline."""
    trial: int = 6
    """With both versions, at most."""
    after: int = 3
    """With the version that was decided for."""

    @property
    def all(self) -> int:
        """All of them."""
        return self.before + self.trial + self.after


@dataclass
class Quarter:
    """A simulated quarter."""

    begin: int
    """A Monday's midnight, in microseconds since 1970."""
    seed: int
    every: timedelta
    """The mean working time from one case to the next."""
    weeks: Weeks = field(default_factory=Weeks)
    decision: int = field(default=0, init=False)
    """When the trial ends: with its last week, or with an earlier one that has said enough."""
    plan: Sequence[Planned] = field(default=(), init=False)
    people: Sequence[Person] = field(default=(), init=False)

    def __post_init__(self) -> None:
        """Put people at their desks."""
        self.decision = self.mondays[-1]
        self.people = world.people(self.begin, self.end + _BEYOND)

    @property
    def end(self) -> int:
        """The last midnight."""
        return self.week(self.weeks.all)

    @property
    def trial(self) -> int:
        """When the trial begins."""
        return self.week(self.weeks.before)

    @property
    def planned(self) -> int:
        """Ended cases of both versions at the last look; fixed before the trial, so that its weeks will have them."""
        return max(_FEWEST, int(_SURE * self.weeks.trial * _OFFICE_WEEK / self.every))

    @property
    def mondays(self) -> Sequence[int]:
        """When the comparison is asked for: after each week of the trial."""
        first = self.weeks.before + 1
        return [self.week(number) for number in range(first, first + self.weeks.trial)]

    def week(self, number: int) -> int:
        """The midnight at which a week begins, counted from 0."""
        return self.begin + number * WEEK

    def at(self, number: int) -> datetime:
        """The same as a moment."""
        return moment(self.week(number))

    def replan(self, arm: Arm, now: int) -> None:
        """Work out anew who does what, with other versions from now on.

        Args:
            arm: The version of each case.
            now: What lies before it has happened.

        Raises:
            PastChangedError: the new plan has another past.
        """
        plan = simulate(world.incoming(self.begin, self.end, self.every, self.seed, arm), self.people)
        if self.plan and _past(self.plan, now) != _past(plan, now):
            raise PastChangedError("the new plan says otherwise of what has happened; versions change from now on only")
        self.plan = plan

    def loads(self, since: int, until: int) -> list[Load]:
        """How busy the people are over a time."""
        return loads(self.plan, self.people, since, until)


def _past(plan: Sequence[Planned], now: int) -> list[object]:
    """What has been done by a moment, case by case."""
    seen = (one for one in plan if one.arrival.at < now)
    return [(one.arrival.key, [act for act in acts(one.turns) if act.at < now]) for one in seen]
