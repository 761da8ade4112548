"""A value stream as the ledger has it: how outcomes flow along its units, what they cost, and what limits them.

A figure that the cases cannot say is absent (None), never zero. A case that closed after the window counts as open.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, func, select

from observability.learning import stream_flows
from observability.learning.estimates import Rate, Spread, rate, spread
from observability.learning.report import METRICS, Figures, figures_of
from observability.learning.selection import Asked, Open, closed_cases, open_cases
from observability.learning.stream_flows import ACHIEVED, Flow, Lead, Passage, Thread
from observability.learning.stream_load import Constraint, Desk, Interval, Load, constraint, loads
from observability.ledger.store import Ledger, LedgerError
from observability.ledger.tables import cases
from workunits.core.unit import WorkUnit

_NO_CASE = "the ledger has no case of the stream {} in this window; name another one"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_WEEK = timedelta(days=7)


class NoCasesError(LedgerError):
    """The ledger has no case of the stream's units in the window."""


@dataclass(frozen=True, slots=True)
class UnitView:
    """One unit of the stream."""

    unit: str
    started: int
    """Cases that started in the window."""
    figures: Figures
    """Of the cases that closed in it."""
    open: int
    """Cases open at its end."""
    mean_open: float
    """Work in progress: cases open at a time, averaged over the window."""
    per_week: float
    """Throughput: closes a week."""
    achieved: int
    onward: Mapping[str, int]
    """How many achieved outcomes went on to which unit; one may go on to several."""
    ended_here: int
    """Achieved outcomes on which nothing followed, as yet or for good; not of cases that another one called."""
    spent: float
    """Cost of those closed cases whose cost is known."""


@dataclass(frozen=True, slots=True)
class RollUp:
    """The units' outcomes taken together: closed cases of all of them in one heap."""

    closed: int
    attainment: Rate | None
    on_time: Rate | None
    exceptions: Rate | None
    first_pass: Rate | None
    rolled_yield: float | None
    """The product of first-pass yields along the main line; None where a unit of it has no closed case."""
    clean_threads: Rate | None
    """Of the threads delivered in the window, those without exception or rework in any case: no product."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What the stream's outcome costs."""

    per_outcome: float | None
    """Cost of all closed cases of all units, for each achieved outcome of the last unit; None when some is unknown."""
    currency: str
    known: int
    """Closed cases whose cost is known."""
    closed: int


@dataclass(frozen=True, slots=True)
class Stream:
    """What was asked, and what came of it."""

    name: str
    since: datetime
    until: datetime
    made_at: datetime
    units: Sequence[UnitView]
    """In the catalog's order."""
    main_line: Sequence[str]
    """The way of most achieved outcomes."""
    last: str
    """The unit whose outcome is the stream's."""
    threads: int
    """Runs of cases that belong together, of which one was open in the window."""
    open_threads: int
    flows: Sequence[Flow]
    lead: Spread | None
    """From the first unit's request to the achieved outcome of the last one, in microseconds."""
    leads: Sequence[Lead]
    """Of ended threads, by the unit at which they ended, whatever the outcome."""
    roll_up: RollUp
    cost: Cost | None
    loads: Sequence[Load]
    constraint: Constraint | None
    """None: nobody says who there is, or no touch was measured."""
    metrics: str = METRICS


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked."""

    name: str
    units: Sequence[type[WorkUnit]]
    """The stream's, in its order."""
    since: datetime | None = None
    """From the first case on when omitted."""
    until: datetime | None = None
    """Up to the last change when omitted; while a case is open up to now, since what is open waits."""
    last: str = ""
    """The unit whose outcome is the stream's; the end of the main line when omitted."""
    desks: Sequence[Desk] | None = None
    """Who works in it; None: nobody says."""
    days: Sequence[Interval] | None = None
    """From midnight to midnight on people's clocks, in microseconds since 1970; those of UTC when omitted."""


