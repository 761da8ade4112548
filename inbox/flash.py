"""What was just done, at the head of the next page: its address names the action, the journal knows the rest."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import Request
from sqlalchemy import select

from inbox.case_page import did
from inbox.identity import Actor
from inbox.rendering import Clock, task_href
from inbox.security import Problem
from inbox.shapes import words
from inbox.sheet import Outcome
from inbox.store import JournalUnavailableError, Store, actions

_LONGEST_ID = 100
_TOLD_FOR = timedelta(minutes=30)
"""For how long a decision is told that was refused after its page had gone."""


@dataclass(frozen=True, slots=True)
class Flash:
    """One message."""

    kind: str
    text: str
    sign: str = ""
    did: str = ""
    """The action that has yet to be settled: what is said of it will change."""
    undo: str = ""
    """The action that can still be undone."""
    until: str = ""
    """Until when, in ISO form."""
    back: str = ""
    href: str = ""
    link: str = ""


async def flash_of(request: Request, actor: Actor, back: str, action_id: str = "") -> Flash | None:
    """Say what became of the action that the address names; nothing when it is not the actor's.

    Args:
        request: Its `did` names the action, unless it is given.
        actor: Who looks.
        back: The query of the list that they come from.
        action_id: The action.
    """
    action_id = action_id or request.query_params.get("did", "")
    if not 0 < len(action_id) <= _LONGEST_ID:
        return None
    service: Any = request.app.state.service
    try:
        outcome: Outcome = await service.outcome(actor, action_id)
    except Problem:
        return None
    return _said(outcome, actor, back)


def name_of(task_id: str) -> str:
    """A task as people call it: `RR-1 (Decide)`."""
    case, _, step = task_id.rpartition("/")
    return f"{case.partition(':')[2] or case} ({words(step)})"


def _said(outcome: Outcome, actor: Actor, back: str) -> Flash:
    name = name_of(outcome.task_id)
    what = f"you {did(outcome.action)}, {name}"
    if outcome.state == "held" and outcome.held_until:
        until = outcome.held_until.astimezone(Clock.of(actor).zone)
        text = f"Kept: {what}. It is sent at {until:%H:%M:%S}; until then you can undo it."
        return Flash("good", text, did=outcome.action_id, undo=outcome.action_id, until=until.isoformat(), back=back)
    if outcome.state == "pending":
        return Flash("", f"Saved, being delivered: {what}.", "wait", did=outcome.action_id, back=back)
    if outcome.code == "undone":
        return Flash("good", f"Undone: {name} is as it was.")
    if outcome.state == "refused":
        href = f"{task_href(outcome.task_id)}?{back}"
        return Flash("bad", f"Refused: {name}. {outcome.detail}", href=href, link="Look at it")
    return Flash("good", f"Done: {what}.")


async def refused_later(request: Request, actor: Actor, back: str) -> list[Flash]:
    """Decisions that were refused after they had been held or waited for delivery: nobody saw it happen.

    Args:
        request: Of any page.
        actor: Whose decisions.
        back: The query of the list that they come from.
    """
    store: Store = request.app.state.doors.journal.store
    try:
        found = await asyncio.to_thread(_refused, store, actor.name)
    except JournalUnavailableError:
        return []
    shown = request.query_params.get("did", "")
    return [
        Flash("bad", f"Refused: {name_of(task)}. {why}", href=f"{task_href(task)}?{back}", link="Look at it")
        for action_id, task, why in found
        if action_id != shown
    ]


def _refused(store: Store, actor: str) -> list[tuple[str, str, str]]:
    """Those on tasks of which the actor's last word was refused: the action, the task, and why."""
    since = datetime.now(UTC) - _TOLD_FOR
    own = select(actions).where(actions.c.actor == actor, actions.c.sent_at >= since).order_by(actions.c.seq)
    with store.read() as connection:
        last = {row.task_id: row for row in connection.execute(own)}
    return [
        (row.action_id, row.task_id, str((row.answer or {}).get("detail", "")))
        for row in last.values()
        if row.state == "refused" and (row.held_until is not None or row.attempts > 1)
    ]


async def flashes(request: Request, actor: Actor, back: str) -> list[Flash]:
    """All that is to be told at the head of a page."""
    said = await flash_of(request, actor, back)
    return [*([said] if said else []), *await refused_later(request, actor, back)]
