"""The sender of notices: looks once more whether there is something to tell, and tells it in one message."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError

from inbox.channels import Channels, deliver
from inbox.directory import Directory
from inbox.notice import BEAT, TELL, Delivery, Notice
from inbox.notice_text import compose
from inbox.noticeboard import FINAL, Message, Noticeboard
from observability.ledger.store import Ledger, LedgerError
from observability.ledger.tables import tasks
from workunits.cases import CaseView
from workunits.client import Cases, UnknownCaseError, case_of
from workunits.core.lifecycle import Task

PATIENCE = timedelta(seconds=5)
"""For an engine that does not answer."""
SENDERS = 16
"""Messages that are on their way at a time."""
_AT_ONCE = 8
_SOON = timedelta(seconds=1)

log = logging.getLogger("workunits.notices")


class Teller:
    """Sends notices, in activities."""

    def __init__(
        self, cases: Cases, ledger: Ledger, board: Noticeboard, directory: Directory, channels: Channels, *, url: str
    ) -> None:
        """Put the parts together.

        Args:
            cases: The way to cases, which know whether a task is open.
            ledger: Knows it too, sooner when the case was closed past our doors.
            board: What was told.
            directory: Who is who.
            channels: How they are reached.
            url: Where people find the inbox.
        """
        self._cases = cases
        self._ledger = ledger
        self._board = board
        self._directory = directory
        self._channels = channels
        self._url = url
        # Of their own: channels that do not answer would keep the default threads from the board.
        self._threads = ThreadPoolExecutor(SENDERS, "notices")

    @activity.defn(name=TELL)
    async def tell(self, delivery: Delivery) -> str:
        """Tell one recipient all that waits for them; gives what came of the one notice.

        Raises:
            ApplicationError: not now; it is tried again.
            JournalUnavailableError: as that.
        """
        async with _alive():
            return await self._tell(delivery)

    async def _tell(self, delivery: Delivery) -> str:
        pace = self._channels.routes.pace
        taken = await asyncio.to_thread(
            self._board.open_message, delivery.notice, delivery.recipient, pace.pause, datetime.now(UTC)
        )
        if isinstance(taken, str):
            if taken in FINAL:
                return taken
            raise _later(
                "another message to the same recipient is on its way", _SOON if taken == "sending" else pace.pause
            )
        gone = await self._gone(taken)
        await asyncio.to_thread(self._board.withdraw, taken, gone, datetime.now(UTC))
        left = [notice for notice in taken.notices if notice.id not in gone]
        why = await self._send(taken, left) if left else ""
        if why:
            return await self._undelivered(taken, why)
        await asyncio.to_thread(self._board.sent, taken, [notice.id for notice in left], datetime.now(UTC))
        return "withdrawn" if delivery.notice in gone else "sent"

    async def _undelivered(self, message: Message, why: str) -> str:
        pace = self._channels.routes.pace
        state = await asyncio.to_thread(self._board.undelivered, message, why, pace.patience, datetime.now(UTC))
        if state in FINAL:
            if state == "failed":
                log.error("given up on %s: %s; workunits notify --status", message.recipient, why)
            return state
        log.warning("not delivered to %s: %s; the next try is in %s", message.recipient, why, pace.pause)
        raise _later(why, pace.pause)

    async def _send(self, message: Message, notices: Sequence[Notice]) -> str:
        """Send; why it failed, empty when it did not."""
        url = self._channels.of(message.recipient, self._directory)
        if not url:
            return "there is no channel: give one in WORKUNITS_NOTICES, or a mail address in the directory"
        person = self._directory.person(message.recipient.removeprefix("person:"))
        zone = ZoneInfo(person.zone) if person else ZoneInfo("UTC")
        title, body = compose(notices, self._url, zone, message.reference)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, deliver, url, title, body, message.reference)

    async def _gone(self, message: Message) -> set[str]:
        """Of which notices there is nothing to tell any more."""
        closed = await asyncio.to_thread(self._closed_in_ledger, message.notices)
        turns = asyncio.Semaphore(_AT_ONCE)

        async def look(case: str) -> CaseView | None:
            async with turns:
                return await self._view(case)

        those = list({case_of(notice.task_id) for notice in message.notices if notice.task_id not in closed})
        views = dict(zip(those, await asyncio.gather(*(look(case) for case in those)), strict=True))
        gone = {notice.id for notice in message.notices if notice.task_id in closed}
        for notice in message.notices:
            if notice.id not in gone and not _still_to_tell(notice, message.recipient, views[case_of(notice.task_id)]):
                gone.add(notice.id)
        return gone

    async def _view(self, case: str) -> CaseView | None:
        try:
            async with asyncio.timeout(PATIENCE.total_seconds()):
                return await self._cases.show(case)
        except UnknownCaseError:
            return None
        except (RPCError, TimeoutError):
            raise _later("the engine does not say whether the task is open", _SOON) from None

    def _closed_in_ledger(self, notices: Sequence[Notice]) -> set[str]:
        ids = [notice.task_id for notice in notices]
        wanted = select(tasks.c.task_id).where(tasks.c.task_id.in_(ids), tasks.c.open.is_(False))
        try:
            with self._ledger.read() as connection:
                return set(connection.execute(wanted).scalars())
        except LedgerError:  # the case itself is asked too
            return set()


def _still_to_tell(notice: Notice, recipient: str, view: CaseView | None) -> bool:
    if view is None or not view.is_open:
        return False
    if view.record is None:  # nobody can read it now; the ledger had it open
        return True
    task = next((one for one in view.tasks if one.id == notice.task_id), None)
    if task is None or not task.is_open or task.state in ("created", "suspended"):
        return False
    return notice.audience == "accountable" or _still_theirs(notice, recipient, task)


def _still_theirs(notice: Notice, recipient: str, task: Task) -> bool:
    """Whether the task is still with those to whom it was when the notice was due."""
    if notice.audience == "owner":
        return task.owner == notice.owner
    if task.owner is None:
        return True
    # Who has claimed it meanwhile need not be told that it is there, but that it is late.
    return recipient == f"person:{task.owner}" and not notice.rung.startswith("assignment")


@asynccontextmanager
async def _alive() -> AsyncIterator[None]:
    """Let the engine know that this process lives, for as long as it works on something."""

    async def beat() -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(BEAT.total_seconds() / 3)

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()


def _later(why: str, pause: timedelta) -> ApplicationError:
    # Benign: it is how messages are gathered, or was told in a warning of ours already.
    return ApplicationError(why, type="not_now", next_retry_delay=pause, category=ApplicationErrorCategory.BENIGN)
