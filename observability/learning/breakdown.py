"""A report broken down: by step, by executor kind, or by segment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import Connection, select

from observability.learning.estimates import Rate, Spread, rate, spread
from observability.learning.report import Figures, figures_of
from observability.learning.selection import Asked, Open, closed_cases, conditions, open_cases, task_queues
from observability.ledger.store import Ledger
from observability.ledger.tables import cases, steps
from workunits.core.hybrid import AI

By = Literal["step", "executor", "segment"]
NO_SEGMENT = "(none)"


@dataclass(frozen=True, slots=True)
class Performed:
    """How a step, or all steps of an executor kind, went; durations in microseconds."""

    kind: str
    n: int
    queue: Spread | None
    work: Spread | None
    """Of performances whose work was measured."""
    unmeasured: int
    retry: Spread | None
    """Of performances with more than one attempt."""
    done: Rate | None
    exceptions: Rate | None
    failures: Rate | None


@dataclass
class _Heap:
    kind: str
    queue: list[int] = field(default_factory=list)
    work: list[int] = field(default_factory=list)
    retry: list[int] = field(default_factory=list)
    unmeasured: int = 0
    ended: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def break_down(ledger: Ledger, asked: Asked, by: By) -> Mapping[str, Performed] | Mapping[str, Figures]:
    """Break the figures of the same cases down.

    Raises:
        LedgerUnavailableError.
    """
    with ledger.read() as connection:
        return _by_segment(connection, asked) if by == "segment" else by_step(connection, asked, by)


def _by_segment(connection: Connection, asked: Asked) -> Mapping[str, Figures]:
    closed = closed_cases(connection, asked)
    still_open, waits = open_cases(connection, asked, datetime.now(UTC)), task_queues(connection, asked)
    found = {}
    for segment in sorted(set(closed["segment"].tolist()), key=lambda name: name or ""):
        late = still_open.get(segment, Open()).past_due
        chosen = closed.where(closed["segment"] == segment)
        found[segment or NO_SEGMENT] = figures_of(
            connection, asked, chosen, past_due=late, waits=waits.get(segment, ())
        )
    return found


def by_step(
    connection: Connection, asked: Asked, by: By = "step", *, proposals: bool = True
) -> Mapping[str, Performed]:
    """Break down by step, or by executor kind, on an open connection.

    Args:
        connection: To the ledger.
        asked: Of which cases.
        by: What of.
        proposals: Whether what models did at hybrid steps counts, beside what people did.
    """
    columns = (steps.c.step, steps.c.kind, steps.c.queue_us, steps.c.work_us, steps.c.retry_us, steps.c.attempts)
    wanted = (
        select(*columns, steps.c.ended, steps.c.assigned_only, steps.c.external)
        .join(cases, cases.c.case_id == steps.c.case_id)
        .where(*conditions(asked), cases.c.close.is_not(None))
    )
    if not proposals:
        wanted = wanted.where(steps.c.key.not_like(f"%{AI}"))
    heaps: dict[str, _Heap] = {}
    for row in connection.execute(wanted):
        kind = "external" if row.external else row.kind
        heap = heaps.setdefault(row.step if by == "step" else kind, _Heap(kind))
        heap.ended[row.ended or "open"] += 1
        if row.queue_us is not None and not row.external:
            heap.queue.append(row.queue_us)
        if row.assigned_only or row.external:
            heap.unmeasured += 1
        elif row.ended == "done":
            heap.work.append(row.work_us)
        if row.attempts > 1:
            heap.retry.append(row.retry_us)
    return {name: _performed(heap) for name, heap in sorted(heaps.items())}


def _performed(heap: _Heap) -> Performed:
    n = sum(heap.ended.values())
    return Performed(
        kind=heap.kind,
        n=n,
        queue=spread(heap.queue),
        work=spread(heap.work),
        unmeasured=heap.unmeasured,
        retry=spread(heap.retry),
        done=rate(heap.ended["done"], n),
        exceptions=rate(heap.ended["exception"], n),
        failures=rate(heap.ended["failed"], n),
    )
