"""The report of a unit: what semantics, section 4, defines, over the cases that closed in a window.

A figure that the cases cannot say is absent (None), never zero. Open cases are counted apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain

import numpy as np
from sqlalchemy import Connection, select

from observability.learning.estimates import Rate, Spread, rate, spread
from observability.learning.selection import PART_SPANS, Asked, Closed, Open, closed_cases, open_cases, task_queues
from observability.ledger.keeping import evidence
from observability.ledger.store import Ledger
from observability.ledger.tables import cases, exceptions
from workunits.core.parts import PARTS

METRICS = "1"
"""The version of the metric definitions: figures of different ones are not compared."""
ACHIEVED = ("achieved", "achieved_late")


@dataclass(frozen=True, slots=True)
class Cost:
    """What achieved outcomes cost."""

    per_achieved: float | None
    """Cost of all closed cases, failed ones included, for each achieved one; None when some cost is unknown."""
    currency: str
    n: int
    """Cases whose cost is known."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of some closed cases; durations in microseconds, rates with Wilson's interval."""

    n: int
    cycle: Spread | None
    lead: Spread | None
    parts: Mapping[str, float]
    """Mean time of a case in each part; they add up to the mean cycle time."""
    queue: Spread | None
    """Time of a case in which it only waited to be worked on, by people or machines."""
    task_queue: Spread | None
    """Of each task of people: ready until somebody took it."""
    touch_human: Spread | None
    """Of cases whose people's work was measured; None when it was of none."""
    touch_human_unmeasured: int
    """Cases left out of it."""
    touch_machine: Spread | None
    external_wait: Spread | None
    flow_efficiency: Spread | None
    exception_rate: Rate | None
    exceptions: Mapping[str, Rate]
    """Cases with at least one, by code."""
    rework_rate: Rate | None
    override_rate: Rate | None
    """Of the proposals of models on which people decided who saw them."""
    rework_share: float | None
    handoffs: Mapping[str, float]
    """Mean per case: hh, hm, mh, mm."""
    first_pass_yield: Rate | None
    sla_attainment: Rate | None
    sla_void: int
    outcome_attainment: Rate | None
    on_time: Rate | None
    straight_through: Rate | None
    closes: Mapping[str, int]
    cost: Cost | None
    quality: Mapping[str, tuple[float, int]]
    """Mean and number of cases, by measure."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was asked, and what came of it."""

    asked: Asked
    made_at: datetime
    figures: Figures
    open: Open
    metrics: str = METRICS


def report(ledger: Ledger, asked: Asked) -> Report:
    """Compute the report.

    Raises:
        LedgerUnavailableError.
    """
    now = datetime.now(UTC)
    with ledger.read() as connection:
        closed, still_open = closed_cases(connection, asked), sum(open_cases(connection, asked, now).values(), Open())
        waits = list(chain.from_iterable(task_queues(connection, asked).values()))
        made = figures_of(connection, asked, closed, past_due=still_open.past_due, waits=waits)
    return Report(asked, now, made, still_open)


