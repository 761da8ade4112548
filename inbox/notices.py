"""The notifier: follows the ledger, and starts one small durable workflow for each notice that is due.

It lists the open tasks of the cases that were written since its watermark, with an overlap. A notice is put up on the
board before its workflow is started, and the workflow's id is the notice's: whatever is killed when, and however many
notifiers there are, each notice is begun once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError
from temporalio.worker import Worker

from inbox.channels import Channels
from inbox.directory import Directory
from inbox.notice import QUEUE, WORKFLOW, Errand, Notice, NoticeWorkflow
from inbox.noticeboard import Noticeboard
from inbox.rungs import Seen, notices_of, read_tasks
from inbox.store import JournalUnavailableError
from inbox.telling import SENDERS, Teller
from observability.ledger.store import Ledger, LedgerUnavailableError
from workunits.client import Cases

EVERY = 1.0
"""Seconds between passes."""
OVERLAP = timedelta(seconds=30)
WIDE_EVERY = timedelta(minutes=10)
"""All open tasks are looked at so often: nobody is left out because a row came late."""
KEPT = timedelta(days=90)
_LONGEST_PAUSE = 30.0
_AT_ONCE = 16
_GRACE = timedelta(seconds=5)
_TASK = timedelta(seconds=3)
"""After so long, another notifier goes on where one was killed."""
_WAITS = ("assignment", "warn")
"""Rungs that wait for more to tell in the same message."""

log = logging.getLogger("workunits.notices")


class Notifier:
    """Tells people of their tasks."""

    def __init__(
        self,
        cases: Cases,
        ledger: Ledger,
        board: Noticeboard,
        directory: Directory,
        channels: Channels,
        *,
        url: str = "",
        queue: str = QUEUE,
        every: float = EVERY,
    ) -> None:
        """Prepare; see `run`.

        Args:
            cases: The way to cases; its client carries the plugin.
            ledger: Its schema is this program's.
            board: Opened.
            directory: Who is who.
            channels: How they are reached.
            url: Where people find the inbox: scheme, host and port, without a slash at the end.
            queue: The task queue of notices; never that of cases.
            every: Seconds between passes.
        """
        self._cases = cases
        self._ledger = ledger
        self._board = board
        self._directory = directory
        self._channels = channels
        self._queue = queue
        self._every = every
        self._teller = Teller(cases, ledger, board, directory, channels, url=url)
        self._widely: float | None = None
        """When it last looked at all tasks, on a clock that nobody sets."""
        self._seen: dict[str, tuple[Any, ...]] = {}
        """What the last pass saw: the overlap lists it again, and it need not be thought through."""

    async def run(self, stop: asyncio.Event) -> None:
        """Tell until told to stop; a database or an engine that is down delays it and ends nothing."""
        async with self.worker():
            pause = self._every
            while not stop.is_set():
                try:
                    await self._follow_unless(stop)
                    pause = self._every
                except (LedgerUnavailableError, JournalUnavailableError, RPCError) as error:
                    pause = min(max(pause, 0.5) * 2, _LONGEST_PAUSE)
                    log.error("cannot tell people: %s; the next try is in %g s", error, pause)  # noqa: TRY400 - no traceback
                    with suppress(JournalUnavailableError):
                        await asyncio.to_thread(self._board.note_error, str(error))
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause)

    async def _follow_unless(self, stop: asyncio.Event) -> None:
        """Make one pass; one that waits for an engine that is gone does not hold up the end: it is made again."""
        following, stopping = asyncio.ensure_future(self.follow()), asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait((following, stopping), return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                following.result()
        finally:
            for task in (following, stopping):
                task.cancel()
            await asyncio.gather(following, stopping, return_exceptions=True)

    def worker(self) -> Worker:
        """The worker that sends; not started."""
        return Worker(
            self._cases.client,
            task_queue=self._queue,
            workflows=[NoticeWorkflow],
            activities=[self._teller.tell],
            max_concurrent_activities=SENDERS,
            max_cached_workflows=0,  # a notice that one process began is gone on with by any other, at once
            graceful_shutdown_timeout=_GRACE,
        )

    async def follow(self) -> int:
        """Make one pass; how many notices were due.

        Raises:
            LedgerUnavailableError, JournalUnavailableError, RPCError: the pass is made again.
        """
        began, since_boot = datetime.now(UTC), time.monotonic()
        wide = self._widely is None or since_boot - self._widely >= WIDE_EVERY.total_seconds()
        mark = await asyncio.to_thread(self._board.mark)
        since = mark - OVERLAP if mark and not wide else None
        seen, newest = await asyncio.to_thread(self._read, since)
        told = await asyncio.to_thread(self._put_up, seen, began)
        await self._begin()
        if wide:
            keep = {task.row.task_id for task in seen}
            await asyncio.to_thread(self._board.prune, began - KEPT, keep)
            self._widely = since_boot
        await asyncio.to_thread(self._board.passed, newest, began)
        self._seen = {task.row.task_id: task.key for task in seen}
        return told

    def _read(self, since: datetime | None) -> tuple[list[Seen], datetime | None]:
        with self._ledger.read() as connection:
            return read_tasks(connection, since)

    def _put_up(self, seen: list[Seen], now: datetime) -> int:
        fresh = [task for task in seen if self._seen.get(task.row.task_id) != task.key]
        before = self._board.reminded([task.row.task_id for task in fresh if task.reminders])
        found: list[Notice] = []
        for task in fresh:
            if (last := before.get(task.row.task_id)) is not None:  # told by a version that named them otherwise
                task = replace(task, reminders=tuple(one for one in task.reminders if one.at > last))  # noqa: PLW2901
            found += notices_of(task, self._directory, self._channels, self._cases.catalog, now)
        return self._board.add(found, self._channels.routes.pace.cap, now)

    async def _begin(self) -> None:
        """Start the workflows of what is put up, this notifier's or another's."""
        window = self._channels.routes.pace.window.total_seconds()
        turns = asyncio.Semaphore(_AT_ONCE)

        async def start(notice: Notice) -> None:
            wait = window if notice.rung.startswith(_WAITS) else 0.0
            async with turns:
                with suppress(WorkflowAlreadyStartedError):
                    await self._cases.client.start_workflow(
                        WORKFLOW,
                        Errand(notice.id, notice.recipients, wait),
                        id=notice.id,
                        task_queue=self._queue,
                        task_timeout=_TASK,
                        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                        static_summary=f"{notice.rung} of {notice.task_id}"[:200],
                    )

        while new := await asyncio.to_thread(self._board.new):
            await asyncio.gather(*(start(notice) for notice in new))
            await asyncio.to_thread(self._board.begun, [notice.id for notice in new])
