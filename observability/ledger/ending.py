"""The record of a case as its row tells it: completed where the engine ended a case that could not say so itself."""

from __future__ import annotations

from observability.ledger.seeing import OUTSIDE, Seen, Status
from workunits.core.clocks import SECOND
from workunits.core.incidents import close_incidents
from workunits.core.record import Record
from workunits.core.spec import Close

UNKNOWN = "unknown"
"""The version of a case that ended before it wrote a record."""


def truthful(seen: Seen) -> Record:
    """The record that says how the case stands: the case's own, or a completed copy where it could not say so."""
    if seen.record and (seen.closed is None or seen.record.close is not None):
        return seen.record
    record = seen.record.model_copy(deep=True) if seen.record else _bare(seen)
    if seen.closed is None:
        return record
    record.closed = record.offset(seen.closed)
    record.close, record.reason = _close(seen)
    record.why = seen.ending[:500] or None
    for work in record.steps:
        if work.done is None:
            if work.since is not None:
                spans = {"waiting": work.waits, "suspended": work.held}.get(work.now or "", work.work)
                spans.append((work.since, max(work.since, record.closed)))
                work.since = work.now = None
            work.done, work.end = max(work.ready, record.closed), "cancelled"
    close_incidents(record.incidents, record.closed)
    # In whole seconds; of a clock that may have stood still, only what it said itself is known.
    late = record.closed // SECOND > record.due // SECOND
    if record.due and late and record.breached is None and not record.clocks:
        record.breached = record.due
    return record


def is_outside(seen: Seen) -> bool:
    """Whether the case was ended past our doors."""
    return seen.closed is not None and (seen.status in OUTSIDE or seen.record is None or seen.record.close is None)


def _close(seen: Seen) -> tuple[Close, str]:
    if seen.status == Status.CANCELED:
        return "cancelled", "cancel_requested"
    return "failed", OUTSIDE.get(seen.status, "no_record")


def _bare(seen: Seen) -> Record:
    return Record(
        unit=seen.unit,
        version=UNKNOWN,
        case=seen.case,
        key=seen.note.key,
        started=seen.started,
        due=0,
        accepted_at=seen.note.accepted_at,
    )