def figures_of(
    connection: Connection, asked: Asked, closed: Closed, *, past_due: int = 0, waits: Sequence[int] = ()
) -> Figures:
    """The figures of some closed cases.

    Args:
        connection: For what hangs on cases: exceptions by code, evidence.
        asked: The unit and the time as of which evidence counts.
        closed: The cases.
        past_due: Open cases that are late: they count as breached.
        waits: The queue of each task of people.
    """
    n = len(closed)
    achieved = np.isin(closed["close"], ACHIEVED)
    clean = achieved & (closed["exceptions"] == 0) & ~closed["reworked"].astype(bool)
    measured = closed["unmeasured"] == 0
    timed = measured & (closed["cycle_us"] > 0)
    sla = Counter(closed["sla"].tolist())
    return Figures(
        n=n,
        cycle=spread(closed["cycle_us"]),
        lead=spread(closed["lead_us"]),
        parts={part: float(closed[span].mean()) for part, span in zip(PARTS, PART_SPANS, strict=True)} if n else {},
        queue=spread(closed["queue_us"]),
        task_queue=spread(waits),
        touch_human=spread(closed["human_effort_us"][measured]),
        touch_human_unmeasured=int((~measured).sum()),
        touch_machine=spread(closed["machine_effort_us"]),
        external_wait=spread(closed["external_us"]),
        flow_efficiency=spread(closed["active_us"][timed] / closed["cycle_us"][timed]),
        exception_rate=rate(int((closed["exceptions"] > 0).sum()), n),
        exceptions=_by_code(connection, closed),
        rework_rate=rate(int(closed["reworked"].astype(bool).sum()), n),
        override_rate=rate(int(closed["overridden"].sum()), int(closed["reviewed"].sum())),
        rework_share=_rework_share(closed),
        handoffs={kind: float(closed[f"handoffs_{kind}"].mean()) for kind in ("hh", "hm", "mh", "mm")} if n else {},
        first_pass_yield=rate(int(clean.sum()), n),
        sla_attainment=rate(sla["met"], sla["met"] + sla["breached"] + past_due),
        sla_void=sla["void"],
        outcome_attainment=rate(int(achieved.sum()), n),
        on_time=rate(int((closed["close"] == "achieved").sum()), n),
        straight_through=rate(int((closed["human_touches"] == 0).sum()), n),
        closes=dict(sorted(Counter(closed["close"].tolist()).items())),
        cost=_cost(closed, int(achieved.sum())),
        quality=_quality(connection, asked, closed),
    )


def _by_code(connection: Connection, closed: Closed) -> Mapping[str, Rate]:
    """Cases with at least one exception of a code; the few with any are looked up."""
    with_some = closed["case_id"][closed["exceptions"] > 0].tolist()
    counted: Counter[str] = Counter()
    for start in range(0, len(with_some), 500):
        wanted = (
            select(exceptions.c.case_id, exceptions.c.code)
            .where(exceptions.c.case_id.in_(with_some[start : start + 500]), exceptions.c.business)
            .distinct()
        )
        counted.update(row.code for row in connection.execute(wanted))
    return {code: found for code, count in sorted(counted.items()) if (found := rate(count, len(closed)))}


def _rework_share(closed: Closed) -> float | None:
    effort = int(closed["human_effort_us"].sum() + closed["machine_effort_us"].sum())
    return float(closed["rework_effort_us"].sum() / effort) if effort else None


def _cost(closed: Closed, achieved: int) -> Cost | None:
    known = [cost for cost in closed["cost"].tolist() if cost is not None]
    currencies = {currency for currency in closed["currency"].tolist() if currency}
    if not known or len(currencies) != 1:
        return None
    whole = len(known) == len(closed) and achieved > 0
    return Cost(sum(known) / achieved if whole else None, currencies.pop(), len(known))


def _quality(connection: Connection, asked: Asked, closed: Closed) -> Mapping[str, tuple[float, int]]:
    """Measures of results, and of evidence that counts: the last of each case."""
    values: dict[str, dict[str, float]] = {}
    for case, measured in zip(closed["case_id"].tolist(), closed["quality"].tolist(), strict=True):
        for name, value in (measured or {}).items():
            values.setdefault(name, {})[case] = value
    told = (
        select(evidence.c.case_id, evidence.c.measure, evidence.c.value)
        .join(cases, cases.c.case_id == evidence.c.case_id)
        .where(cases.c.unit == asked.unit, evidence.c.counts)
    )
    if asked.as_of:
        told = told.where(evidence.c.recorded_at <= asked.as_of)
    ours = set(closed["case_id"].tolist())
    for row in connection.execute(told.order_by(evidence.c.occurred_at, evidence.c.recorded_at)):
        if row.case_id in ours:
            values.setdefault(row.measure, {})[row.case_id] = row.value
    return {name: (float(np.mean(list(found.values()))), len(found)) for name, found in sorted(values.items())}
