"""Finding a case: in the engine, which is the truth; in the ledger when the engine is down or has forgotten it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, select
from temporalio.service import RPCError

from inbox.security import Problem, not_yours
from inbox.sheet import Source
from observability.ledger.inputs import input_of
from observability.ledger.store import Ledger, LedgerError
from observability.ledger.tables import cases as case_rows
from observability.ledger.tables import tasks as task_rows
from workunits.cases import CaseView
from workunits.client import Cases, UnknownCaseError
from workunits.core.lifecycle import Task
from workunits.core.record import Record

PATIENCE = 3.0
"""Seconds for an engine that does not answer."""
_LONGEST = 400


@dataclass(frozen=True, slots=True)
class Found:
    """A case, and who says so."""

    view: CaseView
    source: Source
    engine_down: bool = False


class Lookup:
    """Finds cases."""

    def __init__(self, cases: Cases, ledger: Ledger) -> None:
        """Use the engine and the ledger."""
        self._cases = cases
        self._ledger = ledger

    async def case(self, case_id: str) -> Found:
        """Find a case.

        Raises:
            Problem: 404: there is none; 503: nobody can say.
        """
        if not 0 < len(case_id) <= _LONGEST or not case_id.isprintable():
            raise not_yours()
        try:
            async with in_time():
                return Found(await self._cases.show(case_id), "engine")
        except UnknownCaseError:
            down = False
        except (RPCError, TimeoutError):
            down = True
        try:
            view = await asyncio.to_thread(self._in_ledger, case_id)
        except LedgerError:
            if not down:
                raise not_yours() from None
            raise Problem(
                503, "engine_unavailable", "neither the engine nor the ledger answers now; try again", retry_after=5
            ) from None
        if view is None:
            raise (
                not_yours()
                if not down
                else Problem(503, "engine_unavailable", "the engine does not answer now; try again", retry_after=5)
            )
        return Found(view, "ledger", engine_down=down)

    async def start_argument(self, case_id: str) -> Any:
        """What a case was started with, from its history: that needs no worker; None when nobody can say."""
        try:
            async with in_time():
                return await input_of(self._cases.client, case_id)
        except (RPCError, TimeoutError):
            return None

    def _in_ledger(self, case_id: str) -> CaseView | None:
        with self._ledger.read() as connection:
            return _view(connection, case_id, self._cases)


@asynccontextmanager
async def in_time(patience: float | None = None) -> AsyncIterator[None]:
    """Give up on an engine that does not answer, by itself after `PATIENCE`.

    Raises:
        TimeoutError.
    """
    async with asyncio.timeout(PATIENCE if patience is None else patience):
        yield


def _view(connection: Connection, case_id: str, known: Cases) -> CaseView | None:
    row = connection.execute(select(case_rows).where(case_rows.c.case_id == case_id)).one_or_none()
    if row is None or row.unit not in known.catalog:
        return None
    try:
        record = Record.model_validate(row.record) if row.record else None
    except ValidationError:
        record = None
    is_open = row.close is None and not row.vanished
    open_tasks = select(task_rows).where(task_rows.c.case_id == case_id, task_rows.c.open)
    return CaseView(
        case=case_id,
        unit=row.unit,
        key=row.business_key,
        run=row.run_id,
        is_open=is_open,
        state=row.state,
        started=row.started_at,
        closed=row.closed_at,
        record=record,
        tasks=tuple(_task(task) for task in connection.execute(open_tasks)) if is_open else (),
    )


def _task(row: Any) -> Task:
    return Task(
        id=row.task_id,
        step=row.step,
        role=row.role,
        ready=row.ready_at,
        state=row.state,
        revision=row.revision,
        owner=row.owner,
        delegator=row.delegator,
        expires=row.expires_at,
        external=row.external,
        accountable=row.accountable or "",
        because=row.because,
        also=row.also.split("\n")[1:-1],
        people=[row.person] if row.person else [],
        excluded=row.excluded,
        level=row.level,
    )


def due_of(view: CaseView) -> datetime | None:
    """When the outcome is due."""
    return view.record.when(view.record.due) if view.record and view.record.due else None


def warned_of(view: CaseView) -> datetime | None:
    """When the case counted as at risk."""
    record = view.record
    return record.started + timedelta(microseconds=record.warned) if record and record.warned is not None else None