def look(ledger: Ledger, asked: Question) -> Stream:
    """Look at a stream.

    Raises:
        NoCasesError: there is nothing to look at.
        LedgerUnavailableError.
    """
    names = [unit.unit_name for unit in asked.units]
    with ledger.read() as connection:
        since, until = _window(connection, asked, names)
        passages = _passages(connection, names, until, _callers(asked.units))
        runs = [thread for thread in stream_flows.threads(passages) if stream_flows.present(thread, since)]
        if not runs:
            raise NoCasesError(_NO_CASE.format(asked.name[:60]))
        found = stream_flows.flows(runs, since)
        line = stream_flows.main_line(names, runs, found, since)
        last = asked.last or line[-1]
        ends = since, until
        views = [_view(connection, name, ends, passages, runs) for name in names]
        busy = loads(connection, names, ((since - _EPOCH) // _US, (until - _EPOCH) // _US), asked.desks, asked.days)
        before = any(one.started < since and (one.closed is None or one.closed > since) for one in passages)
    return Stream(
        name=asked.name,
        since=since,
        until=until,
        made_at=datetime.now(UTC),
        units=views,
        main_line=line,
        last=last,
        threads=len(runs),
        open_threads=stream_flows.waiting(runs),
        flows=found,
        lead=spread(stream_flows.delivered(runs, last, since)),
        leads=stream_flows.leads(runs, since),
        roll_up=_roll_up(views, line, stream_flows.clean_share(runs, last, since)),
        cost=_cost(views, last),
        loads=busy,
        constraint=constraint(busy, from_empty=not before),
    )


def window(ledger: Ledger, asked: Question) -> tuple[datetime, datetime]:
    """The window that a question is about: what it names, else from the first case to the last change.

    While a case is open, it reaches up to now; where a simulated clock is ahead of ours, to the last change.

    Raises:
        NoCasesError: there is nothing to look at.
        LedgerUnavailableError.
    """
    with ledger.read() as connection:
        return _window(connection, asked, [unit.unit_name for unit in asked.units])


def units_of(stream: str, units: Iterable[type[WorkUnit]]) -> list[type[WorkUnit]]:
    """The units of a stream, in the order of the catalog."""
    return [unit for unit in units if stream and unit.stream == stream]


def _callers(units: Iterable[type[WorkUnit]]) -> frozenset[str]:
    """The units that perform others as steps."""
    return frozenset(unit.unit_name for unit in units if any(str(step.kind) == "unit" for step in unit.steps))


def _window(connection: Connection, asked: Question, names: Sequence[str]) -> tuple[datetime, datetime]:
    began, ended = (cases.c.accepted_at, cases.c.started_at), (cases.c.started_at, cases.c.closed_at)
    found = (*(func.min(at) for at in began), *(func.max(at) for at in ended))
    waiting = func.count().filter(cases.c.close.is_(None))
    row = connection.execute(select(*found, waiting).where(cases.c.unit.in_(names))).one()
    first = min((at for at in row[:2] if at), default=None)
    changes = [at + timedelta(seconds=1) for at in row[2:4] if at]
    until = asked.until or max([*changes, datetime.now(UTC)] if row[4] else changes, default=None)
    since = asked.since or first
    if since is None or until is None or since >= until:
        raise NoCasesError(_NO_CASE.format(asked.name[:60]))
    return since, until


def _callers_of(connection: Connection, callers: Collection[str], until: datetime) -> Mapping[str, str]:
    """Which case has performed which one as a step, as the records of those say that may."""
    wanted = select(cases.c.case_id, cases.c.record).where(cases.c.unit.in_(callers), cases.c.started_at < until)
    rows = connection.execute(wanted) if callers else ()
    return {
        work["child"]: case for case, record in rows for work in (record or {}).get("steps", ()) if work.get("child")
    }


def _passages(connection: Connection, names: Sequence[str], until: datetime, callers: Collection[str]) -> list[Passage]:
    called = _callers_of(connection, callers, until)
    columns = ("case_id", "unit", "business_key", "started_at", "accepted_at", "closed_at", "close", "exceptions")
    wanted = select(*(cases.c[name] for name in (*columns, "reworked", "facts")))
    rows = connection.execute(wanted.where(cases.c.unit.in_(names), cases.c.started_at < until))
    return [
        Passage(
            case=row.case_id,
            unit=row.unit,
            key=row.business_key,
            started=row.started_at,
            accepted=row.accepted_at or row.started_at,
            closed=row.closed_at if row.closed_at and row.closed_at < until else None,
            close=row.close,
            clean=not row.exceptions and not row.reworked,
            caller=called.get(row.case_id, ""),
            facts=tuple(value for value in (row.facts or {}).values() if isinstance(value, str)),
        )
        for row in rows
    ]


def _view(
    connection: Connection,
    name: str,
    window: tuple[datetime, datetime],
    passages: Sequence[Passage],
    runs: Sequence[Thread],
) -> UnitView:
    since, until = window
    asked = Asked(name, since, until)
    closed = closed_cases(connection, asked)
    own = [one for one in passages if one.unit == name]
    late = sum(open_cases(connection, asked, until).values(), Open())
    figures = figures_of(connection, asked, closed, past_due=late.past_due)
    spent = sum((max(timedelta(0), (one.closed or until) - max(one.started, since)) for one in own), timedelta(0))
    onward, ended = _onward(name, since, runs)
    return UnitView(
        unit=name,
        started=sum(one.started >= since for one in own),
        figures=figures,
        open=sum(one.closed is None for one in own),
        mean_open=spent / (until - since),
        per_week=figures.n / ((until - since) / _WEEK),
        achieved=sum(figures.closes.get(close, 0) for close in ACHIEVED),
        onward=onward,
        ended_here=ended,
        spent=sum(cost for cost in closed["cost"].tolist() if cost is not None),
    )


def _onward(name: str, since: datetime, runs: Iterable[Thread]) -> tuple[dict[str, int], int]:
    """Where the unit's achieved outcomes went on to, and how many went nowhere."""
    onward: Counter[str] = Counter()
    ended = 0
    for thread in runs:
        for one in thread:
            if one.unit != name or not one.achieved or one.caller or one.closed is None or one.closed < since:
                continue
            after = stream_flows.after(one, thread)
            onward.update({other.unit for other in after})
            ended += not after
    return dict(onward.most_common()), ended


def _roll_up(views: Sequence[UnitView], line: Sequence[str], clean: tuple[int, int]) -> RollUp:
    figures = [view.figures for view in views]
    n = sum(one.n for one in figures)
    first = {view.unit: view.figures.first_pass_yield for view in views}
    yields = [found.share for unit in line if (found := first[unit])]
    return RollUp(
        closed=n,
        attainment=_pooled((one.outcome_attainment for one in figures), n),
        on_time=_pooled((one.on_time for one in figures), n),
        exceptions=_pooled((one.exception_rate for one in figures), n),
        first_pass=_pooled((one.first_pass_yield for one in figures), n),
        rolled_yield=math.prod(yields) if yields and len(yields) == len(line) else None,
        clean_threads=rate(*clean),
    )


def _pooled(rates: Iterable[Rate | None], n: int) -> Rate | None:
    return rate(sum(one.count for one in rates if one), n)


def _cost(views: Sequence[UnitView], last: str) -> Cost | None:
    """Cost of everything that closed, those that came to nothing included, for each outcome of the last unit."""
    costs = [view.figures.cost for view in views if view.figures.n]
    currencies = {cost.currency for cost in costs if cost}
    if len(currencies) != 1:
        return None
    closed, known = sum(view.figures.n for view in views), sum(cost.n for cost in costs if cost)
    outcomes = sum(view.achieved for view in views if view.unit == last)
    whole = known == closed and outcomes > 0
    return Cost(sum(view.spent for view in views) / outcomes if whole else None, currencies.pop(), known, closed)
