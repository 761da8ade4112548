"""The notice board: which notices there are, and to whom each was delivered; in the inbox's own store.

A notice is `new` until its workflow is started, then `begun`; `nobody` when there is no one to tell, `capped` when its
task has had its share. Each of its recipients has a parcel: `waiting`, `sending`, and then `sent`, `withdrawn` (there
was nothing to tell any more) or `failed` (the channel was dead for longer than one waits).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, delete, func, insert, literal, or_, select, text, update

from inbox.notice import REPEATING, Notice
from inbox.notice_tables import marks, metadata, notices, parcels
from inbox.store import Store
from observability.ledger.moment import Moment

ParcelState = Literal["waiting", "sending", "sent", "withdrawn", "failed"]
FINAL = ("sent", "withdrawn", "failed")
LEASE = timedelta(minutes=2)
"""For how long a message is one sender's; longer than an attempt may take."""
MOST = 100
"""Tasks in one message; what is left goes into the next."""
WORTH_TELLING = timedelta(days=7)
"""For how long what could not be delivered is told with the next message that can."""
_LOCK = 7_741_003
"""The number of PostgreSQL's advisory lock under which notifiers take turns."""
_MARK = "notices"


@dataclass(frozen=True, slots=True)
class Message:
    """What goes to one recipient in one piece."""

    reference: str
    """The same for the same notices: whoever gets it twice can tell."""
    recipient: str
    led_by: str
    notices: tuple[Notice, ...]


