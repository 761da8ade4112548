"""Dead letters: cases whose rows could not be made or stored. They hold nothing else up, and are tried again."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from inspect import getfile
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, func, select
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.client import WorkflowExecution

import workunits.cases
import workunits.core.lifecycle
import workunits.core.parts
import workunits.core.record
from observability.ledger.forgetting import Forgetting
from observability.ledger.keeping import dead_letters
from observability.ledger.seeing import is_keepable
from observability.ledger.store import Ledger
from observability.ledger.writing import upsert
from workunits.codec import KeyRing

_READS = ("ending.py", "figures.py", "intake.py", "rows.py", "seeing.py", "tables.py", "writing.py")
_READ_WITH = (workunits.cases, workunits.core.lifecycle, workunits.core.parts, workunits.core.record)
_LARGEST = 512 * 1024
_UNSAFE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Letter:
    """One case that was refused."""

    execution: WorkflowExecution
    reason: str


@cache
def code_version(keys: KeyRing | None = None) -> str:
    """Changes when the code that reads records and makes rows does, or the keys: then a letter is worth another try."""
    opens = b"".join(key.id.encode() for key in keys.keys) if keys else b""
    files = [*(Path(__file__).parent / name for name in _READS), *(Path(getfile(module)) for module in _READ_WITH)]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files) + opens).hexdigest()[:12]


def keep(
    connection: Connection,
    letters: Iterable[Letter],
    now: datetime,
    keys: KeyRing | None = None,
    forgetting: Forgetting | None = None,
) -> None:
    """Keep what was refused with these keys; counts the attempts of one that is there already.

    Of a forgotten case no copy is kept: the engine has one as long as it may.
    """
    for letter in letters:
        execution = letter.execution
        forgotten = forgetting is not None and forgetting.since("case", execution.id) is not None
        key = {"case_id": filed_as(execution.id), "run_id": execution.run_id}
        listed = execution.raw_info.SerializeToString()
        there = connection.execute(
            select(dead_letters.c.first_at, dead_letters.c.attempts).filter_by(**key)
        ).one_or_none()
        row = {
            **key,
            "unit": execution.workflow_type[:60],
            "reason": _UNSAFE.sub(" ", letter.reason)[:1000],
            "payload": base64.b64encode(listed).decode() if len(listed) <= _LARGEST and not forgotten else "",
            "code": code_version(keys),
            "first_at": there.first_at if there else now,
            "last_at": now,
            "attempts": there.attempts + 1 if there else 1,
        }
        upsert(connection, dead_letters, [row])


def filed_as(case: str) -> str:
    """The id under which a case's letter is kept: its own, or for one that cannot be kept a part of it and its hash."""
    if is_keepable(case):
        return case
    return f"{_UNSAFE.sub(' ', case[:300])}~{hashlib.sha256(case.encode()).hexdigest()[:16]}"


def settle(connection: Connection, cases: Sequence[str]) -> None:
    """Take out the letters of cases that were written."""
    if cases and count(connection):
        connection.execute(delete(dead_letters).where(dead_letters.c.case_id.in_(cases)))


def count(connection: Connection) -> int:
    """How many there are."""
    return connection.execute(select(func.count()).select_from(dead_letters)).scalar_one()


def due(connection: Connection, keys: KeyRing | None = None) -> list[tuple[str, str, bytes]]:
    """Letters that other code refused, or other keys: case, run, and what the engine listed then."""
    rows = connection.execute(select(dead_letters).where(dead_letters.c.code != code_version(keys)))
    return [(row.case_id, row.run_id, base64.b64decode(row.payload)) for row in rows]


def as_info(payload: bytes) -> WorkflowExecutionInfo:
    """What the engine listed, for a case that it has forgotten since."""
    return WorkflowExecutionInfo.FromString(payload)


def read_letters(ledger: Ledger) -> list[dict[str, Any]]:
    """All of them, without what the engine listed.

    Raises:
        LedgerUnavailableError.
    """
    shown = [column for column in dead_letters.c if column.name != "payload"]
    with ledger.read() as connection:
        return [dict(row) for row in connection.execute(select(*shown).order_by(dead_letters.c.first_at)).mappings()]
