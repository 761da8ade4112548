"""One notice, and the small workflow that sees to its delivery: its id is the task with the rung, so it is told once.

The workflow's code runs again when a notice is picked up by another process: it draws on nothing but its argument.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

QUEUE = "workunits-notices"
WORKFLOW, TELL = "workunits_notice", "workunits_tell"
"""Names that histories keep."""
REPEATING = ("assignment", "escalation")
"""Rungs that one task may reach again and again; of the others each comes once."""
ATTEMPT = timedelta(seconds=90)
BEAT = timedelta(seconds=5)
"""A sender that says nothing for so long is dead, and another one takes over."""

Audience = Literal["owner", "candidates", "accountable"]


@dataclass(frozen=True, slots=True)
class Notice:
    """That people are to be told of a task."""

    task_id: str
    rung: str
    audience: Audience
    """Why these people: what they are to the task. A candidate is not told once someone else has claimed it."""
    recipients: tuple[str, ...]
    """`person:<name>`, or `role:<role>` where a role has a channel of its own."""
    unit: str
    key: str
    step: str
    role: str
    owner: str | None = None
    """Who has the task, when it is told to its owner."""
    due: str | None = None
    """When the case's outcome is due, as ISO 8601."""

    @property
    def id(self) -> str:
        """The id of its workflow."""
        return f"notice:{self.task_id}:{self.rung}"

    @property
    def repeats(self) -> bool:
        """Whether its rung may come again."""
        return self.rung.startswith(REPEATING)


@dataclass(frozen=True, slots=True)
class Errand:
    """What the workflow is given."""

    notice: str
    """The notice's id."""
    recipients: tuple[str, ...]
    wait: float
    """Seconds in which more may come that can be told in the same message."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What an attempt is given."""

    notice: str
    recipient: str


# Not sandboxed: the runner of cases refuses whatever is not of the core, and this is not a case.
@workflow.defn(name=WORKFLOW, sandboxed=False)
class NoticeWorkflow:
    """Waits for more to tell, then delivers to each recipient."""

    @workflow.run
    async def run(self, errand: Errand) -> dict[str, str]:
        """Deliver; gives what came of it for each recipient.

        Raises:
            ApplicationError: `undelivered`: some channel was dead for longer than one waits.
        """
        if errand.wait > 0:
            await workflow.sleep(timedelta(seconds=errand.wait))
        states = await asyncio.gather(*(self._tell(errand.notice, one) for one in errand.recipients))
        told = dict(zip(errand.recipients, states, strict=True))
        if "failed" in states:
            why = "a channel was dead for too long: workunits notify --status"
            raise ApplicationError(why, told, type="undelivered", non_retryable=True)
        return told

    async def _tell(self, notice: str, recipient: str) -> str:
        """Try until it is sent, withdrawn, or given up by the sender, who knows for how long it was tried."""
        told: str = await workflow.execute_activity(
            TELL,
            Delivery(notice, recipient),
            result_type=str,
            start_to_close_timeout=ATTEMPT,
            heartbeat_timeout=BEAT,
            retry_policy=RetryPolicy(
                initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1), backoff_coefficient=2
            ),
        )
        return told
