"""Erasing personal data from rows that are there: of a case, or of a person wherever they are named.

Figures stay. What is erased does not come back: its mark is kept, and whoever writes rows applies it. The marks can
be carried over to a ledger that was restored from an older copy.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, Text, cast, delete, or_, select, update

from observability.ledger.auditing import note_audit
from observability.ledger.forgetting import CLOCK_TOLD, LISTED, NAMED, Forgetting, Kind, remember_to_forget, take_over
from observability.ledger.keeping import corrections, dead_letters, evidence, forgotten, inputs
from observability.ledger.store import Ledger
from observability.ledger.tables import actions, cases, clock_entries, incidents, steps, tasks
from observability.output import opened
from workunits.core.errors import BadInput
from workunits.core.sealed import SEALED

_NAMING: tuple[tuple[Table, str], ...] = tuple(
    (table, name) for table in (steps, tasks, actions, clock_entries, incidents) for name in NAMED[table.name]
)
"""Where people are named, in tables of cases."""
_LISTING: tuple[tuple[Table, str], ...] = tuple((tasks, name) for name in LISTED["tasks"])
"""Where several of them are, in one column."""
_ERASED = "erased"


def forget(ledger: Ledger, kind: Kind, name: str, *, actor: str) -> int:
    """Erase the personal data of a case, or a person's name wherever it stands.

    Args:
        ledger: The ledger.
        kind: `case` or `subject`.
        name: The case's id, or the person's name as it stands in the ledger.
        actor: Who does it, for the audit.

    Returns:
        How many cases it was about; the mark is kept also when there is none yet.

    Raises:
        LedgerUnavailableError.
    """
    now = datetime.now(UTC)
    with ledger.write() as connection:
        forgetting = remember_to_forget(connection, kind, name, now)
        if kind == "case":
            about = _erase_cases(connection, [name], forgetting, now)
        else:
            about = _erase_people(connection, [name], forgetting)
        note_audit(connection, actor, "forget", now, kind=kind, mark=forgetting.mark(kind, name), cases=about)
    return about


def export_marks(ledger: Ledger, path: Path, *, replace: bool = False) -> int:
    """Write the marks to a file, to be kept beside backups; they name nobody.

    The key of the hash is among them, by which a name that somebody has can be looked up: only the owner reads it.

    Args:
        ledger: The ledger.
        path: The file.
        replace: Whether one that is there is replaced.

    Raises:
        OutputExistsError: it is there; nothing was written.
        OSError: the disk is full, or the folder is not there.
    """
    with ledger.read() as connection:
        rows = [dict(row) for row in connection.execute(select(forgotten)).mappings()]
    text = json.dumps([{**row, "at": row["at"].isoformat()} for row in rows], indent=1)
    with opened(path, replace=replace) as file:
        file.write(text.encode() + b"\n")
    return sum(row["kind"] != "salt" for row in rows)


def import_marks(ledger: Ledger, path: Path, *, actor: str) -> int:
    """Take marks over into a ledger that was restored from an older copy, and erase by them.

    Raises:
        BadInput: the file holds no marks.
        LedgerUnavailableError.
    """
    now = datetime.now(UTC)
    with ledger.write() as connection:
        take_over(connection, _read_marks(path))
        forgetting = Forgetting.load(connection)
        ids = connection.execute(select(cases.c.case_id).where(cases.c.forgotten_at.is_(None))).scalars()
        marked = [case for case in ids if forgetting.since("case", case)]
        people = [name for name in _people(connection) if forgetting.since("subject", name)]
        about = _erase_cases(connection, marked, forgetting, now) + _erase_people(connection, people, forgetting)
        note_audit(connection, actor, "forget", now, imported=path.name, cases=about)
    return about


def _erase_cases(connection: Connection, ids: Iterable[str], forgetting: Forgetting, now: datetime) -> int:
    about = 0
    for case in ids:
        outsiders = select(steps.c.performer).where(steps.c.case_id == case, steps.c.external).distinct()
        for name in [n for n in connection.execute(outsiders).scalars() if n]:
            _rename(connection, name, forgetting.alias(name), case)
        since = forgetting.since("case", case) or now
        blank: dict[str, Any] = {"record": None, "why": None, "cancelled_by": None, "forgotten_at": since}
        about += connection.execute(update(cases).where(cases.c.case_id == case).values(**blank)).rowcount
        told = update(clock_entries).where(clock_entries.c.case_id == case)
        connection.execute(told.values(dict.fromkeys(CLOCK_TOLD)))
        connection.execute(update(incidents).where(incidents.c.case_id == case).values(why=None))
        connection.execute(delete(inputs).where(inputs.c.case_id == case))
        connection.execute(update(evidence).where(evidence.c.case_id == case).values(source=_ERASED))
        connection.execute(update(corrections).where(corrections.c.case_id == case).values(why=_ERASED))
        connection.execute(update(dead_letters).where(dead_letters.c.case_id == case).values(payload=""))
    return about


def _erase_people(connection: Connection, names: Iterable[str], forgetting: Forgetting) -> int:
    about: set[str] = set()
    for name in names:
        for table, column in _NAMING:
            found = select(table.c.case_id).where(table.c[column] == name)
            about.update(connection.execute(found).scalars())
        about.update(case for _, case, _, people in _lists(connection) if name in people)
        asked = select(cases.c.case_id).where(or_(*_asked_by(name)))
        about.update(connection.execute(asked).scalars())
        connection.execute(update(cases).where(or_(*_asked_by(name))).values(cancelled_by=None, record=None))
        connection.execute(update(cases).where(cases.c.case_id.in_(_failed_by(name))).values(why=None))
        connection.execute(update(incidents).where(incidents.c.who == name).values(why=None))
        of_clocks = update(clock_entries).where(clock_entries.c.actor == name)
        connection.execute(of_clocks.values(dict.fromkeys(CLOCK_TOLD)))
        _rename(connection, name, forgetting.alias(name), None)
        told = update(evidence).where(evidence.c.recorded_by == name)
        connection.execute(told.values(recorded_by=forgetting.alias(name)))
        _blank_letters(connection, name)
    for case in about:
        connection.execute(update(cases).where(cases.c.case_id == case).values(record=None))
    return len(about)


def _asked_by(name: str) -> tuple[Any, ...]:
    return cases.c.cancelled_by == name, cases.c.cancelled_by.startswith(f"{name}:", autoescape=True)


def _failed_by(name: str) -> Any:
    """The cases that a person let fail: their `why` repeats that person's reason."""
    return select(incidents.c.case_id).where(incidents.c.who == name, incidents.c.state == "failed")


