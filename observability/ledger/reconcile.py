"""Reconciling: proves that the ledger says of every case what Temporal says, for all that Temporal still knows."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError

from observability.ledger.auditing import note_audit
from observability.ledger.ending import UNKNOWN
from observability.ledger.intake import Intake
from observability.ledger.pruning import pruned
from observability.ledger.rows import CaseRows, rows_of
from observability.ledger.seeing import is_keepable, see
from observability.ledger.store import Ledger
from observability.ledger.tables import cases, tasks
from observability.ledger.vanishing import mark_vanished
from workunits.cases import UnreadableError, is_unknown
from workunits.registry import Catalog

PAGE = 500
_SETTLE = 3.0
"""Seconds after which a difference counts: the follower may just be on its way."""
_OF_THE_LEDGER = {
    "written_at",
    "counted",
    "first_close",
    "first_closed_at",
    "forgotten_at",
    "definition",
    "cost",
    "currency",
}
"""Columns that do not follow from what the engine says."""
_ERASABLE = {"record", "why", "cancelled_by"}
_GONE = "not in the engine"
_GROWING = {"cycle_us", "lead_us"}
"""With every part of the elapsed time, these move while a case is open."""

Group = tuple[str, str, str]
"""Unit, version, and state or close."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One case of which the two do not say the same."""

    case: str
    what: str
    """`missing`, `differs`, `unreadable` or `not in the engine`."""
    columns: tuple[str, ...] = ()


@dataclass
class Reconciliation:
    """What came of it."""

    engine: Counter[Group] = field(default_factory=Counter)
    ledger: Counter[Group] = field(default_factory=Counter)
    """Of the same cases."""
    differences: list[Difference] = field(default_factory=list)
    outlived: int = 0
    """Closed cases that the engine has forgotten and the ledger keeps."""
    repaired: int = 0
    """Cases written again, or ended as vanished."""
    tried: bool = False
    """A repair was asked for: what it left cannot be written."""