class Noticeboard:
    """Keeps what was told, so that nothing is told twice."""

    def __init__(self, store: Store) -> None:
        """Use the inbox's store."""
        self.store = store

    def open(self) -> None:
        """Make the tables where they are missing.

        Raises:
            JournalUnavailableError: says why.
        """
        with self.store.write() as connection:
            self._take_turns(connection)
            metadata.create_all(connection)

    # -- the notifier's side

    def mark(self) -> datetime | None:
        """How far the ledger was followed.

        Raises:
            JournalUnavailableError.
        """
        with self.store.read() as connection:
            return connection.scalar(select(marks.c.watermark).where(marks.c.name == _MARK))

    def passed(self, watermark: datetime | None, now: datetime) -> None:
        """Note the end of a pass; a mark never goes back.

        Raises:
            JournalUnavailableError.
        """
        with self.store.write() as connection:
            self._take_turns(connection)
            there = connection.scalar(select(marks.c.watermark).where(marks.c.name == _MARK))
            newest = max((one for one in (there, watermark) if one), default=None)
            _put_mark(connection, watermark=newest, passed_at=now, error=None)

    def note_error(self, why: str) -> None:
        """Keep why a pass failed.

        Raises:
            JournalUnavailableError.
        """
        with self.store.write() as connection:
            self._take_turns(connection)
            _put_mark(connection, error=why.replace("\0", " ")[:1000])

    def add(self, found: Iterable[Notice], cap: int, now: datetime) -> int:
        """Put up the notices that are not there yet; how many are to be told.

        Args:
            found: Notices, known ones among them.
            cap: How many notices of the rungs that may repeat one task has.
            now: The time.

        Raises:
            JournalUnavailableError: nothing was put up.
        """
        found = list(found)
        if {notice.id for notice in found} <= self._known(found):
            return 0
        with self.store.write() as connection:
            self._take_turns(connection)
            known = _known(connection, [notice.id for notice in found])
            told = 0
            for notice in found:
                if notice.id not in known:
                    known.add(notice.id)
                    told += _add(connection, notice, cap, now)
            return told

    def reminded(self, task_ids: Sequence[str]) -> dict[str, datetime]:
        """Until when the reminders of tasks were told under the names of before: `passed-1`, whatever clock it was.

        Raises:
            JournalUnavailableError.
        """
        found: dict[str, datetime] = {}
        old = notices.c.rung.like("passed-%"), notices.c.rung.not_like("passed-%-%")
        newest = select(notices.c.task_id, func.max(notices.c.made_at)).where(*old).group_by(notices.c.task_id)
        with self.store.read() as connection:
            for start in range(0, len(task_ids), 500):
                some = newest.where(notices.c.task_id.in_(task_ids[start : start + 500]))
                found.update((task_id, at) for task_id, at in connection.execute(some))
        return found

    def new(self, limit: int = 500) -> list[Notice]:
        """The notices whose workflow is not known to be started.

        Raises:
            JournalUnavailableError.
        """
        wanted = select(notices.c.body).where(notices.c.state == "new").order_by(notices.c.made_at).limit(limit)
        with self.store.read() as connection:
            return [_notice(body) for body in connection.execute(wanted).scalars()]

    def begun(self, ids: Sequence[str]) -> None:
        """Note that the workflows of notices are started.

        Raises:
            JournalUnavailableError: they are started again, which changes nothing.
        """
        with self.store.write() as connection:
            connection.execute(update(notices).where(notices.c.notice_id.in_(ids)).values(state="begun"))

    def prune(self, before: datetime, keep: Collection[str]) -> int:
        """Forget old notices, except those of some tasks; how many.

        Raises:
            JournalUnavailableError.
        """
        with self.store.write() as connection:
            self._take_turns(connection)
            old = select(notices.c.notice_id, notices.c.task_id).where(notices.c.made_at < before).limit(1000)
            gone = [row.notice_id for row in connection.execute(old) if row.task_id not in keep]
            connection.execute(delete(parcels).where(parcels.c.notice_id.in_(gone)))
            connection.execute(delete(notices).where(notices.c.notice_id.in_(gone)))
            return len(gone)

    # -- the sender's side

    def open_message(self, notice_id: str, recipient: str, pause: timedelta, now: datetime) -> Message | str:
        """Take all that waits for a recipient as one message; the same one again for a sender that was killed.

        Args:
            notice_id: Whose workflow sends.
            recipient: To whom.
            pause: For how long a channel that failed is left alone.
            now: The time.

        Returns:
            The message; else the state of this notice's own parcel: `sending` when another sender has it, `waiting`
            when the channel failed a moment ago.

        Raises:
            JournalUnavailableError.
        """
        with self.store.write() as connection:
            self._take_turns(connection)
            mine = parcels.c.recipient == recipient
            own = connection.execute(select(parcels).where(mine, parcels.c.notice_id == notice_id)).one_or_none()
            if own is None or own.state in FINAL:
                return own.state if own else "withdrawn"
            wanted: tuple[ColumnElement[bool], ...]
            if own.state == "sending":
                if own.led_by != notice_id and now < own.changed_at + LEASE:
                    return "sending"
                wanted = (mine, parcels.c.state == "sending", parcels.c.message == own.message)
            else:
                if _failed_just_now(connection, recipient, now - pause):
                    return "waiting"
                worth = (parcels.c.state == "failed") & (parcels.c.first_tried_at > now - WORTH_TELLING)
                wanted = (mine, or_(parcels.c.state == "waiting", worth))
            return _taken(connection, notice_id, recipient, wanted, now)

    def withdraw(self, message: Message, gone: Collection[str], now: datetime) -> None:
        """Note what there is nothing to tell of any more.

        Raises:
            JournalUnavailableError.
        """
        self._settle(message, gone, state="withdrawn", changed_at=now, error=None)

    def sent(self, message: Message, ids: Collection[str], now: datetime) -> None:
        """Note what was delivered.

        Raises:
            JournalUnavailableError: it is sent again, with the same reference.
        """
        self._settle(message, ids, state="sent", changed_at=now, error=None, attempts=parcels.c.attempts + 1)

    def undelivered(self, message: Message, why: str, patience: timedelta, now: datetime) -> str:
        """Note a failure; the state of the leading notice's parcel then: `waiting`, or `failed` after its patience.

        Raises:
            JournalUnavailableError.
        """
        ids = [notice.id for notice in message.notices]
        first = func.coalesce(parcels.c.first_tried_at, literal(now, Moment()))
        said = {"error": why[:300], "changed_at": now, "attempts": parcels.c.attempts + 1, "first_tried_at": first}
        with self.store.write() as connection:
            self._take_turns(connection)
            mine = (parcels.c.recipient == message.recipient, parcels.c.notice_id.in_(ids))
            unsettled = (*mine, parcels.c.state == "sending")
            connection.execute(update(parcels).where(*unsettled).values(**said, state="waiting"))
            late = (*mine, parcels.c.state == "waiting", parcels.c.first_tried_at <= now - patience)
            connection.execute(update(parcels).where(*late).values(state="failed"))
            own = select(parcels.c.state).where(mine[0], parcels.c.notice_id == message.led_by)
            return str(connection.scalar(own))

    def _settle(self, message: Message, ids: Collection[str], **values: Any) -> None:
        if ids:
            mine = (parcels.c.recipient == message.recipient, parcels.c.notice_id.in_(list(ids)))
            with self.store.write() as connection:
                connection.execute(update(parcels).where(*mine, parcels.c.state == "sending").values(**values))

    def _known(self, found: Sequence[Notice]) -> set[str]:
        with self.store.read() as connection:
            return _known(connection, [notice.id for notice in found])

    def _take_turns(self, connection: Connection) -> None:
        if not self.store.sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _add(connection: Connection, notice: Notice, cap: int, now: datetime) -> int:
    state = "new" if notice.recipients else "nobody"
    if notice.recipients and notice.repeats:
        like = or_(*(notices.c.rung.startswith(rung) for rung in REPEATING))
        mine = (notices.c.task_id == notice.task_id, notices.c.state.in_(("new", "begun")), like)
        if (connection.scalar(select(func.count()).select_from(notices).where(*mine)) or 0) >= cap:
            state = "capped"
    row = {"notice_id": notice.id, "task_id": notice.task_id, "rung": notice.rung, "state": state, "made_at": now}
    connection.execute(insert(notices).values(**row, body=asdict(notice)))
    if state != "new":
        return 0
    mine_now = {"notice_id": notice.id, "state": "waiting", "changed_at": now, "attempts": 0}
    connection.execute(insert(parcels), [{**mine_now, "recipient": one} for one in notice.recipients])
    return 1


