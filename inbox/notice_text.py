"""What a notice says: which tasks, why, until when, and where they open; nothing of what a case holds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from inbox.moments import exact
from inbox.notice import Notice

_URGENT = ("escalation", "deadline", "passed", "warn")
_WORDS = {
    "escalation": "It was escalated to you.",
    "deadline-accountable": "Its due time has passed, and you are accountable for it.",
    "deadline": "Its due time has passed.",
    "passed": "A reminder: it is still open after its due time.",
    "warn": "It is at risk of passing its due time.",
}
_TITLES = {"escalation": "Escalated", "deadline": "Overdue", "passed": "Overdue", "warn": "At risk"}


def compose(notices: Sequence[Notice], url: str, zone: ZoneInfo, reference: str) -> tuple[str, str]:
    """Write the message; gives its title and its text.

    Args:
        notices: At least one.
        url: Where people find the inbox; empty when that is not known.
        zone: The reader's.
        reference: Of the message.
    """
    by_task: dict[str, list[Notice]] = {}
    for notice in sorted(notices, key=_rank):
        by_task.setdefault(notice.task_id, []).append(notice)
    first = next(iter(by_task.values()))[0]
    urgent = next((word for rung, word in _TITLES.items() if first.rung.startswith(rung)), "")
    what = _name(first) if len(by_task) == 1 else f"{len(by_task)} tasks"
    title = f"{urgent}: {what}" if urgent else f"For you: {what}"
    parts = [_part(said, url, zone) for said in by_task.values()]
    return title, "\n\n".join([*parts, f"Message {reference}"])


def _part(said: Sequence[Notice], url: str, zone: ZoneInfo) -> str:
    first = said[0]
    lines = [_name(first)]
    lines += [_why(notice) for notice in said]
    if first.due:
        lines.append(f"Due {exact(datetime.fromisoformat(first.due), zone)}")
    if url:
        from inbox.rendering import task_href  # templates come with it

        lines.append(url + task_href(first.task_id))
    return "\n".join(lines)


def _why(notice: Notice) -> str:
    words = next((words for rung, words in _WORDS.items() if notice.rung.startswith(rung)), "")
    if words:
        return words
    return "It is yours." if notice.audience == "owner" else f"Whoever has the role {notice.role} may take it."


def _name(notice: Notice) -> str:
    return f"{notice.step.replace('_', ' ')}, {notice.unit.replace('_', ' ')} {notice.key}"


def _rank(notice: Notice) -> int:
    return next((place for place, rung in enumerate(_URGENT) if notice.rung.startswith(rung)), len(_URGENT))
