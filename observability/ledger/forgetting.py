"""Whose personal data the ledger does not keep, and rows without it.

The mark of a forgotten case or person is a keyed hash: the list itself names nobody. Whoever writes rows, be it
the follower, a repair or a restore, applies it, so what was erased does not come back from the engine.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, insert, select

from observability.ledger.keeping import forgotten
from observability.ledger.rows import CaseRows, Row
from workunits.core.errors import BadInput

Kind = Literal["case", "subject"]
_SALT = "salt"
_ALIAS = "forgotten-"
NAMED: Mapping[str, tuple[str, ...]] = {
    "steps": ("performer", "acting_for"),
    "tasks": ("owner", "performer", "delegator", "person"),
    "actions": ("actor", "acting_for"),
    "clock_entries": ("actor", "acting_for"),
    "incidents": ("who",),
}
"""Where the rows of a case name people."""
LISTED: Mapping[str, tuple[str, ...]] = {"tasks": ("excluded",)}
"""Where they name several in one column."""
_TOLD = ("why", "cancelled_by")
"""Where a case's row holds what people wrote."""
CLOCK_TOLD = ("reason", "evidence")
"""Where the rows of its clocks do."""


class Forgetting:
    """The marks of all that is forgotten, read once per transaction."""

    def __init__(self, salt: bytes, marks: Mapping[str, datetime]) -> None:
        """Hold them; see `load`."""
        self._salt = salt
        self._marks = marks

    @classmethod
    def load(cls, connection: Connection) -> Forgetting:
        """Read the marks."""
        rows = connection.execute(select(forgotten.c.mark, forgotten.c.kind, forgotten.c.at)).all()
        salt = next((row.mark for row in rows if row.kind == _SALT), "")
        return cls(bytes.fromhex(salt), {row.mark: row.at for row in rows if row.kind != _SALT})

    def mark(self, kind: Kind, name: str) -> str:
        """The mark of a case's id or of a person's name."""
        return hmac.new(self._salt, f"{kind}\0{name}".encode(), hashlib.sha256).hexdigest()

    def since(self, kind: Kind, name: str) -> datetime | None:
        """Since when it is forgotten."""
        return self._marks.get(self.mark(kind, name)) if self._marks else None

    def alias(self, name: str) -> str:
        """What stands in a forgotten person's place: figures still tell people apart."""
        return f"{_ALIAS}{self.mark('subject', name)[:12]}"

    def apply(self, rows: CaseRows) -> None:
        """Take out of a case's rows what is not to be kept."""
        if not self._marks:
            return
        since = self.since("case", rows.case["case_id"])
        outsiders = {row["performer"] for row in rows.steps if row["external"]} if since else set()
        changed = [self._rename(row, NAMED[table], outsiders) for table in NAMED for row in getattr(rows, table)]
        changed += [self._relist(row, LISTED[table], outsiders) for table in LISTED for row in getattr(rows, table)]
        for row in rows.incidents:
            if since or (row["who"] or "").startswith(_ALIAS):
                row["why"] = None
                rows.case["why"] = rows.case["why"] if row["state"] != "failed" else None
        for row in rows.clock_entries:
            if since or (row["actor"] or "").startswith(_ALIAS):
                row.update(dict.fromkeys(CLOCK_TOLD))
        if since or any(changed):
            self._strip(rows.case, told=since is not None)
        if since:
            rows.case["forgotten_at"] = since

    def _rename(self, row: Row, names: Sequence[str], more: Container[str | None]) -> bool:
        changed = False
        for name in names:
            if row[name] and (row[name] in more or self.since("subject", row[name])):
                row[name], changed = self.alias(row[name]), True
        return changed

    def _relist(self, row: Row, names: Sequence[str], more: Container[str | None]) -> bool:
        changed = False
        for name in names:
            kept = [self.alias(one) if one in more or self.since("subject", one) else one for one in row[name]]
            changed |= kept != row[name]
            row[name] = kept
        return changed

    def _strip(self, case: Row, *, told: bool) -> None:
        """The record repeats what the rows say; it goes whole, since the rows hold every figure."""
        case["record"] = None
        asked_by = (case["cancelled_by"] or "").partition(":")[0]
        if told or (asked_by and self.since("subject", asked_by)):
            for name in _TOLD:
                case[name] = None


def remember_to_forget(connection: Connection, kind: Kind, name: str, now: datetime) -> Forgetting:
    """Mark a case or a person as forgotten; gives the marks as they are then."""
    there = Forgetting.load(connection)
    if not there._salt:  # noqa: SLF001 - the first mark makes the key of all
        salt = secrets.token_hex(32)
        connection.execute(insert(forgotten).values(mark=salt, kind=_SALT, at=now))
        there = Forgetting.load(connection)
    if there.since(kind, name) is None:
        values: dict[str, Any] = {"mark": there.mark(kind, name), "kind": kind, "at": now}
        connection.execute(insert(forgotten).values(**values))
    return Forgetting.load(connection)


def take_over(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add the marks of another copy of this ledger.

    Raises:
        BadInput: this ledger has marks of its own key, with which those of the file cannot be told apart.
    """
    there = {row.mark: row.kind for row in connection.execute(select(forgotten))}
    theirs = {row["mark"] for row in rows if row["kind"] == _SALT}
    ours = {mark for mark, kind in there.items() if kind == _SALT}
    if ours and ours != theirs:
        raise BadInput("the marks are of another ledger: they cannot be added to this one")
    missing = [dict(row) for row in rows if row["mark"] not in there]
    if missing:
        connection.execute(insert(forgotten), missing)
