"""Before and after, side by side: the bank's log, and the stream whose people are simulated and whose cases ran.

Each figure says where it is from. What one side cannot say is absent on it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal

import numpy as np
from sqlalchemy import select

from demos.lending import office
from demos.lending.drawing import Bank, bank
from demos.lending.parts import ASSESS, COMPLAINT, CONTRACT, INTAKE, OFFER
from demos.lending.playing import Plan
from observability.learning.estimates import rate
from observability.learning.mapping import Transition
from observability.learning.pieces import Piece, in_order
from observability.learning.stream import Question, Stream
from observability.learning.stream_load import Desk
from observability.learning.traces import handoffs
from observability.ledger.store import Ledger
from observability.ledger.tables import cases, exceptions, steps
from workers.pages.words import span
from workers.simulating.plan import moment, since_1970
from workunits.core.unit import WorkUnit
from workunits.core.working import DAY

Basis = Literal["measured", "executed", "partly", "drawn", "assumed", "-"]
BASES = {
    "measured": "in the bank's log of October 2011 to March 2012",
    "executed": "read from the ledger of cases that really ran; who works when is simulated, working times are drawn "
    "from the log, and which cases need a person is assumed",
    "partly": "as executed, but without the units that did not run: not comparable",
    "drawn": "drawn from the log's own figure, so that it says nothing new",
    "assumed": "put in by us, or chosen so that it is near the log: no result",
    "-": "not known",
}
_ASSESSING = ("judge_income", "weigh", "decide")
_WHOLE_ANYWAY = ("outcomes on time, of all cases",)
_PERFORMED = ("done", "exception", "failed")
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """One figure on both sides."""

    what: str
    before: str
    before_is: Basis
    after: str
    after_is: Basis


@dataclass(frozen=True, slots=True)
class Beside:
    """Both sides."""

    source: str
    rows: Sequence[Row]
    ends: dict[str, int]
    """How the applications ended, after."""


def question(plan: Plan, units: Sequence[type[WorkUnit]], *, rush: bool = False) -> Question:
    """What is asked of the ledger.

    Args:
        plan: What was played.
        units: The stream's units.
        rush: Only while applications came in: afterwards queues drain, which says nothing about how busy people are.
            Nor does how they filled at first, so that it begins a week or two later, in a run of three weeks or more.
    """
    since, until = plan.begin, plan.ends + DAY
    if rush:
        until = (plan.last_arrival // DAY + 1) * DAY
        since += min(2, (until - since) // office.WEEK // 3) * office.WEEK
    desks = [Desk(person.name, person.roles, person.hours) for person in plan.people]
    return Question("lending", units, moment(since), moment(until), desks=desks, days=office.days(since, until))


def compare(ledger: Ledger, plan: Plan, stream: Stream) -> Beside:
    """Put both sides beside each other.

    Args:
        ledger: What the executed cases wrote.
        plan: What was played.
        stream: Its figures.
    """
    there, after = bank(), _After(ledger, plan)
    rows = [*_ends(there, after), *_times(there, after), *_work(there, after, plan), *_promises(stream)]
    return Beside(
        source=f"{there.told['about']['source']}, DOI {there.told['about']['doi']}",
        rows=[_apart(row, plan) for row in rows],
        ends=dict(after.ends),
    )


def _apart(row: Row, plan: Plan) -> Row:
    """Whatever people of units that did not run would have added is missing in it."""
    lacks = plan.missing and row.after_is == "executed" and row.what not in _WHOLE_ANYWAY
    return replace(row, after_is="partly") if lacks else row


class _After:
    """The executed cases, application by application."""

    def __init__(self, ledger: Ledger, plan: Plan) -> None:
        with ledger.read() as connection:
            rows = connection.execute(select(cases)).all()
            lacked = select(exceptions.c.case_id).where(exceptions.c.code == "documents_incomplete").distinct()
            incomplete = len(connection.execute(lacked).all())
            people = select(steps, cases.c.business_key).join(cases, cases.c.case_id == steps.c.case_id)
            work = connection.execute(people.where(steps.c.kind == "human", ~steps.c.external)).all()
        of: defaultdict[str, list[Any]] = defaultdict(list)
        for row in rows:
            of[_application(row)].append(row)
        done: defaultdict[str, list[Any]] = defaultdict(list)
        for row in work:
            done[_application(row)].append(row)
        self.n = len(plan.threads)
        self.ends: Counter[str] = Counter()
        self.leads: defaultdict[str, list[float]] = defaultdict(list)
        for some in of.values():
            end = _end(some)
            self.ends[end] += 1
            closes = [row.closed_at for row in some if row.closed_at and row.unit != COMPLAINT]
            if end != "open" and closes:
                self.leads[end].append((max(closes) - min(row.started_at for row in some)).total_seconds())
        self.untouched = sum(not any(row.human_touches for row in some) for some in of.values())
        self.reworked = sum(any(row.reworked for row in some) for some in of.values())
        self.incomplete = incomplete
        # A case's own figure knows nothing of the next case, and ends at every machine step; the log has neither.
        self.handoffs = sum(_changes(some) for some in done.values())
        self.touch_hours = sum(row.human_effort_us for row in rows) / 3.6e9
        self.waits = [row.queue_us / _SECOND for row in work if row.step in _ASSESSING and row.queue_us is not None]


def _application(row: Any) -> str:
    """The application's number, which is in the keys of all its cases."""
    return str(row.business_key).partition("-")[2]


