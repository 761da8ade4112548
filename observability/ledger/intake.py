"""Taking cases into the ledger: reads what the engine lists, makes rows and writes them, one bad case at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.exc import InterfaceError, OperationalError, StatementError
from temporalio.client import Client, WorkflowExecution

from observability import case_spans
from observability.ledger import inputs, letters
from observability.ledger.forgetting import Forgetting
from observability.ledger.keeping import definitions
from observability.ledger.letters import Letter
from observability.ledger.pruning import pruned
from observability.ledger.rows import CaseRows, Definition, rows_of
from observability.ledger.seeing import LONGEST_ID, Seen, is_keepable, moment, see
from observability.ledger.store import Ledger
from observability.ledger.tables import cases
from observability.ledger.writing import add_missing, write
from workunits.cases import UnreadableError
from workunits.codec import ring_of
from workunits.core.unit import WorkUnit
from workunits.registry import Catalog, definition_hash, describe

_AT_ONCE = 20
_AT_A_TIME = 250
"""Cases in one transaction."""
_ROW_FAULTS = (StatementError, ValueError, OverflowError, TypeError, KeyError)
"""What one unfit case may raise; pydantic's and Unicode's errors are ValueErrors."""
_DATABASE_FAULTS = (OperationalError, InterfaceError)
"""What a database that is down or full raises: not the case's fault."""
_UNKEEPABLE = f"its id cannot be kept: at most {LONGEST_ID} characters, none of them NUL"


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a listing."""

    listed: int = 0
    written: int = 0
    refused: int = 0
    lag: timedelta | None = None
    """The longest time from a close to its row, among the closes that were new."""

    def __add__(self, other: Taken) -> Taken:
        """Both together."""
        lags = [lag for lag in (self.lag, other.lag) if lag is not None]
        return Taken(
            self.listed + other.listed,
            self.written + other.written,
            self.refused + other.refused,
            max(lags, default=None),
        )


class Intake:
    """Takes the cases of one namespace."""

    def __init__(self, client: Client, ledger: Ledger, catalog: Catalog) -> None:
        """Prepare.

        Args:
            client: Connected, with the plugin.
            ledger: Its schema is this program's.
            catalog: The definitions of the units.
        """
        self._client = client
        self._ledger = ledger
        self._catalog = catalog
        self._definitions = {unit.unit_name: definition_of(unit) for unit in catalog}
        self._keeping = {unit.unit_name for unit in catalog if unit.keep_inputs}

    @property
    def definitions(self) -> Mapping[str, Definition]:
        """By unit."""
        return self._definitions

    def note_definitions(self, connection: Connection, now: datetime) -> None:
        """Keep every definition that has run."""
        rows = [
            {
                "unit": unit.unit_name,
                "version": unit.version,
                "hash": definition_hash(unit),
                "definition": describe(unit),
                "first_seen_at": now,
            }
            for unit in self._catalog
        ]
        add_missing(connection, definitions, rows)

    def units(self, connection: Connection) -> list[str]:
        """The units of the catalog and those that the ledger knows from before."""
        known = connection.execute(select(definitions.c.unit).distinct()).scalars()
        return sorted({*known, *(unit.unit_name for unit in self._catalog)})

    async def take(self, listing: Iterable[WorkflowExecution], *, again: bool = False) -> Taken:
        """Write those cases of a listing that the ledger does not have as they are.

        Args:
            listing: What the engine says of cases.
            again: Also what seems to stand there already.

        Raises:
            LedgerUnavailableError: what was not written yet is written when it is listed again.
            RPCError: the engine does not answer.
        """
        listed = list(listing)
        newest: dict[str, WorkflowExecution] = {}
        for execution in listed:
            there = newest.get(execution.id)
            if there is None or execution.start_time >= there.start_time:
                newest[execution.id] = execution
        chosen = [execution for execution in newest.values() if is_keepable(execution.id)]
        refused = [Letter(execution, _UNKEEPABLE) for execution in newest.values() if not is_keepable(execution.id)]
        differing = chosen if again else await asyncio.to_thread(self._differing, chosen)
        taken = Taken(len(listed))
        # Some at a time: the rows of a whole page are many times as large as the page.
        for start in range(0, max(1, len(differing)), _AT_A_TIME):
            taken += await self._take(differing[start : start + _AT_A_TIME], refused if start == 0 else [], again=again)
        return taken

    async def _take(self, executions: Sequence[WorkflowExecution], refused: list[Letter], *, again: bool) -> Taken:
        seen: list[tuple[Seen, WorkflowExecution]] = []
        for execution in executions:
            try:
                seen.append((await see(self._client, execution), execution))
            except UnreadableError as error:
                refused.append(Letter(execution, f"its memo cannot be read: {error}"))
        given = await self._inputs([s for s, _ in seen if s.closed and s.unit in self._keeping])
        if not seen and not refused:
            return Taken()
        return await asyncio.to_thread(self._store, seen, refused, given, again=again)

    def _differing(self, executions: Sequence[WorkflowExecution]) -> list[WorkflowExecution]:
        """Those that the ledger does not have, or has otherwise."""
        if not executions:
            return []
        columns = (cases.c.case_id, cases.c.run_id, cases.c.changed_at, cases.c.close, cases.c.vanished)
        with self._ledger.read() as connection:
            rows = connection.execute(select(*columns).where(cases.c.case_id.in_([e.id for e in executions])))
            there = {
                row.case_id: (row.run_id, row.changed_at, row.close is not None) for row in rows if not row.vanished
            }
            gone = pruned(connection)
        return [
            e
            for e in executions
            if there.get(e.id) != (e.run_id, moment(e), e.close_time is not None)
            and not (e.close_time and e.workflow_type in gone and e.close_time < gone[e.workflow_type])
        ]

    async def _inputs(self, closed: Sequence[Seen]) -> Mapping[str, Any]:
        keys = ring_of(self._client)
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(seen: Seen) -> tuple[str, Any]:
            async with gate:
                given = await inputs.input_of(self._client, seen.case, seen.run)
                return seen.case, None if given is None else inputs.seal(keys, seen.case, given)

        return {case: given for case, given in await asyncio.gather(*map(one, closed)) if given is not None}

    def _store(
        self,
        seen: Sequence[tuple[Seen, WorkflowExecution]],
        refused: list[Letter],
        given: Mapping[str, Any],
        *,
        again: bool,
    ) -> Taken:
        """Write in one transaction; what cannot be made or stored becomes a dead letter."""
        now = datetime.now(UTC)
        made: list[tuple[CaseRows, Seen, WorkflowExecution]] = []
        for one, execution in seen:
            try:
                made.append((rows_of(one, now, self._definitions.get(one.unit)), one, execution))
            except _ROW_FAULTS as error:
                refused.append(Letter(execution, f"its rows cannot be made: {_said(error)}"))
        with self._ledger.write() as connection:
            forgetting = Forgetting.load(connection)
            written = self._write(connection, made, forgetting, refused, now, again=again)
            inputs.keep(connection, {case: given[case] for case in written if case in given}, forgetting)
            letters.keep(connection, refused, now, ring_of(self._client), forgetting)
            letters.settle(connection, written)
        fresh = set(written)
        case_spans.tell(s.record for _, s, _ in made if s.record and s.case in fresh)
        lags = [max(now - s.closed, timedelta(0)) for _, s, _ in made if s.closed and s.case in fresh]
        return Taken(written=len(written), refused=len(refused), lag=max(lags, default=None))

    def _write(
        self,
        connection: Connection,
        made: Sequence[tuple[CaseRows, Seen, WorkflowExecution]],
        forgetting: Forgetting,
        refused: list[Letter],
        now: datetime,
        *,
        again: bool,
    ) -> list[str]:
        """All at once; when one of them is unfit, one at a time."""
        try:
            with connection.begin_nested():
                return write(connection, [rows for rows, _, _ in made], forgetting, now, again=again)
        except _DATABASE_FAULTS:
            raise
        except _ROW_FAULTS:
            pass
        written: list[str] = []
        for rows, _, execution in made:
            try:
                with connection.begin_nested():
                    written += write(connection, [rows], forgetting, now, again=again)
            except _DATABASE_FAULTS:
                raise
            except _ROW_FAULTS as error:
                refused.append(Letter(execution, f"its rows cannot be stored: {_said(error)}"))
        return written


def definition_of(unit: type[WorkUnit]) -> Definition:
    """What a unit's definition adds to the rows of its cases."""
    return Definition(
        version=unit.version,
        hash=definition_hash(unit),
        roles={step.name: step.role for step in unit.steps if step.asks_person},
        accountable={step.name: step.accountable for step in unit.steps},
        rates=unit.learning.rates,
        targets={one.name: one.target for one in unit.promised},
    )


def _said(error: BaseException) -> str:
    """The kind of a fault and the database's own words; never the values that came with the statement."""
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {str(cause).splitlines()[0][:200] if str(cause) else ''}"
