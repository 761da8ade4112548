"""What was just done, at the head of the next page: its address names the action, the journal knows the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import Request

from inbox.case_page import did
from inbox.identity import Actor
from inbox.rendering import task_href
from inbox.security import Problem
from inbox.sheet import Outcome

_LONGEST_ID = 100


@dataclass(frozen=True, slots=True)
class Flash:
    """One message."""

    kind: str
    text: str
    sign: str = ""
    undo: str = ""
    """The action that can still be undone."""
    until: str = ""
    """Until when, in ISO form."""
    back: str = ""
    href: str = ""
    link: str = ""


async def flash_of(request: Request, actor: Actor, back: str) -> Flash | None:
    """Say what became of the action that the address names; nothing when it is not the actor's.

    Args:
        request: Its `did` names the action.
        actor: Who looks.
        back: The query of the list that they come from.
    """
    action_id = request.query_params.get("did", "")
    if not 0 < len(action_id) <= _LONGEST_ID:
        return None
    service: Any = request.app.state.service
    try:
        outcome: Outcome = await service.outcome(actor, action_id)
    except Problem:
        return None
    name = outcome.task_id.partition(":")[2] or outcome.task_id
    href = f"{task_href(outcome.task_id)}?{back}"
    if outcome.code == "undone":
        return Flash("good", f"Undone: {name} is as it was.")
    if outcome.state == "held" and outcome.held_until:
        text = f"You {did(outcome.action)}: {name}."
        return Flash("good", text, undo=action_id, until=outcome.held_until.isoformat(), back=back)
    if outcome.state == "pending":
        return Flash("", f"Saved, being delivered: you {did(outcome.action)}, {name}.", "wait", href=href, link="Look")
    if outcome.state == "refused":
        return Flash("bad", f"Refused: {name}. {outcome.detail}", href=href, link="Look")
    return Flash("good", f"Done: you {did(outcome.action)}, {name}.")
