"""How much of their working time people of a role spend on a stream's tasks, and whether what waits for them grows."""

from __future__ import annotations

import math
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection, and_, select

from observability.ledger.tables import cases, steps, tasks
from workunits.core.working import DAY, SECOND, Hours

FEWEST_DAYS = 10
"""Working days below which nothing is said about a trend."""
FROM_EMPTY = "but nothing was open when the window began, and from there queues grow at first whatever the load"
CONFIDENCE = 0.95
_HOUR = 3600 * SECOND
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Desk:
    """Someone who may do the stream's tasks, and when they are there."""

    name: str
    roles: tuple[str, ...]
    hours: Hours
    away: tuple[Interval, ...] = ()
    """Absences, in microseconds since 1970."""

    def there(self, since: int, until: int) -> int:
        """Working time in a span, without absences."""
        whole = self.hours.consumed(since, until)
        return whole - sum(self.hours.consumed(max(a, since), max(a, since, min(b, until))) for a, b in self.away)


@dataclass(frozen=True, slots=True)
class Trend:
    """The mean queue of each working day, and its straight line; errors allow for days that are like each other."""

    days: int
    mean: float
    first: float
    """On the line, on the first day."""
    last: float
    per_week: float
    """The line's slope, in tasks for all working days of a week."""
    low: float
    """Bounds of 95 % of that slope."""
    high: float
    p_value: float
    """One-sided: how often a queue that does not grow looks like this."""

    @property
    def grows(self) -> bool:
        """Whether it is more than chance that the queue grows."""
        return self.low > 0


@dataclass(frozen=True, slots=True)
class Load:
    """One role over the window."""

    role: str
    tasks: int
    """Tasks on which somebody worked, or that were done."""
    unmeasured: int
    """Of them, those of which nobody said when work began: they are not in the touch hours."""
    touch_hours: float | None
    """None when none was measured."""
    people: int | None
    available_hours: float | None
    """Working hours of the people with the role, without their work in other roles; None where that is not known."""
    ratio: float | None
    """Touch for each available hour; with unmeasured tasks it is at least so much."""
    queue: Trend | None
    """None: too few working days to say."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """The role that limits the stream."""

    role: str
    ratio: float
    confirmed: bool | None
    """Whether its queue grew; None: it cannot be said."""
    why: str


@dataclass(frozen=True, slots=True)
class WorkingDays:
    """The days of a window on which people work."""

    days: Sequence[Interval]
    """Each from midnight to midnight on people's clocks, as far as it lies in the window."""
    a_week: int
    """How many of them a week usually has."""


@dataclass
class _Heap:
    work: list[tuple[str, Interval]] = field(default_factory=list)
    """Who, and when."""
    queued: list[Interval] = field(default_factory=list)
    tasks: int = 0
    unmeasured: int = 0


def loads(
    connection: Connection,
    units: Sequence[str],
    window: Interval,
    desks: Sequence[Desk] | None,
    days: Sequence[Interval] | None = None,
) -> list[Load]:
    """Sum each role up over a window, the highest ratio first.

    Args:
        connection: To the ledger.
        units: The stream's units.
        window: In microseconds since 1970.
        desks: The people; None: nobody says who there is.
        days: From midnight to midnight on people's clocks, all in a row; those of UTC when omitted.
    """
    heaps = _heaps(connection, units, *window)
    worked = working_days(window, desks, days)
    made = [_load(role, heaps, window, desks, worked) for role in heaps]
    return sorted(made, key=lambda load: (-(load.ratio if load.ratio is not None else -1.0), load.role))


def constraint(found: Sequence[Load], *, from_empty: bool = False) -> Constraint | None:
    """The role with the highest ratio; None where no ratio is known.

    Args:
        found: All roles, the highest ratio first.
        from_empty: Nothing was open when the window began.
    """
    known = [load for load in found if load.ratio is not None]
    if not known or known[0].ratio is None:
        return None
    first, trend = known[0], known[0].queue
    if trend is None:
        why = f"fewer than {FEWEST_DAYS} working days: nothing can be said about its queue"
        return Constraint(first.role, known[0].ratio, None, why)
    how = f"{trend.per_week:+.2f} tasks a week (95 %: {trend.low:+.2f} to {trend.high:+.2f}, p={trend.p_value:.2g})"
    said = "its queue grew" if trend.grows else "its queue did not grow by more than chance"
    doubt = f"; {FROM_EMPTY}" if trend.grows and from_empty else ""
    return Constraint(first.role, known[0].ratio, trend.grows, f"{said}: {how}{doubt}")


