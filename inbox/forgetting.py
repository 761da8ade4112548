"""Forgetting in the inbox's own store: by the ledger's marks, which name nobody; what is on its way is delivered first.

Of a forgotten case go the actions that have been answered, drafts, comments and the notices that were told. A forgotten
person's own words and answered actions go; where only their name stands, an alias takes its place, also in what others
did; what others wrote about them stays. The case keeps its record of who decided, for as long as the engine and the
ledger do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, and_, delete, or_, select, update

from inbox.journal import UNSETTLED
from inbox.notice_tables import notices, parcels
from inbox.noticeboard import FINAL, Noticeboard
from inbox.store import Store, actions, comments, drafts, reads, views
from observability.ledger.forgetting import Forgetting
from workunits.client import case_of

_PERSON = "person:"
_HANDING = ("assign", "delegate", "forward")
"""Actions that say to whom a task goes; in the body of others, `to` may be anything."""


def forget_in(store: Store, forgetting: Forgetting) -> int:
    """Erase what the store holds of all that is marked as forgotten; twice changes nothing.

    Args:
        store: The inbox's store; its tables are made where they are missing.
        forgetting: The ledger's marks.

    Returns:
        How many actions of the forgotten are still on their way: they stay until the next time.

    Raises:
        JournalError, JournalUnavailableError: says why.
    """
    store.open()
    Noticeboard(store).open()
    with store.write() as connection:
        left = sum(_forget_case(connection, case) for case in _marked_cases(connection, forgetting))
        for name in _marked_people(connection, forgetting):
            left += _forget_person(connection, name, forgetting.alias(name))
    store.scrub()
    return left


def _forget_case(connection: Connection, case: str) -> int:
    of_case = actions.c.case_id == case
    connection.execute(delete(actions).where(of_case, actions.c.state.not_in(UNSETTLED)))
    connection.execute(delete(comments).where(comments.c.case_id == case))
    connection.execute(delete(drafts).where(drafts.c.task_id.startswith(f"{case}/", autoescape=True)))
    _forget_told(connection, notices.c.task_id.startswith(f"{case}/", autoescape=True))
    return len(connection.execute(select(actions.c.action_id).where(of_case)).all())


def _forget_told(connection: Connection, which: Any) -> None:
    """Take out the notices that have reached everybody; the others hold no more than the name of a task."""
    open_ = select(parcels.c.notice_id).where(parcels.c.state.not_in(FINAL))
    told = select(notices.c.notice_id).where(which, notices.c.state != "new", notices.c.notice_id.not_in(open_))
    gone = connection.execute(told).scalars().all()
    connection.execute(delete(parcels).where(parcels.c.notice_id.in_(gone)))
    connection.execute(delete(notices).where(notices.c.notice_id.in_(gone)))


def _forget_person(connection: Connection, name: str, alias: str) -> int:
    theirs = or_(actions.c.actor == name, _said("acting_for") == name)
    connection.execute(delete(actions).where(theirs, actions.c.state.not_in(UNSETTLED)))
    named = _forget_named(connection, name, alias)
    for table in (drafts, views):
        connection.execute(delete(table).where(table.c.actor == name))
    for table, values in ((comments, {"text": "erased"}), (reads, {"address": ""})):
        connection.execute(update(table).where(table.c.actor == name).values(actor=alias, **values))
    told = parcels.c.recipient == f"{_PERSON}{name}", parcels.c.state.in_(FINAL)
    connection.execute(update(parcels).where(*told).values(recipient=f"{_PERSON}{alias}"))
    for row in connection.execute(select(notices.c.notice_id, notices.c.body).where(notices.c.state != "new")).all():
        _rename(connection, row.notice_id, row.body, name, alias)
    return len(connection.execute(select(actions.c.action_id).where(or_(theirs, named))).all())


def _forget_named(connection: Connection, name: str, alias: str) -> ColumnElement[bool]:
    """Put the alias into what others did with the person; gives which actions name them still, being on their way."""
    given = and_(actions.c.action.in_(_HANDING), _said("body", "to") == name)
    named = or_(_said("accountable") == name, given)
    for row in connection.execute(select(actions).where(named, actions.c.state.not_in(UNSETTLED))).all():
        # The hash stays that of what was asked: a repetition is still known as one.
        changed = _renamed(row.envelope, row.action, name, alias)
        connection.execute(update(actions).where(actions.c.action_id == row.action_id).values(envelope=changed))
    return named


def _said(*path: str) -> ColumnElement[Any]:
    """What an action says at a place of its envelope; nothing when it is not there."""
    said: ColumnElement[Any] = actions.c.envelope[path].as_string()
    return said


def _renamed(envelope: dict[str, Any], action: str, name: str, alias: str) -> dict[str, Any]:
    """An action of somebody else with the alias in the person's place."""
    changed, body = dict(envelope), envelope["body"]
    if envelope.get("accountable") == name:
        changed["accountable"] = alias
    if action in _HANDING and body.get("to") == name:
        changed["body"] = {**body, "to": alias}
    return changed


def _rename(connection: Connection, notice_id: str, body: dict[str, Any], name: str, alias: str) -> None:
    """Put the alias into a notice, except where the person is still to be told of it."""
    to = f"{_PERSON}{name}"
    waiting = parcels.c.notice_id == notice_id, parcels.c.recipient == to
    if to not in body["recipients"] and body["owner"] != name:
        return
    if connection.execute(select(parcels.c.state).where(*waiting)).first() is None:
        recipients = [f"{_PERSON}{alias}" if one == to else one for one in body["recipients"]]
        owner = alias if body["owner"] == name else body["owner"]
        changed = {**body, "recipients": recipients, "owner": owner}
        connection.execute(update(notices).where(notices.c.notice_id == notice_id).values(body=changed))


def _marked_cases(connection: Connection, forgetting: Forgetting) -> list[str]:
    found = {case_of(task) for task in _all(connection, drafts.c.task_id, notices.c.task_id)}
    found |= _all(connection, actions.c.case_id, comments.c.case_id)
    return sorted(case for case in found if forgetting.since("case", case))


def _marked_people(connection: Connection, forgetting: Forgetting) -> list[str]:
    found = _all(connection, *(table.c.actor for table in _with_actors()))
    found |= {one.removeprefix(_PERSON) for one in _all(connection, parcels.c.recipient) if one.startswith(_PERSON)}
    found |= {one for one in _all(connection, _said("acting_for"), _said("accountable")) if one}
    handed = select(_said("body", "to")).where(actions.c.action.in_(_HANDING)).distinct()
    found |= {
        one for one in connection.execute(handed).scalars() if isinstance(one, str)
    }  # before a unit has judged it
    return sorted(name for name in found if forgetting.since("subject", name))


def _with_actors() -> Iterable[Table]:
    return actions, drafts, comments, views, reads


def _all(connection: Connection, *columns: Column[str] | Any) -> set[str]:
    return {value for column in columns for value in connection.execute(select(column).distinct()).scalars()}