def _taken(
    connection: Connection, led_by: str, recipient: str, wanted: Sequence[ColumnElement[bool]], now: datetime
) -> Message:
    those = select(parcels.c.notice_id, notices.c.body).join(notices, notices.c.notice_id == parcels.c.notice_id)
    own_first = (parcels.c.notice_id != led_by, notices.c.made_at)
    rows = connection.execute(those.where(*wanted).order_by(*own_first).limit(MOST)).all()
    ids = [row.notice_id for row in rows]
    reference = hashlib.sha256("\n".join([recipient, *sorted(ids)]).encode()).hexdigest()[:32]
    mine = (parcels.c.recipient == recipient, parcels.c.notice_id.in_(ids))
    values = {"state": "sending", "message": reference, "led_by": led_by, "changed_at": now}
    connection.execute(update(parcels).where(*mine).values(**values))
    return Message(reference, recipient, led_by, tuple(_notice(row.body) for row in rows))


def _failed_just_now(connection: Connection, recipient: str, since: datetime) -> bool:
    failed = parcels.c.state.in_(("waiting", "failed")), parcels.c.error.is_not(None), parcels.c.changed_at > since
    wanted = select(parcels.c.notice_id).where(parcels.c.recipient == recipient, *failed).limit(1)
    return connection.scalar(wanted) is not None


def _known(connection: Connection, ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(ids), 500):
        some = select(notices.c.notice_id).where(notices.c.notice_id.in_(ids[start : start + 500]))
        found.update(connection.execute(some).scalars())
    return found


def _put_mark(connection: Connection, **values: Any) -> None:
    if not connection.execute(update(marks).where(marks.c.name == _MARK).values(**values)).rowcount:
        connection.execute(insert(marks).values(name=_MARK, **values))


def _notice(body: dict[str, Any]) -> Notice:
    return Notice(**{**body, "recipients": tuple(body["recipients"])})
