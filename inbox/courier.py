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

from inbox.journal import Entry, Journal
from inbox.store import JournalUnavailableError
from workunits.client import Cases, UnknownCaseError, case_of
from workunits.core.errors import BadInput, Refused
from workunits.delivery import UndeliveredError

EVERY = 0.5
"""Seconds between looks into the journal."""
PATIENCE = 5.0
"""Seconds that one delivery waits for an answer before others have their turn."""
_AT_ONCE = 16
_LONGEST_PAUSE = 2.0

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
        pause = EVERY
        while not stop.is_set():
            try:
                pause = EVERY if await self.deliver_all() == 0 else min(pause * 2, _LONGEST_PAUSE)
            except JournalUnavailableError as error:
                pause = _LONGEST_PAUSE
                log.error("cannot deliver: %s; the next try is in %g s", error, pause)  # noqa: TRY400 - no traceback
            try:
                await asyncio.wait_for(stop.wait(), pause)
            except TimeoutError:
                continue

    async def deliver_all(self) -> int:
        """Deliver all that is on its way, each case's actions in their order; how many are left.

        Raises:
            JournalUnavailableError.
        """
        await asyncio.to_thread(self._journal.release, datetime.now(UTC))
        waiting = await asyncio.to_thread(self._journal.sending)
        by_case: dict[str, list[Entry]] = defaultdict(list)
        for entry in waiting:
            by_case[entry.case_id].append(entry)
        turns = asyncio.Semaphore(_AT_ONCE)

        async def bring(entries: Sequence[Entry]) -> int:
            async with turns:
                for number, entry in enumerate(entries):
                    if not (await self.deliver(entry)).is_settled:
                        return len(entries) - number
            return 0

        left = sum(await asyncio.gather(*(bring(entries) for entries in by_case.values())))
        if waiting and not left:
            log.info("delivered %d action(s) that had waited", len(waiting))
        return left

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
