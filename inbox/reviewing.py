"""What people say about a proposal beside their answer: in the body of a request, and on the form of a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from inbox.answering import DECIDE, Answer
from inbox.proposal_view import named
from inbox.sheet import TaskSheet
from workunits.client import case_of
from workunits.core.proposal import Review
from workunits.core.spec import Step
from workunits.core.strict_json import read_part
from workunits.registry import Catalog

REVIEW = "review"
"""The member of an answer that is none of its fields."""
ONE_BY_ONE = "a model proposes there: each is decided by itself"
"""Why a task is left out where several are answered alike."""
_OPENED = "js"
"""How a browser begins to say what was opened: without a script nobody knows."""


def takes_review(gives: type[BaseModel]) -> bool:
    """Whether a review stands beside the fields of an answer; one that has such a field itself goes without."""
    return REVIEW not in gives.model_fields


def apart(catalog: Catalog, task_id: str, action: str, body: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """Take the review out of the body of a `complete`: the answer, and the review or None.

    Args:
        catalog: Has the unit.
        task_id: Says the step, so that this is known also when nobody answers for the case.
        action: What is done.
        body: As it came.
    """
    step = _step(catalog, task_id)
    if action != "complete" or step is None or step.kind != "hybrid" or not takes_review(step.gives):
        return dict(body), None
    return {name: value for name, value in body.items() if name != REVIEW}, body.get(REVIEW)


def review_of(said: Any) -> dict[str, Any] | None:
    """A review as it travels.

    Raises:
        BadInput: names the field, which begins with `review`.
    """
    return None if said is None else read_part(Review, said, REVIEW).model_dump(mode="json")


def verdict_of(what: str) -> tuple[str, str]:
    """A pressed button as what is done with the answer, and what is said of a proposal: `accept`, `reject` or nothing.

    `accept:pay` and `reject:refuse` name the decision, too, where that stands on buttons.
    """
    verdict, _, option = what.partition(":")
    if verdict not in ("accept", "reject"):
        return what, ""
    return f"{DECIDE}{option}" if option else "complete", verdict


def trouble(sheet: TaskSheet, answer: Answer, form: Mapping[str, Any], verdict: str) -> dict[str, str]:
    """What keeps a decision on a proposal from being sent as what it is called, by its field; nothing when it fits."""
    if sheet.proposal is None:
        return {}
    if verdict == "accept" and answer.changes:
        return {
            "review": f"You have changed {named(answer.changes)}: send it with your changes, or put the proposal back."
        }
    if verdict == "reject" and not answer.changes:
        return {"review": "The answer is still as it was proposed: change it to what you decide instead."}
    if verdict == "reject" and sheet.proposal["reasons"] and not form.get("review_reason"):
        return {"review": "Say why you reject the proposal: choose one of the reasons."}
    return {}


def review_in(form: Mapping[str, Any], sheet: TaskSheet, verdict: str) -> dict[str, Any] | None:
    """What the form says about the proposal that was on its page; None when there was none."""
    shown = str(form.get("proposal", ""))
    if not shown:
        return None
    pieces = len(sheet.proposal["evidence"]) if sheet.proposal else 0
    return {
        "proposal": shown,
        "decision": verdict or None,
        "reason": str(form.get("review_reason", "")) if verdict != "accept" else "",
        "opened": opened_in(form, pieces) if sheet.proposal else None,
    }


def is_other(form: Mapping[str, Any], sheet: TaskSheet) -> bool:
    """Whether another proposal stands now than the one that was on the page."""
    shown = str(form.get("proposal", ""))
    return sheet.proposal is not None and shown != "" and shown != sheet.proposal["hash"]


def is_unsaid(form: Mapping[str, Any], sheet: TaskSheet, verdict: str) -> bool:
    """Whether something is said of a proposal that nobody can tell now: an unchanged answer is no rejection of it."""
    return verdict != "" and form.get("proposal", "") != "" and sheet.proposal is None


def opened_in(form: Mapping[str, Any], pieces: int) -> int | None:
    """How many pieces of evidence were looked at; None where the browser could not say."""
    marked, *which = str(form.get("opened", "")).split() or [""]
    if marked != _OPENED:
        return None
    return pieces if "evidence" in which else 0


def _step(catalog: Catalog, task_id: str) -> Step[Any, Any] | None:
    unit, key = case_of(task_id).partition(":")[0], task_id.rpartition("/")[2]
    if unit not in catalog:
        return None
    # Behind the step's name stands which performance of it: `decide-2`, `decide-v1`.
    return next((step for step in catalog.get(unit).steps if step.name == key.partition("-")[0]), None)