def _heaps(connection: Connection, units: Sequence[str], since: int, until: int) -> Mapping[str, _Heap]:
    wanted = (
        select(
            tasks.c.role,
            steps.c.performer,
            steps.c.ready_at,
            steps.c.claimed_at,
            steps.c.begun_at,
            steps.c.done_at,
            steps.c.assigned_only,
            steps.c.intervals,
            cases.c.started_at,
            cases.c.closed_at,
        )
        .join(cases, cases.c.case_id == steps.c.case_id)
        .join(tasks, and_(tasks.c.case_id == steps.c.case_id, tasks.c.task_id == steps.c.case_id + "/" + steps.c.key))
        .where(cases.c.unit.in_(units), ~steps.c.external)
    )
    heaps: defaultdict[str, _Heap] = defaultdict(_Heap)
    for row in connection.execute(wanted):
        heap, origin = heaps[row.role], _us(row.started_at)
        taken = row.begun_at or row.claimed_at or row.done_at or row.closed_at
        if clipped := _clip((_us(row.ready_at), _us(taken) if taken else until), since, until):
            heap.queued.append(clipped)
        work = [(origin + a, origin + b) for a, b in row.intervals]
        inside = [part for span in work if (part := _clip(span, since, until))]
        heap.work += [(row.performer or "", part) for part in inside]
        done = row.done_at is not None and since <= _us(row.done_at) < until and row.performer is not None
        heap.tasks += bool(inside) or done
        heap.unmeasured += done and bool(row.assigned_only)
    return {role: heap for role, heap in heaps.items() if heap.tasks or heap.queued}


def _load(
    role: str,
    heaps: Mapping[str, _Heap],
    window: Interval,
    desks: Sequence[Desk] | None,
    worked: WorkingDays,
) -> Load:
    own = heaps[role]
    touch = sum(b - a for _, (a, b) in own.work) / _HOUR if own.tasks > own.unmeasured else None
    there = [desk for desk in desks if role in desk.roles] if desks is not None else []
    available = None
    if there:
        names = {desk.name for desk in there}
        elsewhere = sum(
            b - a for other, heap in heaps.items() if other != role for who, (a, b) in heap.work if who in names
        )
        available = max(0.0, (sum(desk.there(*window) for desk in there) - elsewhere) / _HOUR)
    return Load(
        role=role,
        tasks=own.tasks,
        unmeasured=own.unmeasured,
        touch_hours=touch,
        people=len(there) if desks is not None else None,
        available_hours=available,
        ratio=touch / available if touch is not None and available else None,
        queue=trend([_mean_within(own.queued, day) for day in worked.days], worked.a_week),
    )


def trend(queue: Sequence[float], a_week: int = 5) -> Trend | None:
    """Fit a line to the mean queues of working days; None of too few of them.

    Days are not independent of each other, so the errors are those of Newey and West.

    Args:
        queue: The mean queue of each working day.
        a_week: How many of them a week has.
    """
    n = len(queue)
    if n < FEWEST_DAYS:
        return None
    import statsmodels.api as sm  # a second, that no other command need take

    values = np.asarray(queue, dtype=float)
    if np.ptp(values) == 0:
        return Trend(n, float(values[0]), float(values[0]), float(values[0]), 0.0, 0.0, 0.0, 1.0)
    lags = math.floor(4 * (n / 100) ** (2 / 9))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # statsmodels warns of few observations; the interval says it
        model: Any = sm.OLS(values, sm.add_constant(np.arange(n)))
        fitted: Any = model.fit(cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": True}, use_t=True)
    (constant, slope), (low, high) = fitted.params, fitted.conf_int(1 - CONFIDENCE)[1]
    two_sided = float(fitted.pvalues[1])
    return Trend(
        days=n,
        mean=float(values.mean()),
        first=float(constant),
        last=float(constant + slope * (n - 1)),
        per_week=float(a_week * slope),
        low=float(a_week * low),
        high=float(a_week * high),
        p_value=two_sided / 2 if slope > 0 else 1 - two_sided / 2,
    )


def working_days(window: Interval, desks: Sequence[Desk] | None, days: Sequence[Interval] | None = None) -> WorkingDays:
    """The days of a window on which somebody works, and of which no working time lies outside it.

    Args:
        window: In microseconds since 1970.
        desks: The people; without them, all whole days.
        days: From midnight to midnight on people's clocks, all in a row; those of UTC when omitted.
    """
    since, until = window
    every = days if days is not None else [(at, at + DAY) for at in range(since // DAY * DAY, until, DAY)]
    there = [(n % 7, day, inside) for n, day in enumerate(every) if (inside := _clip(day, since, until))]
    found = [(weekday, inside) for weekday, day, inside in there if _is_worked(day, inside, desks)]
    all_of, worked = Counter(one[0] for one in there), Counter(one[0] for one in found)
    # A week has those that are worked on at least every second time: neither a holiday nor one Saturday changes it.
    return WorkingDays(
        [inside for _, inside in found], sum(2 * worked[weekday] >= all_of[weekday] for weekday in all_of)
    )


def _is_worked(day: Interval, inside: Interval, desks: Sequence[Desk] | None) -> bool:
    """Whether somebody works on a day, and all of it in the part that is in the window."""
    if desks is None:
        return inside == day
    whole = [desk.hours.consumed(*day) for desk in desks]
    return any(whole) and whole == [desk.hours.consumed(*inside) for desk in desks]


def _mean_within(intervals: Iterable[Interval], day: Interval) -> float:
    since, until = day
    return sum(max(0, min(b, until) - max(a, since)) for a, b in intervals) / (until - since)


def _clip(span: Interval, since: int, until: int) -> Interval | None:
    a, b = max(span[0], since), min(span[1], until)
    return (a, b) if a < b else None


def _us(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)
