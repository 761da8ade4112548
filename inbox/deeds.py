"""What the small forms of a task's page say, as the bodies of their actions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from inbox.moments import TIME_TWICE, from_local
from workunits.core.errors import BadInput
from workunits.core.lifecycle import MOVES

_NEEDS = {
    "delegate": ("to",),
    "assign": ("to",),
    "forward": ("reason",),
    "escalate": ("reason",),
    "skip": ("reason",),
    "suspend": ("reason",),
    "cancel": ("reason",),
    "wait": ("reason",),
    "fail": ("code",),
}
_LABELS = {"to": "To whom", "reason": "Why", "code": "Which"}


def body_of(action: str, form: Mapping[str, Any], zone: str) -> dict[str, Any]:
    """Read the body of an action; what was left empty is left out.

    Raises:
        BadInput: something is missing, or is no time.
    """
    takes = MOVES[action].takes if action in MOVES else None
    names = takes.model_fields if takes else {}
    body: dict[str, Any] = {name: str(form.get(name, "")).strip() for name in names}
    body = {name: value for name, value in body.items() if value}
    for name in _NEEDS.get(action, ()):
        if name not in body:
            raise BadInput(f"{_LABELS[name]}: fill this in", field=name)
    if action == "forward" and ("to" in body) == ("role" in body):
        raise BadInput("To whom: name a person or a role, and not both", field="to")
    if "until" in body:
        until = from_local(body["until"], ZoneInfo(zone))
        if until is None:
            raise BadInput(TIME_TWICE, field="until")
        body["until"] = until.isoformat()
    return body
