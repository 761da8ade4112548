"""What operators do to a machine step that failed for good: its incident, and how the time of the step goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.observability.recount_people import Item, hold
from workunits.core.spec import OnFailure
from workunits.core.unit import WorkUnit


@dataclass
class Trouble:
    """An incident; times are microseconds since the case's start."""

    code: str
    opened: int
    attempts: int
    tries: int = 1
    state: str = "open"
    closed: int | None = None
    who: str | None = None
    why: str | None = None


def waits_for_operator(unit: type[WorkUnit], item: Item) -> bool:
    """Whether a technical failure for good keeps the case open."""
    routed = any(isinstance(rule, OnFailure) and rule.step is item.step for rule in unit.rules)
    return item.step.after == "incident" and not routed


def fail_for_good(item: Item, code: str, at: int) -> None:
    """It failed: nobody works on it until someone decides. Again, it is the same incident."""
    if item.trouble is None:
        item.trouble = Trouble(code, at, item.attempts)
    else:
        item.trouble.tries += 1
        item.trouble.code, item.trouble.attempts, item.trouble.state = code, item.attempts, "open"
    item.since = max([b for _, b in (*item.worked, *item.retried, *item.held)], default=at)
    item.state = "suspended"


def decide(item: Item, said: Mapping[str, Any], counts: int, at: int) -> None:
    """Apply an operator's decision; a retry begins when the case hears of it, whenever it was sent."""
    trouble = item.trouble
    assert trouble is not None
    trouble.who, trouble.why = said["actor"], said["body"].get("reason") or None
    if said["action"] == "retry":
        hold(item, at)
        item.state, item.tried, trouble.state = "ready", at, "retrying"
        return
    hold(item, counts)
    trouble.closed = item.done = counts
    if said["action"] == "resolve":
        trouble.state, item.ended = "resolved", "done"
        item.by, item.acting_for = said["actor"], said.get("acting_for")
    else:
        trouble.state, item.ended, item.code = "failed", "failed", trouble.code


def settle(item: Item, at: int) -> None:
    """A retry has succeeded."""
    if item.trouble is not None:
        item.trouble.state, item.trouble.closed, item.trouble.attempts = "resolved", at, item.attempts


def told(items: list[Item], closed: int) -> dict[str, dict[str, Any]]:
    """What the ledger should say of the incidents of a closed case."""
    found = {}
    for item in items:
        trouble = item.trouble
        if trouble is None:
            continue
        over = trouble.state in ("open", "retrying")
        found[item.key] = {
            "step": item.step.name,
            "code": trouble.code,
            "opened": trouble.opened,
            "closed": closed if over else trouble.closed,
            "tries": trouble.tries,
            "attempts": trouble.attempts,
            "state": "closed" if over else trouble.state,
            "who": trouble.who,
            "why": trouble.why,
        }
    return found
