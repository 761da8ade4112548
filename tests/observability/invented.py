"""Invented cases for the ledger: plausible records, made without an engine, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from temporalio.client import WorkflowExecutionStatus

from observability.ledger.forgetting import Forgetting
from observability.ledger.rows import CaseRows, Definition, rows_of
from observability.ledger.seeing import Seen
from observability.ledger.store import Ledger
from observability.ledger.writing import write
from workunits.core.record import Microseconds, Record, Routed, StartNote, Work
from workunits.core.spec import Rate

BEGIN = datetime(2025, 1, 6, 8, tzinfo=UTC)
HOUR: Microseconds = 3_600_000_000
BUDGET = 24 * HOUR
DEFINITION = Definition("1", "0" * 12, {"decide": "clerk"}, {"decide": "head"}, {"clerk": Rate(60)})


def records(count: int, seed: int = 7, unit: str = "refund_request") -> Iterator[Record]:
    """Cases with a machine step and a decision: some late, refused, with an exception and its repair, or cancelled."""
    draw = random.Random(seed)  # noqa: S311 - invented on purpose
    for number in range(count):
        start = BEGIN + timedelta(hours=draw.random() * 24 * 7 * 10)
        record = Record(
            unit=unit,
            version="1",
            case=f"{unit}:X-{number}",
            key=f"X-{number}",
            started=start,
            due=BUDGET,
            segment=draw.choice(["damaged", "not_wanted"]),
            facts={"cause": "damaged"},
        )
        look = Work(key="look", step="look", kind="automated", ready=0, done=2_000_000, end="done", attempts=1)
        look.work = [(500_000, 1_900_000)]
        record.steps.append(look)
        at: Microseconds = 2_000_000
        if draw.random() < 0.1:
            look.end, look.code = "exception", "odd"
            record.routes.append(Routed(at=at, key="look", code="odd", to="mend"))
            back = at + round(draw.random() * 40 * HOUR)
            mend = Work(key="mend", step="mend", kind="human", ready=at, done=back, end="done", external=True)
            mend.by, mend.claimed = "customer", back
            again = Work(key="look-2", step="look", kind="automated", ready=back, done=back + 2_000_000, end="done")
            again.redo_of, again.work = "look", [(back, back + 1_000_000)]
            record.steps += [mend, again]
            at = back + 2_000_000
        took = round(draw.lognormvariate(1.6, 0.9) * HOUR)
        decide = Work(key="decide", step="decide", kind="human", ready=at, decides=True)
        record.steps.append(decide)
        record.closed = at + took
        if draw.random() < 0.03:
            decide.done, decide.end = record.closed, "cancelled"
            record.close, record.reason = "cancelled", "cancel_requested"
        else:
            begun = at + round(took * draw.uniform(0.4, 0.95))
            decide.claimed, decide.work = begun, [(begun, record.closed)]
            decide.done, decide.end, decide.by = record.closed, "done", draw.choice(["ann", "bob"])
            late = record.closed > BUDGET
            record.breached = BUDGET if late else None
            refused = draw.random() < 0.08
            record.close = "not_achieved" if refused else "achieved_late" if late else "achieved"
            record.reason = "outcome_not_met" if refused else None
        yield record


def case_rows(record: Record, now: datetime | None = None) -> CaseRows:
    """The rows of a record, as if the engine had listed it."""
    status = WorkflowExecutionStatus.COMPLETED if record.close else WorkflowExecutionStatus.RUNNING
    closed = record.when(record.closed) if record.closed is not None else None
    seen = Seen(
        case=record.case,
        unit=record.unit,
        run="r",
        run_started=record.started,
        status=status,
        started=record.started,
        closed=closed,
        changed=closed or record.started,
        note=StartNote(key=record.key),
        record=record,
        tasks=(),
    )
    return rows_of(seen, now or datetime.now(UTC), DEFINITION)


def fill(ledger: Ledger, count: int, seed: int = 7) -> list[Record]:
    """Put invented cases into a ledger."""
    made = list(records(count, seed))
    with ledger.write() as connection:
        write(connection, [case_rows(record) for record in made], Forgetting.load(connection), datetime.now(UTC))
    return made
