"""What people do with proposals: read off their answers, and written on the record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from temporalio import workflow

from .autonomy import STOPPED
from .errors import BadInput, Refused
from .proposal import WRONG, Offered, differing, noticed, read_off

if TYPE_CHECKING:
    from pydantic import BaseModel

    from .lifecycle import Action, Task
    from .machine import Said
    from .proposal import Proposed, Seeded
    from .record import Microseconds, Record
    from .spec import Step

WITHDRAWN = "the model was stopped: decide yourself"
"""Said to whoever accepts or rejects what is shown no more."""
_MET = "what a person meets instead is a decision on the proposal"
"""Cases in which somebody met an exception before there was this keep their records."""
_PUT_RIGHT = "a decoy is noticed where it is put right"
"""Cases in which somebody noticed one before there was this, by any change, go on with what they decided."""


class Reviews:
    """Knows what the open decisions of a case were proposed to be."""

    __slots__ = ("_record", "_steps", "offers")

    def __init__(self, record: Record, steps: Mapping[str, Step[Any, Any]]) -> None:
        """Write on this record."""
        self._record, self._steps = record, steps
        self.offers: Mapping[str, Said] = {}
        """What models gave, by `<key>-ai`; of earlier runs of the case, too."""

    def judge(self, task: Task, step: Step[Any, Any], action: Action) -> None:
        """Say whether what is said about a proposal fits.

        Raises:
            Refused: `stale_proposal`: another one was shown; `stopped`: it was withdrawn.
            BadInput: there is no proposal, or the step has no such reason.
        """
        said = action.review
        if said is None:
            return
        proposed = self._record.proposal(task.id.rpartition("/")[2])
        if proposed is not None and proposed.withdrawn is not None:
            raise Refused(STOPPED, WITHDRAWN)
        if task.proposal is None or action.action != "complete":
            raise BadInput("no proposal is shown with this task, or it is not completed: leave it out", field="review")
        if said.proposal and said.proposal != task.proposal:
            raise Refused("stale_proposal", "another proposal was shown than the one that stands: look at it again")
        reasons = step.autonomy.reasons if step.autonomy else ()
        if said.reason and said.reason not in reasons:
            raise BadInput(f"should be one of {', '.join(reasons) or 'none'}", field="review.reason")

    def note(self, task: Task, action: Action, said: BaseModel, at: Microseconds) -> None:
        """Write on the record what a completed task made of its proposal."""
        found = self._on(task)
        if found is None:
            return
        proposed, expected = found
        decided = said.model_dump(mode="json")
        if proposed.seeded == "shown":
            proposed.seeded = self._noticed(proposed, expected, decided)
            if proposed.seeded == "missed":
                return
        fields = differing(expected, decided)
        material = self._is_material(proposed, fields)
        proposed.fields, proposed.material, proposed.decided = fields, material, at
        if proposed.withdrawn is not None:
            # Of two people, the first may have decided on it; what counts was decided after the stop.
            proposed.decision, proposed.reason, proposed.opened = None, "", None
            return
        if not proposed.shown or proposed.seeded == "caught":
            # Whoever saw a decoy, or nothing, came to it by themselves.
            proposed.agrees = not material
            return
        proposed.decision = read_off(fields, len(expected))
        if action.review is not None:
            proposed.reason, proposed.opened = action.review.reason, action.review.opened
            # Whoever changed nothing has not rejected it.
            if action.review.decision in ("replace", "reject") and fields:
                proposed.decision = action.review.decision

    def met(self, task: Task, at: Microseconds) -> None:
        """Write on the record that whoever was asked met a business exception: what was proposed does not stand."""
        found = self._on(task)
        if found is None or not workflow.patched(_MET):
            return
        proposed, _ = found
        if proposed.seeded == "shown":
            proposed.seeded = "caught"
        proposed.fields, proposed.material, proposed.decided = [], True, at
        proposed.decision, proposed.reason, proposed.opened = None, "", None
        if proposed.withdrawn is not None:
            return
        if not proposed.shown or proposed.seeded == "caught":
            proposed.agrees = False
        else:
            proposed.decision = "reject"

    def _on(self, task: Task) -> tuple[Proposed, dict[str, Any]] | None:
        """The proposal that the end of a task decides on, and its output; None when there is none."""
        proposed = self._record.proposal(task.id.rpartition("/")[2])
        expected = self._expected(proposed) if proposed is not None else None
        if proposed is None or expected is None:
            return None
        if task.vote is not None and proposed.route != "dual_review":
            return None  # the first person has decided on the proposal; what they decided asks for a second one
        return proposed, expected

    def _noticed(self, proposed: Proposed, expected: dict[str, Any], decided: dict[str, Any]) -> Seeded:
        """Whether the person put right what was planted in the plainly wrong proposal that was shown."""
        shown = self.offers.get(f"{proposed.key}{WRONG}")
        wrong = json.loads(shown.out) if shown is not None and shown.out is not None else decided
        now = noticed(expected, wrong, decided, self._material(proposed))
        before: Seeded = "caught" if self._is_material(proposed, differing(wrong, decided)) else "missed"
        return now if now == before or workflow.patched(_PUT_RIGHT) else before

    def _expected(self, proposed: Proposed) -> dict[str, Any] | None:
        """What was proposed, as the step's type reads it."""
        offered = self.offers.get(proposed.id)
        if offered is None or offered.out is None or not proposed.output:
            return None
        output = Offered.model_validate_json(offered.out).output
        read: BaseModel = self._steps[proposed.step].gives.model_validate(output)
        return read.model_dump(mode="json")

    def _material(self, proposed: Proposed) -> tuple[str, ...]:
        autonomy = self._steps[proposed.step].autonomy
        return autonomy.material if autonomy else ()

    def _is_material(self, proposed: Proposed, fields: list[str]) -> bool:
        material = self._material(proposed)
        return bool(fields) if not material else any(name in material for name in fields)
