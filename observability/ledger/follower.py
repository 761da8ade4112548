"""The follower: carries every change of every case from Temporal into the ledger, and delays none of them.

It lists what changed since its watermark, with an overlap, since a listing is not in the order of changes. The
watermark moves after a whole pass, so a follower that dies at any point lists the same again and writes it again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, select, update
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError

from observability.ledger import letters
from observability.ledger.intake import Intake, Taken
from observability.ledger.keeping import followers
from observability.ledger.late_counting import count_missing
from observability.ledger.seeing import key, moment
from observability.ledger.store import Ledger, LedgerUnavailableError
from observability.ledger.tables import cases
from observability.ledger.vanishing import mark_vanished
from observability.ledger.writing import upsert
from workunits.cases import is_unknown
from workunits.codec import ring_of
from workunits.core.record import CHANGED_AT
from workunits.registry import Catalog

EVERY = 1.0
"""Seconds from the begin of one pass to that of the next; between them there is always a tenth of it."""
OVERLAP = timedelta(seconds=5)
SWEEP_EVERY = timedelta(minutes=1)
SWEEP_OVERLAP = timedelta(seconds=120)
PAGE = 1000
_LONGEST_PAUSE = 30.0
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"

log = logging.getLogger("workunits.follower")


class Follower:
    """Follows one namespace."""

    def __init__(self, client: Client, ledger: Ledger, catalog: Catalog, *, every: float = EVERY) -> None:
        """Prepare; see `run`.

        Args:
            client: Connected, with the plugin.
            ledger: Its schema is this program's.
            catalog: The units whose cases are followed, beside those that the ledger knows already.
            every: Seconds from the begin of one pass to that of the next.
        """
        self._client = client
        self._ledger = ledger
        self._intake = Intake(client, ledger, catalog)
        self._every = every
        self._listed: dict[str, object] = {}
        """What the last pass listed: the overlap lists it again, and it need not be looked up."""
        self._swept: datetime | None = None
        self._failed: dict[str, object] = {}
        """Why the last pass failed, as long as the database has not taken it."""

    async def run(self, stop: asyncio.Event) -> None:
        """Follow until told to stop; a database or an engine that is down delays it and ends nothing.

        Raises:
            SchemaError: the ledger was migrated beyond this program meanwhile.
        """
        pause = self._every
        while not stop.is_set():
            began = time.monotonic()
            try:
                taken = await self.follow()
                if taken.refused:
                    log.error("%d case(s) cannot be stored: workunits ledger letters", taken.refused)
                if pause > self._every:
                    log.info("following again, %d case(s) written", taken.written)
                pause = self._every
                wait = max(pause - (time.monotonic() - began), pause / 10)
            except (LedgerUnavailableError, RPCError) as error:
                wait = pause = min(max(pause, 0.5) * 2, _LONGEST_PAUSE)
                log.error("cannot follow: %s; the next try is in %g s, cases go on meanwhile", error, pause)  # noqa: TRY400 - no traceback
                await self._note_error(str(error))
            try:
                await asyncio.wait_for(stop.wait(), wait)
            except TimeoutError:
                continue

    async def follow(self) -> Taken:
        """Make one pass; a wide one when that is due.

        Raises:
            LedgerUnavailableError, RPCError: the pass is made again, from the same watermark.
            SchemaError: the ledger has another schema by now.
        """
        began = datetime.now(UTC)
        wide = self._swept is None or began - self._swept >= SWEEP_EVERY
        if wide:  # somebody may have migrated it meanwhile
            await asyncio.to_thread(self._ledger.check)
        mark, units = await asyncio.to_thread(self._begin, began)
        taken, newest = await self._pass(units, mark, SWEEP_OVERLAP if wide else OVERLAP)
        if wide:
            taken += await self._sweep(units)
            self._swept = began
        # Not beyond our own clock: a case's time may be ahead of it, where a test skips time.
        reached = min(newest or began, began)
        await asyncio.to_thread(self._end, max(reached, mark) if mark else reached, taken, wide=wide)
        return taken

    async def _pass(
        self, units: Sequence[str], mark: datetime | None, overlap: timedelta
    ) -> tuple[Taken, datetime | None]:
        listed: dict[str, object] = {}
        total, newest = Taken(), mark
        query = f"{_of(units)} AND ExecutionStatus != 'ContinuedAsNew'"
        if mark:
            since = (mark - overlap).strftime(_TIME)
            changed = (f"{what} >= '{since}'" for what in ("StartTime", CHANGED_AT.name, "CloseTime"))
            query += f" AND ({' OR '.join(changed)})"
        async with aclosing(self._pages(query)) as pages:
            async for page in pages:
                total += await self._intake.take(e for e in page if self._listed.get(e.id) != key(e))
                for execution in page:
                    listed[execution.id] = key(execution)
                    newest = max(newest, moment(execution)) if newest else moment(execution)
        self._listed = listed if mark else {}
        return total, newest

    async def _pages(self, query: str) -> AsyncGenerator[Sequence[WorkflowExecution], None]:
        """Go through a listing; the engine looks the next page up while one is dealt with."""
        listing = self._client.list_workflows(query, page_size=PAGE)
        coming: asyncio.Task[None] | None = asyncio.create_task(listing.fetch_next_page())
        try:
            while coming:
                await coming
                page, more = listing.current_page, listing.next_page_token
                coming = asyncio.create_task(listing.fetch_next_page()) if more else None
                if page:
                    yield page
        finally:
            if coming:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)

    async def _sweep(self, units: Sequence[str]) -> Taken:
        """Look for open rows whose case is not open in the engine, and try dead letters of other code again."""
        there: set[str] = set()
        async with aclosing(self._pages(f"{_of(units)} AND ExecutionStatus = 'Running'")) as pages:
            async for page in pages:
                there.update(execution.id for execution in page)
        found, gone = [], []
        for case in await asyncio.to_thread(self._open):
            if case in there:
                continue
            execution = await self._described(case)
            if execution is None:
                gone.append(case)
            else:
                found.append(execution)
        if gone:
            await asyncio.to_thread(self._vanish, gone)
        for case, run, payload in await asyncio.to_thread(self._letters):
            execution = await self._described(case, run) or (self._from(payload) if payload else None)
            if execution is not None:  # else: forgotten by the engine, and erased here
                found.append(execution)
        return await self._intake.take(found) if found else Taken()

    async def _described(self, case: str, run: str | None = None) -> WorkflowExecution | None:
        try:
            return await self._client.get_workflow_handle(case, run_id=run).describe()
        except RPCError as error:
            if is_unknown(error):
                return None
            raise

    def _from(self, payload: bytes) -> WorkflowExecution:
        """A case that the engine has forgotten, from the copy in its dead letter."""
        return WorkflowExecution._from_raw_info(  # noqa: SLF001 - the SDK's listing has no other way in
            letters.as_info(payload), self._client.namespace, self._client.data_converter
        )

    # -- in a thread: what talks to the database

    def _begin(self, now: datetime) -> tuple[datetime | None, list[str]]:
        if self._swept is None:
            with self._ledger.write() as connection:
                self._intake.note_definitions(connection, now)
            count_missing(self._ledger)
        with self._ledger.read() as connection:
            mark = connection.execute(select(followers.c.watermark).where(self._mine)).scalar()
            return mark, self._intake.units(connection)

    def _end(self, watermark: datetime, taken: Taken, *, wide: bool) -> None:
        now = datetime.now(UTC)
        row = {"namespace": self._client.namespace, "watermark": watermark, "passed_at": now, **self._failed}
        with self._ledger.write() as connection:
            there = connection.execute(select(followers).where(self._mine)).mappings().one_or_none()
            row["rows"] = (there["rows"] if there else 0) + taken.written
            row["swept_at"] = now if wide or there is None else there["swept_at"]
            if taken.lag is not None:
                row["lag_us"] = taken.lag // timedelta(microseconds=1)
            if there and there["watermark"] > watermark:
                row["watermark"] = there["watermark"]  # another follower is ahead
            upsert(connection, followers, [row])
        self._failed = {}

    async def _note_error(self, why: str) -> None:
        """Keep the reason beside the watermark: now, or with the next pass when the database does not take it."""
        self._failed = {"error": why.replace("\0", " ")[:1000], "error_at": datetime.now(UTC)}
        try:
            await asyncio.to_thread(self._write_error)
        except LedgerUnavailableError:
            return

    def _write_error(self) -> None:
        with self._ledger.write() as connection:
            connection.execute(update(followers).where(self._mine).values(**self._failed))

    def _open(self) -> list[str]:
        with self._ledger.read() as connection:
            return list(connection.execute(select(cases.c.case_id).where(cases.c.close.is_(None))).scalars())

    def _vanish(self, gone: Sequence[str]) -> None:
        with self._ledger.write() as connection:
            mark_vanished(connection, gone, datetime.now(UTC))

    def _letters(self) -> list[tuple[str, str, bytes]]:
        with self._ledger.read() as connection:
            return letters.due(connection, ring_of(self._client))

    @property
    def _mine(self) -> ColumnElement[bool]:
        return followers.c.namespace == self._client.namespace


def _of(units: Sequence[str]) -> str:
    return f"WorkflowType IN ({', '.join(repr(unit) for unit in units)})"
