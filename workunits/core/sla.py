"""The clock of a case: the SLA's rungs and the expiries of its tasks, on one live timer.

Only the next due rung is armed. A rung carries the time when it was due, not the time when it fired, so an
outage cannot move a breach; and an answer that was sent in time takes a breach back at the close.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

from temporalio import workflow

from .lifecycle import Task
from .record import Record, Rung

if TYPE_CHECKING:
    from .human import Desk


class Due(NamedTuple):
    """A rung that has not fired."""

    at: datetime
    rung: Literal["warn", "deadline", "expiry", "resume"]
    task: Task | None = None


class Clock:
    """Fires each rung once, at its due time or as soon after it as a worker is up."""

    def __init__(self, record: Record, desk: Desk, warn: float) -> None:
        """Watch a case.

        Args:
            record: Has the due time; gets the fired rungs.
            desk: Has the tasks that may expire.
            warn: Fraction of the budget.
        """
        self._record = record
        self._desk = desk
        self._warn_at = int(record.due * warn)

    def pending(self) -> list[Due]:
        """The rungs that have not fired, soonest first."""
        record = self._record
        rungs = [Due(t.expires, "expiry", t) for t in self._desk.open_tasks() if t.expires]
        rungs += [Due(t.until, "resume", t) for t in self._desk.open_tasks() if t.until and t.state == "waiting"]
        if record.warned is None:
            rungs.append(Due(record.when(self._warn_at), "warn"))
        if record.breached is None:
            rungs.append(Due(record.when(record.due), "deadline"))
        return sorted(rungs, key=lambda due: due.at)

    async def run(self) -> None:
        """Fire rungs as they come due, until cancelled."""
        while True:
            pending = self.pending()
            if not pending:
                await workflow.wait_condition(lambda: bool(self.pending()))
                continue
            nearest = pending[0]
            left = max(nearest.at - workflow.now(), timedelta(0))
            if left and await self._overtaken(nearest, left):
                continue
            for due in self.pending():
                if due.at <= workflow.now():
                    self._fire(due)

    async def _overtaken(self, nearest: Due, left: timedelta) -> bool:
        """Wait for a rung; true when an earlier one came up meanwhile."""

        def earlier() -> bool:
            pending = self.pending()
            return bool(pending) and pending[0].at < nearest.at

        try:
            await workflow.wait_condition(earlier, timeout=left, timeout_summary=nearest.rung)
        except TimeoutError:
            return False
        return True

    def _fire(self, due: Due) -> None:
        record, at = self._record, self._record.offset(due.at)
        if due.rung == "warn":
            record.warned = at
        elif due.rung == "deadline":
            record.breached = at
        elif due.rung == "resume" and due.task:
            self._desk.resume(due.task)
        elif due.task:
            self._desk.expire(due.task)
        task = due.task.id.rpartition("/")[2] if due.task else None
        record.rungs.append(Rung(rung=due.rung, due=at, at=record.offset(workflow.now()), task=task))
        self._desk.changed = True

    def settle(self, closed: int) -> None:
        """At the close, state the breach by times alone, whichever of timer and answer came first."""
        record, now = self._record, self._record.offset(workflow.now())
        # What fires in the very task that closes the case was due after it, and nobody has seen it.
        record.rungs = [rung for rung in record.rungs if rung.due <= closed or rung.at < now]
        if record.warned is not None and record.warned > closed:
            record.warned = None
        late = closed > record.due
        if late and record.breached is None:
            record.breached = record.due
            record.rungs.append(Rung(rung="deadline", due=record.due, at=closed))
        elif not late and record.breached is not None:
            record.breached = None
            if any(rung.rung == "deadline" for rung in record.rungs):
                record.rungs.append(Rung(rung="withdrawn", due=record.due, at=now))
