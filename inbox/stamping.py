"""Whether someone accepts proposals faster than they can be read: said to them alone, and quietly."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, select

from inbox.journal import Journal
from inbox.store import JournalUnavailableError
from observability.autonomy.reading_floor import reading_floor
from observability.ledger.store import Ledger, LedgerError
from observability.ledger.tables import proposals, steps, tasks

LAST = 20
"""Proposals that are looked at."""
_WINDOW = timedelta(days=30)


def stamps(ledger: Ledger, journal: Journal, actor: str, step: tuple[str, str], now: datetime) -> bool:
    """Whether the last proposals of a step were all accepted without a change, each faster than it can be read.

    The time runs from when work on the task began or, where nobody said so, from when it was shown first.

    Args:
        ledger: Has the proposals, and who decided when.
        journal: Has who was shown what when.
        actor: Whose decisions.
        step: The unit and its hybrid step.
        now: The present.
    """
    try:
        with ledger.read() as connection:
            rows = connection.execute(_decided(actor, *step, now)).all()
        if len(rows) < LAST or any(row.decision != "accept" for row in rows):
            return False
        unsaid = [row.task_id for row in rows if row.begun_at is None]
        shown = journal.notes.first_looks(actor, unsaid)
    except (LedgerError, JournalUnavailableError):
        return False
    return all(_took(row, shown) < timedelta(seconds=reading_floor(row.words or 0)) for row in rows)


def _decided(actor: str, unit: str, step: str, now: datetime) -> Any:
    task_id = proposals.c.case_id + "/" + steps.c.key
    return (
        select(tasks.c.task_id, proposals.c.decision, proposals.c.decided_at, proposals.c.words, steps.c.begun_at)
        # The proposal has the key of its task, and `-ai` behind it.
        .join(steps, and_(steps.c.case_id == proposals.c.case_id, proposals.c.key == steps.c.key + "-ai"))
        .join(tasks, tasks.c.task_id == task_id)
        .where(proposals.c.step == step, proposals.c.at >= now - _WINDOW, proposals.c.decision.is_not(None))
        .where(tasks.c.unit == unit, tasks.c.performer == actor)
        .order_by(proposals.c.decided_at.desc())
        .limit(LAST)
    )


def _took(row: Row[Any], shown: dict[str, datetime]) -> timedelta:
    """How long a decision took; where that is not known, for ever."""
    since = row.begun_at or shown.get(row.task_id)
    return row.decided_at - since if since is not None else timedelta.max
