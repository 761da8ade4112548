"""The action journal: what someone decided is written here before it is sent, and repeated until it is answered.

An action is `held` while its sender may undo it, then `sending`, then `answered` or `refused`; or `undone`. The same
id with the same content has the first answer, however often it comes, from here on and also when the case has
forgotten it.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from inbox.notes import Notes
from inbox.store import Store, actions
from workunits.client import case_of
from workunits.core.errors import Refused

State = Literal["held", "sending", "answered", "refused", "undone"]
UNSETTLED = ("held", "sending")
FRESH = timedelta(minutes=10)
"""For how long a sender's own actions are laid over a list that may not show them yet."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One action in the journal."""

    action_id: str
    task_id: str
    case_id: str
    actor: str
    action: str
    state: State
    envelope: Mapping[str, Any]
    sent_at: datetime
    held_until: datetime | None = None
    answer: Mapping[str, Any] | None = None
    """`{"task_id", "state", "revision"}`, or of a refusal `{"code", "detail", "field"}`."""
    settled_at: datetime | None = None
    attempts: int = 0

    @property
    def is_settled(self) -> bool:
        """Whether what came of it is known."""
        return self.state not in UNSETTLED


@dataclass(frozen=True, slots=True)
class Head:
    """The oldest action that is on its way to a case."""

    case_id: str
    attempts: int
    """How often it was sent, and nobody answered."""

    @property
    def again(self) -> bool:
        """Whether it was sent before."""
        return self.attempts > 0


