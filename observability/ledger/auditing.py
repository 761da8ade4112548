"""The ledger's audit: what was done to it, by whom; rows are only ever added, and the database holds to that."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from observability.ledger.keeping import audit

ROLLOUT = "rollout"
"""What the audit calls a change of the share in which new cases are split."""


def note_audit(
    connection: Connection, actor: str, what: str, now: datetime, *, case: str | None = None, **detail: Any
) -> None:
    """Add an entry.

    Args:
        connection: In a transaction of `Ledger.write`: the entry is there if what it tells of is.
        actor: Who did it.
        what: `evidence`, `forget`, `prune` and the like.
        now: When.
        case: The case, where it was one.
        detail: What was done, without the personal data that it was about.
    """
    row = {"audit_id": uuid.uuid4().hex, "at": now, "actor": actor, "what": what, "case_id": case, "detail": detail}
    connection.execute(audit.insert().values(row))