def _rename(connection: Connection, name: str, alias: str, case: str | None) -> None:
    for table, column in _NAMING:
        where = [table.c[column] == name, *([table.c.case_id == case] if case else [])]
        connection.execute(update(table).where(*where).values({column: alias}))
    for task, of_case, column, people in list(_lists(connection)):
        if name in people and case in (None, of_case):
            renamed = {column: [alias if one == name else one for one in people]}
            connection.execute(update(tasks).where(tasks.c.task_id == task).values(renamed))


def _lists(connection: Connection) -> Iterator[tuple[str, str, str, list[str]]]:
    """The columns that name several people, where they do: task, case, column, people."""
    for table, column in _LISTING:
        wanted = select(table.c.task_id, table.c.case_id, table.c[column]).where(cast(table.c[column], Text) != "[]")
        for task, case, people in connection.execute(wanted):
            yield task, case, column, people


def _blank_letters(connection: Connection, name: str) -> None:
    """A dead letter is a copy of what the engine listed; one that names the person, or is sealed, is emptied."""
    for row in connection.execute(select(dead_letters.c.case_id, dead_letters.c.run_id, dead_letters.c.payload)).all():
        listed = base64.b64decode(row.payload)
        if name.encode() in listed or SEALED in listed:
            mine = (dead_letters.c.case_id == row.case_id, dead_letters.c.run_id == row.run_id)
            connection.execute(update(dead_letters).where(*mine).values(payload=""))


def _people(connection: Connection) -> set[str]:
    alone = (
        name for table, column in _NAMING for name in connection.execute(select(table.c[column]).distinct()).scalars()
    )
    told = connection.execute(select(evidence.c.recorded_by).distinct()).scalars()
    asked = connection.execute(select(cases.c.cancelled_by).distinct()).scalars()
    listed = (name for *_, people in _lists(connection) for name in people)
    return {name for name in (*alone, *told, *listed, *((who or "").partition(":")[0] for who in asked)) if name}


def _read_marks(path: Path) -> list[dict[str, Any]]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(rows, list):
            raise TypeError(type(rows).__name__)
        return [
            {"mark": str(row["mark"]), "kind": str(row["kind"]), "at": datetime.fromisoformat(row["at"])}
            for row in rows
        ]
    except (ValueError, KeyError, TypeError):
        raise BadInput(f"{path} holds no marks: it should be what `workunits forget --export` wrote") from None