class Journal:
    """The journal and, as `notes`, the rest of the inbox's own store."""

    def __init__(self, url: str, *, synchronous: str = "FULL") -> None:
        """Prepare; see `open`.

        Args:
            url: Of a store of its own; never the ledger's.
            synchronous: See `inbox.store.Store`.

        Raises:
            JournalError: it is no URL that can be used.
        """
        self.store = Store(url, synchronous=synchronous)
        self.notes = Notes(self.store)

    def open(self) -> None:
        """Make the tables where they are missing.

        Raises:
            JournalError, JournalUnavailableError: says why.
        """
        self.store.open()

    def close(self) -> None:
        """Let go of all connections."""
        self.store.close()

    def take(self, envelope: Mapping[str, Any], *, held_until: datetime | None = None) -> tuple[Entry, bool]:
        """Write an action before it is sent; gives the entry, and whether it is new.

        Raises:
            Refused: `action_id_reused`: the same id came before with other content.
            JournalUnavailableError: nothing was accepted.
        """
        row = {
            "action_id": envelope["action_id"],
            "seq": time.time_ns(),
            "task_id": envelope["task_id"],
            "case_id": case_of(envelope["task_id"]),
            "actor": envelope["actor"],
            "action": envelope["action"],
            "hash": fingerprint(envelope),
            "envelope": dict(envelope),
            "state": "held" if held_until else "sending",
            "sent_at": datetime.fromisoformat(envelope["sent_at"]),
            "held_until": held_until,
            "attempts": 0,
        }
        there = self.known(envelope)
        if there is not None:
            return there, False
        try:
            with self.store.write() as connection:
                connection.execute(insert(actions).values(row))
        except Exception as error:
            if not isinstance(error.__cause__, IntegrityError):
                raise
            there = self.known(envelope)  # the same action came twice at once
            if there is None:
                raise
            return there, False
        return self._entry(envelope["action_id"]), True

    def known(self, envelope: Mapping[str, Any]) -> Entry | None:
        """What the journal has of an action already.

        Raises:
            Refused: `action_id_reused`: the same id came before with other content.
            JournalUnavailableError.
        """
        with self.store.read() as connection:
            row = connection.execute(select(actions).where(actions.c.action_id == envelope["action_id"])).one_or_none()
        if row is None:
            return None
        if row.hash != fingerprint(envelope):
            raise Refused("action_id_reused", "the same action id came before with other content: use a new one")
        return _entry(row)

    def find(self, action_id: str) -> Entry | None:
        """An action by its id.

        Raises:
            JournalUnavailableError.
        """
        return next(iter(self._select(actions.c.action_id == action_id)), None)

    def undo(self, action_id: str, actor: str) -> bool:
        """Take an action back before it is sent; whether that was still possible.

        Raises:
            JournalUnavailableError.
        """
        held = (actions.c.action_id == action_id, actions.c.actor == actor, actions.c.state == "held")
        return self._change(*held, state="undone", settled_at=datetime.now(UTC)) > 0

    def release(self, now: datetime) -> int:
        """Let go what can no longer be undone; how many.

        Raises:
            JournalUnavailableError.
        """
        return self._change(actions.c.state == "held", actions.c.held_until <= now, state="sending")

    def tried(self, action_id: str) -> None:
        """Note that an action was sent, and nobody answered."""
        self._change(actions.c.action_id == action_id, attempts=actions.c.attempts + 1)

    def settle(self, action_id: str, state: Literal["answered", "refused"], answer: Mapping[str, Any]) -> Entry:
        """Note what came of an action; what came first stays.

        Raises:
            JournalUnavailableError: it will be sent again, and have the same answer.
        """
        said = {"state": state, "answer": dict(answer), "settled_at": datetime.now(UTC)}
        one = (actions.c.action_id == action_id, actions.c.state.in_(UNSETTLED))
        self._change(*one, **said, attempts=actions.c.attempts + 1)
        return self._entry(action_id)

    def sending(self, case_id: str = "", limit: int = 500) -> list[Entry]:
        """What is on its way, to one case or to all, in the order in which it came.

        Raises:
            JournalUnavailableError.
        """
        one = [actions.c.case_id == case_id] if case_id else []
        return self._select(actions.c.state == "sending", *one, limit=limit)

    def heads(self, limit: int = 5000) -> list[Head]:
        """The oldest action on its way to each case: first those never sent, then those sent least often.

        Each try takes an action further back, so all of them come within the limit sooner or later.

        Raises:
            JournalUnavailableError.
        """
        place = func.row_number().over(partition_by=actions.c.case_id, order_by=(actions.c.seq, actions.c.action_id))
        columns = actions.c.case_id, actions.c.attempts, actions.c.seq, place.label("place")
        found = select(*columns).where(actions.c.state == "sending").subquery()
        order = found.c.attempts, found.c.seq
        wanted = select(found.c.case_id, found.c.attempts).where(found.c.place == 1).order_by(*order).limit(limit)
        with self.store.read() as connection:
            return [Head(row.case_id, row.attempts) for row in connection.execute(wanted)]

    def unsettled(self, task_id: str) -> list[Entry]:
        """What is on its way to a task, or held.

        Raises:
            JournalUnavailableError.
        """
        return self._select(actions.c.task_id == task_id, actions.c.state.in_(UNSETTLED))

    def fresh(self, actor: str, now: datetime) -> list[Entry]:
        """The actions of a sender that a list may not show yet, in the order in which they came.

        Raises:
            JournalUnavailableError.
        """
        own = actions.c.actor == actor, actions.c.sent_at >= now - FRESH, actions.c.state.in_(("answered", *UNSETTLED))
        return self._select(*own)

    def answered_since(self, since: datetime) -> list[Entry]:
        """What was decided since and took effect, in the order in which it came.

        Raises:
            JournalUnavailableError.
        """
        return self._select(actions.c.state == "answered", actions.c.sent_at >= since, limit=None)

    def _entry(self, action_id: str) -> Entry:
        found = self.find(action_id)
        if found is None:
            raise LookupError(action_id)
        return found

    def _select(self, *where: ColumnElement[bool], limit: int | None = 500) -> list[Entry]:
        with self.store.read() as connection:
            return list(_entries(connection, where, limit))

    def _change(self, *where: ColumnElement[bool], **values: Any) -> int:
        with self.store.write() as connection:
            return int(connection.execute(update(actions).where(*where).values(values)).rowcount)


def fingerprint(envelope: Mapping[str, Any]) -> str:
    """A hash of what a sender asked for; what the door adds (time, roles, what was seen) may differ in a repetition."""
    asked = {name: envelope.get(name) for name in ("action", "task_id", "actor", "acting_for", "body")}
    if envelope.get("review") is not None:
        asked["review"] = envelope["review"]
    return hashlib.sha256(json.dumps(asked, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _entries(connection: Connection, where: Iterable[ColumnElement[bool]], limit: int | None) -> Iterable[Entry]:
    found = select(actions).where(*where).order_by(actions.c.seq, actions.c.action_id).limit(limit)
    return [_entry(row) for row in connection.execute(found)]


def _entry(row: Row[Any]) -> Entry:
    names = Entry.__dataclass_fields__
    return Entry(**{name: value for name, value in row._mapping.items() if name in names})  # noqa: SLF001 - its public name
