"""What people leave beside their decisions: drafts, comments, saved views; and who looked at what."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, func, insert, select

from inbox.store import Store, comments, drafts, reads, views
from observability.ledger.writing import upsert
from workunits.core.errors import BadInput
from workunits.core.strict_json import BODY_LIMIT

COMMENT_LIMIT = 4000
VIEWS_KEPT = 50
_NAME_LIMIT = 80
_QUERY_LIMIT = 1000
_UNSAFE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Draft:
    """What someone has typed so far, for a task."""

    body: Mapping[str, Any]
    saved_at: datetime


@dataclass(frozen=True, slots=True)
class Comment:
    """What someone said about a case, to all who may read it."""

    id: str
    case_id: str
    task_id: str | None
    at: datetime
    actor: str
    text: str


@dataclass(frozen=True, slots=True)
class Look:
    """That someone was shown a task."""

    at: datetime
    actor: str
    origin: str
    address: str
    case_id: str
    task_id: str
    revision: int
    seen: str


class Notes:
    """Drafts, comments, saved views and looks; every method raises `JournalUnavailableError` when the store is down."""

    def __init__(self, store: Store) -> None:
        """Use a store."""
        self._store = store

    # -- drafts

    def save_draft(self, actor: str, task_id: str, body: Mapping[str, Any]) -> Draft:
        """Keep what was typed so far, in place of what was kept before.

        Raises:
            BadInput: it is too large, or no JSON.
        """
        try:
            size = len(json.dumps(body, ensure_ascii=False, allow_nan=False).encode())
        except ValueError:
            raise BadInput("what JSON can hold: no NaN, no half character", field="draft", code="bad_body") from None
        if size > BODY_LIMIT:
            raise BadInput(f"{size} bytes, at most {BODY_LIMIT} are taken", field="draft", code="too_large")
        draft = Draft(dict(body), datetime.now(UTC))
        with self._store.write() as connection:
            row = {"actor": actor, "task_id": task_id, "body": draft.body, "saved_at": draft.saved_at}
            upsert(connection, drafts, [row])
        return draft

    def draft(self, actor: str, task_id: str) -> Draft | None:
        """What someone has typed so far."""
        with self._store.read() as connection:
            own = select(drafts).where(drafts.c.actor == actor, drafts.c.task_id == task_id)
            row = connection.execute(own).one_or_none()
        return Draft(row.body, row.saved_at) if row else None

    def drop_draft(self, actor: str, task_id: str) -> None:
        """Forget a draft: what it was for is done."""
        with self._store.write() as connection:
            connection.execute(delete(drafts).where(drafts.c.actor == actor, drafts.c.task_id == task_id))

    # -- comments

    def comment(self, actor: str, case_id: str, text: str, task_id: str | None = None) -> Comment:
        """Keep a comment; none is changed later.

        Raises:
            BadInput: it is empty, too long, or holds control characters.
        """
        said = text.strip().replace("\r\n", "\n")
        if not 0 < len(said) <= COMMENT_LIMIT or _UNSAFE.search(said):
            raise BadInput(f"should be 1 to {COMMENT_LIMIT} characters, without control characters", field="text")
        made = Comment(uuid.uuid4().hex, case_id, task_id, datetime.now(UTC), actor, said)
        row = {"comment_id": made.id, "case_id": case_id, "task_id": task_id}
        with self._store.write() as connection:
            connection.execute(insert(comments).values(**row, at=made.at, actor=actor, text=said))
        return made

    def comments(self, case_id: str, limit: int = 500) -> list[Comment]:
        """What was said about a case, the oldest first."""
        with self._store.read() as connection:
            newest = select(comments).where(comments.c.case_id == case_id).order_by(comments.c.at.desc()).limit(limit)
            rows = connection.execute(newest).all()
        return [Comment(r.comment_id, r.case_id, r.task_id, r.at, r.actor, r.text) for r in reversed(rows)]

    # -- saved views

    def save_view(self, actor: str, name: str, query: str) -> None:
        """Keep filters under a name, in place of what had that name.

        Raises:
            BadInput: the name or the filters are too long, or there are too many views.
        """
        name = name.strip()
        if not 0 < len(name) <= _NAME_LIMIT or not name.isprintable():
            raise BadInput(f"should be 1 to {_NAME_LIMIT} printable characters", field="name")
        if len(query) > _QUERY_LIMIT or not query.isprintable():
            raise BadInput(f"should be at most {_QUERY_LIMIT} printable characters", field="query")
        with self._store.write() as connection:
            own = select(func.count()).select_from(views).where(views.c.actor == actor, views.c.name != name)
            if (connection.scalar(own) or 0) >= VIEWS_KEPT:
                raise BadInput(f"there are {VIEWS_KEPT} views already: delete one first", field="name")
            upsert(connection, views, [{"actor": actor, "name": name, "query": query}])

    def views(self, actor: str) -> dict[str, str]:
        """Someone's saved views: filters by name."""
        with self._store.read() as connection:
            rows = connection.execute(select(views).where(views.c.actor == actor).order_by(views.c.name))
            return {row.name: row.query for row in rows}

    def drop_view(self, actor: str, name: str) -> bool:
        """Delete a saved view; whether there was one."""
        with self._store.write() as connection:
            gone = connection.execute(delete(views).where(views.c.actor == actor, views.c.name == name))
            return int(gone.rowcount) > 0

    # -- who looked at what

    def note_look(self, look: Look) -> None:
        """Keep that someone was shown a task."""
        row = {name: getattr(look, name) for name in Look.__dataclass_fields__}
        with self._store.write() as connection:
            connection.execute(insert(reads).values(read_id=uuid.uuid4().hex, **row))

    def first_looks(self, actor: str, task_ids: Collection[str]) -> dict[str, datetime]:
        """When someone was shown each of some tasks for the first time."""
        found = (
            select(reads.c.task_id, func.min(reads.c.at).label("at"))
            .where(reads.c.actor == actor, reads.c.task_id.in_(task_ids))
            .group_by(reads.c.task_id)
        )
        with self._store.read() as connection:
            return {row.task_id: row.at for row in connection.execute(found)}

    def looks(self, task_id: str, actor: str | None = None, limit: int = 500) -> list[Look]:
        """Who was shown a task, the last first."""
        found = select(reads).where(reads.c.task_id == task_id).order_by(reads.c.at.desc()).limit(limit)
        if actor is not None:
            found = found.where(reads.c.actor == actor)
        names = Look.__dataclass_fields__
        with self._store.read() as connection:
            return [Look(**{name: getattr(row, name) for name in names}) for row in connection.execute(found)]
