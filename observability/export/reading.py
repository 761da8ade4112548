"""Cases out of the ledger, one after the other and each once, with a page of them in memory.

A page is read from one state of the database, so a case's rows fit together; the next page goes on after the last
case's start. A case that changes meanwhile is as it was when its page was read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, func, literal_column, or_, select

from observability.learning.forecast import Forecaster
from observability.ledger.inputs import unsealed
from observability.ledger.keeping import corrections, evidence, inputs
from observability.ledger.store import Ledger
from observability.ledger.tables import (
    actions,
    cases,
    clock_entries,
    clocks,
    exceptions,
    incidents,
    proposals,
    steps,
    tasks,
)
from workunits.codec import KeyRing

Row = dict[str, Any]

PAGE = 200
"""Cases in memory at a time."""
OPEN, CLOSED = "open", "closed"
"""What `Wanted.state` may say beside the states themselves."""
IN_ORDER: Mapping[str, tuple[Table, tuple[str, ...]]] = {
    "steps": (steps, ("ready_at", "key")),
    "tasks": (tasks, ("ready_at", "task_id")),
    "exceptions": (exceptions, ("seq",)),
    "incidents": (incidents, ("opened_at", "key")),
    "clocks": (clocks, ("target",)),
    "clock_entries": (clock_entries, ("seq",)),
    "actions": (actions, ("at", "revision", "action_id")),
    "proposals": (proposals, ("at", "key")),
    "evidence": (evidence, ("recorded_at", "evidence_id")),
    "corrections": (corrections, ("recorded_at", "at", "correction_id")),
}
"""What a case consists of, and in which order it is told."""
LEFT_OUT = ("record", "record_hash", "counted")
"""Columns of a case that no export holds: the record repeats what the rows say."""
_COLUMNS = [column for column in cases.c if column.name not in LEFT_OUT]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cases are exported; what is not said excludes none."""

    unit: str | None = None
    version: str | None = None
    close: str | None = None
    """One of the six closes, as the case closed; evidence that came later does not change it."""
    state: str | None = None
    """`open`, `closed`, or a state as the ledger has it."""
    since: datetime | None = None
    """Closed at this time or later; open cases are in as well."""
    until: datetime | None = None
    """Closed before this time, or open and started before it."""


@dataclass(frozen=True, slots=True)
class CaseFile:
    """One case with the rows that it consists of."""

    case: Row
    """Its row without what `LEFT_OUT` names, `effective_close`: how it counts as of now, and `breach_probability`."""
    parts: dict[str, list[Row]] = field(default_factory=dict)
    """By table, those that were asked for; each row without the case's id."""
    input: Any = None
    """The start argument, where the unit keeps it."""

    def of_step(self, part: str) -> dict[str, list[Row]]:
        """The rows of a part by the performance that they belong to, in order."""
        found: dict[str, list[Row]] = {}
        for row in self.parts[part]:
            found.setdefault(row["key"], []).append(row)
        return found


def read(
    ledger: Ledger,
    wanted: Wanted,
    parts: Sequence[str] = tuple(IN_ORDER),
    *,
    with_input: bool = False,
    keys: KeyRing | None = None,
) -> Iterator[CaseFile]:
    """Read cases in the order of their start.

    Args:
        ledger: Its schema is this program's.
        wanted: Which cases.
        parts: Which of `IN_ORDER` to read with each; what is not read costs nothing.
        with_input: Whether to read kept inputs.
        keys: Open inputs that are sealed.

    Raises:
        LedgerError: an input is sealed, and `keys` do not open it.
        LedgerUnavailableError: also in the middle.
    """
    last: Row | None = None
    forecaster, now = Forecaster(ledger), datetime.now(UTC)
    while True:
        with ledger.read() as connection:
            query = page_query(wanted, last, sqlite=ledger.sqlite)
            page = [dict(row) for row in connection.execute(query).mappings()]
            given = _inputs(connection, page, keys) if with_input else {}
            files = (
                _files(connection, page, parts, given, _forecasts(forecaster, connection, page, now)) if page else []
            )
        yield from files
        if len(page) < PAGE:
            return
        last = page[-1]


def count(ledger: Ledger, wanted: Wanted) -> int:
    """How many cases are wanted as of now.

    Raises:
        LedgerUnavailableError: says why.
    """
    with ledger.read() as connection:
        query = select(func.count()).select_from(cases).where(*_conditions(wanted, sqlite=ledger.sqlite))
        return connection.execute(query).scalar_one()


