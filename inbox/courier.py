"""The courier: brings what the journal holds to its case, again and again, until it is answered."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from temporalio.service import RPCError

from inbox.journal import Entry, Head, Journal
from inbox.store import JournalUnavailableError
from inbox.turns import Turns
from workunits.client import Cases, UnknownCaseError, case_of
from workunits.core.errors import BadInput, Refused
from workunits.delivery import UndeliveredError

EVERY = 0.5
"""Seconds between looks into the journal."""
PATIENCE = 5.0
"""Seconds that one delivery waits for an answer before others have their turn."""
_FIRST_PATIENCE = 2.0
"""The same for what was never sent: a unit that answers needs far less, and one that does not has many of them."""
_AT_ONCE = 16
_PAUSE = 2.0
"""Seconds in which a store that is down is left alone."""

log = logging.getLogger("workunits.inbox")


@dataclass(frozen=True, slots=True)
class Redelivered:
    """An action that had been answered, and what the engine says of it now."""

    action_id: str
    task_id: str
    actor: str
    action: str
    outcome: Literal["known", "applied", "refused", "undelivered"]
    """`known`: the engine has it; `applied`: it had lost it, and has it again."""
    code: str = ""
    detail: str = ""


class Courier:
    """Delivers; whatever happens to it, the same action takes effect at most once."""

    def __init__(self, cases: Cases, journal: Journal) -> None:
        """Use the way to cases and a journal."""
        self._cases = cases
        self._journal = journal
        self._busy: dict[str, asyncio.Event] = {}
        """What is being delivered now, and who waits for that."""

    async def deliver(self, entry: Entry, patience: float = PATIENCE) -> Entry:
        """Send one action; gives its entry as it stands then: still `sending` when nobody answered.

        Raises:
            JournalUnavailableError: what came of it is not written; it is sent again, and has the same answer.
        """
        if (other := self._busy.get(entry.action_id)) is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(other.wait(), patience)
            return await asyncio.to_thread(self._journal.find, entry.action_id) or entry
        done = self._busy[entry.action_id] = asyncio.Event()
        try:
            async with asyncio.timeout(patience + 1):
                said = await self._send(entry, patience)
        except (UndeliveredError, RPCError, TimeoutError):
            await asyncio.to_thread(self._journal.tried, entry.action_id)
            return await asyncio.to_thread(self._journal.find, entry.action_id) or entry
        except (BadInput, Refused, UnknownCaseError) as error:
            return await asyncio.to_thread(self._journal.settle, entry.action_id, "refused", refusal(error))
        else:
            return await asyncio.to_thread(self._journal.settle, entry.action_id, "answered", said)
        finally:
            del self._busy[entry.action_id]
            done.set()

    async def deliver_forever(self, stop: asyncio.Event) -> None:
        """Deliver until told to stop; a store or an engine that is down delays it and ends nothing."""
        while not stop.is_set():
            try:
                await self._deliver_until(stop)
            except JournalUnavailableError as error:
                log.error("cannot deliver: %s; the next try is in %g s", error, _PAUSE)  # noqa: TRY400 - no traceback
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), _PAUSE)

    async def _deliver_until(self, stop: asyncio.Event) -> None:
        """Give each case that something is on its way to its turn; looks for more while others are out.

        Raises:
            JournalUnavailableError.
        """
        turns, loop = Turns(), asyncio.get_running_loop()
        out: dict[asyncio.Task[int | None], Head] = {}
        stopping = asyncio.create_task(stop.wait())
        looked, brought = -EVERY, 0
        try:
            while not stop.is_set():
                if loop.time() - looked >= EVERY:
                    looked = loop.time()
                    await asyncio.to_thread(self._journal.release, datetime.now(UTC))
                    turns.look(await asyncio.to_thread(self._journal.heads), loop.time())
                    brought = _told(brought) if turns.idle else brought
                while (head := turns.take()) is not None:
                    out[asyncio.create_task(self._bring(head, stop))] = head
                left = max(0.0, looked + EVERY - loop.time())
                done, _ = await asyncio.wait((*out, stopping), timeout=left, return_when=asyncio.FIRST_COMPLETED)
                for task in done - {stopping}:
                    settled = _came_of(task, head := out.pop(task))
                    turns.back(head, answered=settled is not None, now=loop.time())
                    brought += settled or 0
            if out:
                await asyncio.wait(out)  # each has its patience, and no more
        finally:
            for task in (*out, stopping):
                task.cancel()
            await asyncio.gather(*out, stopping, return_exceptions=True)

    async def _bring(self, head: Head, stop: asyncio.Event) -> int | None:
        """Deliver a case's actions in their order; how many, or None when one was not answered.

        Raises:
            JournalUnavailableError.
        """
        patience = PATIENCE if head.again else _FIRST_PATIENCE
        brought = 0
        while not stop.is_set():
            # Read now: since somebody looked, another inbox or the sender's own request may have delivered it.
            oldest = await asyncio.to_thread(self._journal.sending, head.case_id, 1)
            if not oldest:
                break
            if not (await self.deliver(oldest[0], patience)).is_settled:
                return None
            brought += 1
        return brought

    async def redeliver(self, since: datetime, *, patience: float = 30.0) -> list[Redelivered]:
        """Send again what was answered since then and the engine no longer knows: it was restored from an older copy.

        Doing it twice changes nothing. A task that a restored case has yet to reach is waited for.

        Args:
            since: From before the copy was made.
            patience: Seconds for each task.

        Raises:
            JournalUnavailableError.
        """
        by_case: dict[str, list[Entry]] = defaultdict(list)
        for entry in await asyncio.to_thread(self._journal.answered_since, since):
            by_case[entry.case_id].append(entry)
        turns = asyncio.Semaphore(_AT_ONCE)

        async def bring(entries: Sequence[Entry]) -> list[Redelivered]:
            async with turns:
                return [await self._bring_again(entry, patience) for entry in entries]

        brought = await asyncio.gather(*(bring(entries) for entries in by_case.values()))
        return [one for some in brought for one in some]

    async def _bring_again(self, entry: Entry, patience: float) -> Redelivered:
        what = (entry.action_id, entry.task_id, entry.actor, entry.action)
        loop = asyncio.get_running_loop()
        until = loop.time() + patience
        while True:
            try:
                view = await self._cases.show(entry.case_id)
                if view.record and any(acted.id == entry.action_id for acted in view.record.actions):
                    return Redelivered(*what, "known")
                await self._send(entry, max(0.1, until - loop.time()))
            except (UndeliveredError, RPCError, TimeoutError) as error:
                return Redelivered(*what, "undelivered", "unanswered", str(error))
            except (BadInput, Refused, UnknownCaseError) as error:
                said = refusal(error)
                if said["code"] == "unknown_task" and not isinstance(error, UnknownCaseError) and loop.time() < until:
                    await asyncio.sleep(0.1)  # the case goes through its steps again, and will ask again
                    continue
                return Redelivered(*what, "refused", said["code"], said["detail"])
            else:
                return Redelivered(*what, "applied")

    async def _send(self, entry: Entry, patience: float) -> dict[str, object]:
        envelope = dict(entry.envelope)
        if envelope["revision"] is None:  # whichever it has when it arrives
            view = await self._cases.show(case_of(entry.task_id))
            envelope["revision"] = next((task.revision for task in view.tasks if task.id == entry.task_id), 1)
        return await self._cases.send(envelope, patience=patience)


def refusal(error: BadInput | Refused | UnknownCaseError) -> dict[str, str]:
    """A refusal as the journal keeps it."""
    code = "unknown_task" if isinstance(error, UnknownCaseError) else error.code
    return {"code": code, "detail": str(error), "field": error.field if isinstance(error, BadInput) else ""}


def _came_of(task: asyncio.Task[int | None], head: Head) -> int | None:
    """What came of a case's turn; one that went wrong holds up no other case.

    Raises:
        JournalUnavailableError.
    """
    try:
        return task.result()
    except JournalUnavailableError:
        raise
    except Exception:
        log.exception("cannot deliver to %s: it is tried again", head.case_id)
        return None


def _told(brought: int) -> int:
    """Say how many were delivered, once all are; gives none, to count on from."""
    if brought:
        log.info("delivered %d action(s) that had waited", brought)
    return 0
