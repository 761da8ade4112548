"""A model's proposal on the page of a task: what it is worth, what it rests on, and what a decision on it means."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from inbox.readable import readable
from inbox.shapes import decision_of, shape_of, words
from inbox.sheet import TaskSheet
from observability.learning.proposed import WHY, made_by
from workunits.core.proposal import AGAIN, Proposed

_SURE = 0.995
"""From here on a share would be rounded to all of them."""
_MEANS = {
    "suggest": ("A suggestion", "You decide, and it may be wrong."),
    "approve": ("For your approval", "Only what you approve is done, exactly as you approve it."),
}
_ASKED = ("Yours to decide", "The model may decide such cases by itself. This one is yours because {why}.")
_DUAL = "Two people decide on it, each by themselves: you are one of them."
_VETO = ("It counts unless someone objects", "If nobody decides otherwise, it counts as the answer")


def proposal_card(sheet: TaskSheet) -> dict[str, Any] | None:
    """What the page says of a proposal; None when there is none to be seen."""
    said = sheet.proposal
    if said is None:
        return None
    shape = shape_of(sheet.answer_schema)
    output = said["output"]
    head, means, until = _meaning(sheet)
    decision = decision_of(shape)
    others = ({name: value for name, value in one.items() if value != output.get(name)} for one in said["alternatives"])
    return {
        "hash": said["hash"],
        "item": readable(output, shape),
        "percent": _percent(said["confidence"]),
        "evidence": said["evidence"],
        "alternatives": [readable(other, shape) for other in others if other],
        "executor": made_by(said["executor"]),
        "reasons": said["reasons"],
        "again": sheet.task.id.endswith(AGAIN),
        "head": head,
        "means": means,
        "until": until,
        "decision": output.get(decision.name) if decision else None,
    }


def named(fields: list[str]) -> str:
    """Fields as the page calls them."""
    return ", ".join(words(name) for name in fields)


def _percent(calibrated: float | None) -> int | None:
    """Nothing is certain: what is nearly so is no more than 99 %."""
    return None if calibrated is None else 99 if calibrated >= _SURE else round(calibrated * 100)


def _meaning(sheet: TaskSheet) -> tuple[str, str, datetime | None]:
    """What a decision on it means, as a heading and a sentence; and when it counts by itself."""
    key = sheet.task.id.rpartition("/")[2]
    proposed = sheet.record.proposal(key) if sheet.record else None
    if proposed is None:
        return _by_level(sheet.proposal or {})
    if proposed.route == "auto":
        return (*_VETO, sheet.task.expires)
    return (*_asked(proposed), None)


def _by_level(said: Mapping[str, Any]) -> tuple[str, str, datetime | None]:
    """Where the record says nothing now."""
    return (*_MEANS["suggest" if said.get("level") == "A2" else "approve"], None)


def _asked(proposed: Proposed) -> tuple[str, str]:
    head, means = _MEANS.get(proposed.why, _ASKED)
    why = WHY.get(proposed.why, words(proposed.why).lower())
    return head, " ".join([means.format(why=why), *([_DUAL] if proposed.route == "dual_review" else [])])