def _changes(work: Iterable[Any]) -> int:
    """Changes of the person along all of an application, counted as in the log."""
    return handoffs(in_order(map(_piece, work)))["hh"]


def _piece(row: Any) -> Piece:
    begun, done = (at and since_1970(at) for at in (row.begun_at, row.done_at))
    end: Transition = "complete" if row.ended in _PERFORMED else "withdraw"
    return Piece(row.step, "human", row.performer, ready=since_1970(row.ready_at), since=begun, done=done, end=end)


def _end(some: Sequence[Any]) -> str:
    """How an application ended, in the log's words."""
    by_unit = {row.unit: row for row in some}
    if any(row.closed_at is None for row in some):
        return "open"
    intake, contract = by_unit.get(INTAKE), by_unit.get(CONTRACT)
    if intake is not None and intake.close == "expired":
        return "cancelled"  # the customer never sent the papers; nobody has declined anything
    if contract is not None:
        paid = contract.close in ("achieved", "achieved_late")
        return "approved" if paid else "cancelled" if contract.close == "expired" else "declined"
    return "cancelled" if OFFER in by_unit else "declined"


def _ends(there: Bank, after: _After) -> list[Row]:
    told = there.told["cases"]
    words = {
        "approved": "approved and paid",
        "declined": "declined by the bank",
        "cancelled": "given up by the customer",
        "open": "open when the window ends",
    }
    rows = [Row("applications", f"{told['n']:,}", "measured", f"{after.n:,}", "assumed")]
    for end, word in words.items():
        before = f"{told['ends'][end]['share']:.1%}"
        if end == "open":
            rows.append(Row(word, before, "measured", "none: it ran to its end", "-"))
        else:
            rows.append(Row(word, before, "measured", _share(after.ends[end], after.n), "assumed"))
    return rows


def _times(there: Bank, after: _After) -> list[Row]:
    rows = []
    for end, word in (
        ("approved", "request to money paid"),
        ("declined", "request to refusal"),
        ("cancelled", "request to giving up"),
    ):
        before, now = there.spread("cycle_seconds", "by_end", end), after.leads[end]
        for name, share in (("median", 0.5), ("p90", 0.9)):
            said = f"{_span(float(np.quantile(now, share)))}, n={len(now)}" if now else "-"
            rows.append(
                Row(f"{word}, {name}", _span(before.quantile(share)), "measured", said, "executed" if now else "-")
            )
    queue = there.spread("work", ASSESS, "queue_seconds").quantile(0.5)
    waited = _span(float(np.median(after.waits))) if after.waits else "-"
    basis: Basis = "executed" if after.waits else "-"
    rows.append(Row("wait for an assessment, median", _span(queue), "measured", waited, basis))
    return rows


def _work(there: Bank, after: _After, plan: Plan) -> list[Row]:
    told = there.told
    hours = sum(item["touch_hours"] for item in told["work"].values())
    n, closed = told["cases"]["n"], told["of_closed"]
    week = sum(person.hours.consumed(plan.begin, plan.begin + office.WEEK) for person in plan.people) / 3.6e9
    some = "documents_incomplete"
    return [
        Row(
            "people's work, an application",
            _span(3600 * hours / n),
            "measured",
            _span(3600 * after.touch_hours / after.n),
            "executed",
        ),
        Row(
            "without any person of the bank",
            f"{closed['no_human_work']['share']:.1%}",
            "measured",
            _share(after.untouched, after.n),
            "executed",
        ),
        Row(
            "handoffs between people, each",
            f"{told['handoffs_per_case']['hh']:.2f}",
            "measured",
            f"{after.handoffs / after.n:.2f}",
            "executed",
        ),
        Row(
            "lacked documents",
            f"{closed['exceptions'][some]['share']:.1%}",
            "measured",
            _share(after.incomplete, after.n),
            "drawn",
        ),
        Row(
            "work repeated",
            f"{closed['rework']['share']:.1%}",
            "measured",
            _share(after.reworked, after.n),
            "assumed",
        ),
        Row(
            "people",
            f"{told['people']['per_working_day']:.0f} on a working day",
            "measured",
            f"{week:.0f} hours a week, {len(plan.people)} people",
            "assumed",
        ),
        Row(
            "an offer sent until sent back",
            f"{_span(there.spread('waits_seconds', 'offer_sent_until_sent_back').quantile(0.5))}, median",
            "measured",
            "from the same distribution",
            "drawn",
        ),
    ]


def _promises(stream: Stream) -> list[Row]:
    roll, cost = stream.roll_up, stream.cost
    late = _share(roll.on_time.count, roll.on_time.n) if roll.on_time else "-"
    paid = next(view.achieved for view in stream.units if view.unit == stream.last)
    spent = f"{cost.per_outcome:.2f} {cost.currency}, n={paid}" if cost and cost.per_outcome is not None else "-"
    return [
        Row("outcomes on time, of all cases", "-", "-", late, "executed" if roll.on_time else "-"),
        Row("people's cost of a loan paid", "-", "-", spent, "executed" if spent != "-" else "-"),
    ]


def _share(count: int, n: int) -> str:
    """A share with Wilson's interval of 95 %."""
    found = rate(count, n)
    return f"{found.share:.1%} ({found.low:.0%} to {found.high:.0%})" if found else "-"


def _span(seconds: float) -> str:
    return span(timedelta(seconds=round(seconds)))
