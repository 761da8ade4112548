"""Incidents from outside: which are open, how one is decided, and what came of a retry.

The path that the CLI and the inbox share. Who may decide is the unit's to say; see `workunits.core.incidents`.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from workunits.cases import CaseView
from workunits.client import Cases
from workunits.core.incidents import Incident

RetryEnd = Literal["succeeded", "failed_again", "case_ended", "unknown"]
"""What came of a retry: `unknown` when the step is still being tried."""
PATIENCE = 60.0
"""Seconds in which a retry usually ends."""
_POLL = 0.05


@dataclass(frozen=True, slots=True)
class Trouble:
    """An incident, and the case that it holds."""

    view: CaseView
    incident: Incident

    @property
    def name(self) -> str:
        """How it is addressed: `<case>/<key>`."""
        return f"{self.view.case}/{self.incident.key}"

    @property
    def since(self) -> datetime | None:
        """When it opened."""
        return self.view.record.when(self.incident.at) if self.view.record else None


def troubles_of(view: CaseView) -> list[Trouble]:
    """All incidents of a case, in the order in which they opened."""
    return [Trouble(view, incident) for incident in (view.record.incidents if view.record else ())]


async def open_troubles(cases: Cases, unit: str | None = None, code: str | None = None) -> AsyncIterator[Trouble]:
    """Go through the open incidents.

    Args:
        cases: The way to their cases.
        unit: Only this unit's.
        code: Only those of this cause.

    Raises:
        UnknownUnitError.
    """
    async for view in cases.list(unit, "incident"):
        for trouble in troubles_of(view):
            if trouble.incident.holds and (code is None or trouble.incident.code == code):
                yield trouble


async def decide(
    cases: Cases,
    trouble: Trouble,
    action: str,
    *,
    actor: str,
    roles: Sequence[str],
    body: Mapping[str, Any] | None = None,
    action_id: str = "",
    acting_for: str | None = None,
    accountable: str | None = None,
    origin: str = "",
    sent_at: datetime | None = None,
    patience: float = 20,
) -> dict[str, Any]:
    """Decide on an incident as it was seen, and have the unit's answer.

    Args:
        cases: The way to its case.
        trouble: The incident.
        action: `retry`, `resolve` or `fail`.
        actor: Who decides.
        roles: The roles that the actor has; the caller vouches for them.
        body: What the decision says: `reason`, and the `result` of a `resolve`.
        action_id: The same id again has the first answer again; a new one when omitted.
        acting_for: Whom the actor stands in for.
        accountable: The person who answers for a decision now, where a directory says so.
        origin: Through which door it comes.
        sent_at: When the actor decided; now when omitted.
        patience: Seconds of repeating while nobody answers.

    Raises:
        BadInput, Refused, UnknownCaseError, UndeliveredError: as `Cases.send`.
    """
    envelope = {
        "action": action,
        "action_id": action_id or uuid.uuid4().hex,
        "task_id": trouble.name,
        "revision": trouble.incident.revision,
        "actor": actor,
        "roles": list(roles),
        "acting_for": acting_for,
        "accountable": accountable,
        "origin": origin,
        "sent_at": (sent_at or datetime.now(UTC)).isoformat(),
        "body": dict(body or {}),
    }
    return await cases.send(envelope, patience=patience)


async def end_of_retry(cases: Cases, trouble: Trouble, patience: float = PATIENCE) -> RetryEnd:
    """Wait until a retry has really succeeded or failed again.

    Args:
        cases: The way to the case.
        trouble: The incident as it was before the retry.
        patience: Seconds to wait at most.
    """
    until = time.monotonic() + patience
    while True:
        view = await cases.show(trouble.view.case)
        found = view.record.incident(trouble.name) if view.record else None
        if found is not None and found.state == "resolved":
            return "succeeded"
        if found is not None and found.tries > trouble.incident.tries:
            return "failed_again"
        if not view.is_open or (found is not None and not found.holds):
            return "case_ended"
        if time.monotonic() > until:
            return "unknown"
        await asyncio.sleep(_POLL)