def page_query(wanted: Wanted, last: Row | None, *, sqlite: bool) -> Select[Any]:
    """What asks for the page after a case."""
    query = select(*_COLUMNS).where(*_conditions(wanted, sqlite=sqlite))
    if last is not None:
        there, case = last["started_at"], last["case_id"]
        # The first half is implied; it is what the index on the start is found by.
        query = query.where(
            cases.c.started_at >= there,
            or_(cases.c.started_at > there, and_(cases.c.started_at == there, cases.c.case_id > case)),
        )
    return query.order_by(cases.c.started_at, cases.c.case_id).limit(PAGE)


def _conditions(wanted: Wanted, *, sqlite: bool) -> Iterator[ColumnElement[bool]]:
    def column(name: str) -> ColumnElement[Any]:
        # SQLite knows no statistics: with an index on the unit it would sort all cases of that unit for every page.
        return literal_column(f"+cases.{name}", cases.c[name].type) if sqlite else cases.c[name]

    for name in ("unit", "version", "close"):
        value = getattr(wanted, name)
        if value is not None:
            yield column(name) == value
    if wanted.state == OPEN:
        yield column("close").is_(None)
    elif wanted.state == CLOSED:
        yield column("close").is_not(None)
    elif wanted.state is not None:
        yield column("state") == wanted.state
    if wanted.since is not None:
        yield or_(column("closed_at") >= wanted.since, column("closed_at").is_(None))
    if wanted.until is not None:
        yield func.coalesce(cases.c.closed_at, cases.c.started_at) < wanted.until


def _inputs(connection: Connection, page: Sequence[Row], keys: KeyRing | None) -> Mapping[str, Any]:
    query = select(inputs).where(inputs.c.case_id.in_([row["case_id"] for row in page]))
    return {row.case_id: unsealed(keys, row.case_id, row.input) for row in connection.execute(query)}


def _files(
    connection: Connection,
    page: Sequence[Row],
    parts: Sequence[str],
    given: Mapping[str, Any],
    chances: Mapping[str, float | None],
) -> list[CaseFile]:
    ids = [row["case_id"] for row in page]
    found = {part: _by_case(connection, part, ids) for part in {*parts, "corrections"}}
    return [
        CaseFile(
            row
            | {
                "effective_close": _effective_close(row, found["corrections"].get(row["case_id"], ())),
                "breach_probability": chances.get(row["case_id"]),
            },
            {part: found[part].get(row["case_id"], []) for part in parts},
            given.get(row["case_id"]),
        )
        for row in page
    ]


def _forecasts(
    forecaster: Forecaster, connection: Connection, page: Sequence[Row], now: datetime
) -> Mapping[str, float | None]:
    """How probably each open case of a page breaks its promise; None where too little is known."""
    still_open = [row["case_id"] for row in page if row["close"] is None]
    found = forecaster.of_these(connection, still_open, now) if still_open else {}
    return {case: one.probability for case, one in found.items()}


def _by_case(connection: Connection, part: str, ids: Sequence[str]) -> dict[str, list[Row]]:
    table, order = IN_ORDER[part]
    query = select(table).where(table.c.case_id.in_(ids)).order_by(*(table.c[name] for name in order))
    found: dict[str, list[Row]] = {}
    for mapping in connection.execute(query).mappings():
        row = dict(mapping)
        found.setdefault(row.pop("case_id"), []).append(row)
    return found


def _effective_close(case: Row, corrected: Sequence[Row]) -> str | None:
    """How the case counts: as the last evidence says, else as it closed."""
    said = [case["close"], *(row["to_close"] for row in corrected if row["kind"] == "evidence")]
    last: str | None = said[-1]
    return last


def columns_of(part: str) -> list[str]:
    """The names of a part's columns, in order, without the case's id."""
    return [column.name for column in IN_ORDER[part][0].c if column.name != "case_id"]


_COMPUTED = {"close": "effective_close", "breached_at": "breach_probability"}
"""What is not a column of the ledger, by the column that it comes after."""
CASE_COLUMNS = tuple(
    chain.from_iterable(
        (column.name, _COMPUTED[column.name]) if column.name in _COMPUTED else (column.name,) for column in _COLUMNS
    )
)
"""The names of a case's columns, in order."""