class Reconciler:
    """Compares one namespace with the ledger."""

    def __init__(self, client: Client, ledger: Ledger, catalog: Catalog) -> None:
        """Prepare; see `reconcile`."""
        self._client = client
        self._ledger = ledger
        self._intake = Intake(client, ledger, catalog)

    async def reconcile(
        self, *, repair: bool = False, settle: float = _SETTLE, actor: str = "reconcile"
    ) -> Reconciliation:
        """Compare every case.

        Args:
            repair: Write again what differs.
            settle: Seconds after which a difference is looked at once more.
            actor: Who asks for a repair, for the audit.

        Raises:
            LedgerUnavailableError, RPCError.
        """
        found = Reconciliation()
        units, gone = await asyncio.to_thread(self._units)
        names = ", ".join(f"'{unit}'" for unit in units)
        listing = self._client.list_workflows(
            f"WorkflowType IN ({names}) AND ExecutionStatus != 'ContinuedAsNew'", page_size=PAGE
        )
        doubtful: dict[str, WorkflowExecution] = {}
        latest: dict[str, datetime] = {}
        while True:
            await listing.fetch_next_page()
            page = _latest(_kept(listing.current_page or (), gone), latest)
            doubtful |= await self._compare(page, found)
            if not listing.next_page_token:
                break
        if doubtful:
            await asyncio.sleep(settle)
            await self._look_again(list(doubtful), found)
        await self._extra(latest, found)
        if repair and found.differences:
            found.repaired, found.tried = await self._repair(found.differences, actor), True
        return found

    async def _compare(self, page: Sequence[WorkflowExecution], found: Reconciliation) -> dict[str, WorkflowExecution]:
        """Count a page, and give those cases that differ."""
        rows, unreadable = await self._rows(page)
        there = await asyncio.to_thread(self._there, [execution.id for execution in page])
        for case in page:
            if case.id in rows:
                made = rows[case.id].case
                found.engine[made["unit"], made["version"], made["state"]] += 1
            if case.id in there:
                row = there[case.id]
                found.ledger[row["unit"], row["version"], row["state"]] += 1
        differing = {case for case, made in rows.items() if _differences(made, there.get(case)) is not None}
        return {execution.id: execution for execution in page if execution.id in differing | unreadable}

    async def _look_again(self, doubtful: Sequence[str], found: Reconciliation) -> None:
        """What still differs when the follower has had its time is a difference."""
        for start in range(0, len(doubtful), PAGE):
            executions = [e for e in [await self._described(c) for c in doubtful[start : start + PAGE]] if e]
            rows, unreadable = await self._rows(executions)
            there = await asyncio.to_thread(self._there, list(rows))
            found.differences += [Difference(case, "unreadable") for case in sorted(unreadable)]
            for case, made in rows.items():
                columns = _differences(made, there.get(case))
                if columns is not None:
                    found.differences.append(Difference(case, "differs" if case in there else "missing", columns))

    async def _rows(self, page: Sequence[WorkflowExecution]) -> tuple[dict[str, CaseRows], set[str]]:
        now = datetime.now(UTC)
        rows, unreadable = {}, {execution.id for execution in page if not is_keepable(execution.id)}
        for execution in page:
            if execution.id in unreadable:
                continue
            try:
                seen = await see(self._client, execution)
                rows[seen.case] = rows_of(seen, now, self._intake.definitions.get(seen.unit))
            except (UnreadableError, ValueError, TypeError, KeyError, OverflowError):
                unreadable.add(execution.id)
        return rows, unreadable

    async def _extra(self, known: Mapping[str, object], found: Reconciliation) -> None:
        """Rows of which the engine says nothing: closed ones have outlived it, open ones are a difference."""
        for case, is_open in await asyncio.to_thread(self._all):
            if case in known:
                continue
            if not is_open:
                found.outlived += 1
            elif await self._described(case) is None:
                found.differences.append(Difference(case, _GONE))

    async def _repair(self, differences: Sequence[Difference], actor: str) -> int:
        described = {one.case: await self._described(one.case) for one in differences}
        gone = [one.case for one in differences if one.what == _GONE and described[one.case] is None]
        await asyncio.to_thread(self._vanish, gone)
        taken = await self._intake.take([execution for execution in described.values() if execution], again=True)
        await asyncio.to_thread(self._note_repair, actor, len(differences), taken.written + len(gone))
        return taken.written + len(gone)

    async def _described(self, case: str) -> WorkflowExecution | None:
        try:
            return await self._client.get_workflow_handle(case).describe()
        except RPCError as error:
            if is_unknown(error):
                return None
            raise

    # -- in a thread: what talks to the database

    def _units(self) -> tuple[list[str], Mapping[str, datetime]]:
        with self._ledger.read() as connection:
            return self._intake.units(connection), pruned(connection)

    def _there(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        ids = [case for case in ids if is_keepable(case)]
        with self._ledger.read() as connection:
            rows = connection.execute(select(cases).where(cases.c.case_id.in_(ids))).mappings()
            there = {row["case_id"]: dict(row) for row in rows}
            open_tasks = select(tasks.c.case_id, tasks.c.task_id, tasks.c.state, tasks.c.revision, tasks.c.owner)
            for row in connection.execute(open_tasks.where(tasks.c.case_id.in_(ids), tasks.c.open)):
                there[row.case_id].setdefault("open_tasks", set()).add((row.task_id, row.state, row.revision))
        return there

    def _vanish(self, gone: Sequence[str]) -> None:
        with self._ledger.write() as connection:
            mark_vanished(connection, gone, datetime.now(UTC))

    def _note_repair(self, actor: str, differences: int, repaired: int) -> None:
        with self._ledger.write() as connection:
            note_audit(connection, actor, "repair", datetime.now(UTC), differences=differences, cases=repaired)

    def _all(self) -> list[tuple[str, bool]]:
        with self._ledger.read() as connection:
            rows = connection.execute(select(cases.c.case_id, cases.c.close))
            return [(row.case_id, row.close is None) for row in rows]


def _kept(page: Iterable[WorkflowExecution], gone: Mapping[str, datetime]) -> Iterable[WorkflowExecution]:
    """Without those that were pruned from the ledger while the engine still has them."""
    for execution in page:
        before = gone.get(execution.workflow_type)
        if before is None or execution.close_time is None or execution.close_time >= before:
            yield execution


def _latest(page: Iterable[WorkflowExecution], latest: dict[str, datetime]) -> list[WorkflowExecution]:
    """The executions of a page that are the newest run of their case so far; newest come first in a listing."""
    chosen = []
    for execution in page:
        there = latest.get(execution.id)
        if there is None or execution.start_time > there:
            latest[execution.id] = execution.start_time
            chosen.append(execution)
    return chosen


def _differences(made: CaseRows, there: Mapping[str, Any] | None) -> tuple[str, ...] | None:
    """The columns in which a row is not what it should be; None when it is."""
    if there is None:
        return ()
    ignored = set(_OF_THE_LEDGER) | (_ERASABLE if there["forgotten_at"] or there["record"] is None else set())
    if made.case["close"] is None:
        ignored |= _GROWING | {name for name in made.case if name.endswith("_us")}
    wrong = [
        name
        for name, value in made.case.items()
        if name not in ignored and there[name] != value and not (name == "version" and value == UNKNOWN)
    ]
    open_tasks = {(row["task_id"], row["state"], row["revision"]) for row in made.tasks if row["open"]}
    if open_tasks != there.get("open_tasks", set()):
        wrong.append("tasks")
    return tuple(wrong) or None
