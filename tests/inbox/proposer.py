"""The model of the insurer, which always says the same, and the levels that hold for it."""

from __future__ import annotations

from typing import Any

from tests.inbox.damages import Damage, Ruling
from workunits.core.proposal import Asked, Standing
from workunits.core.spec import Step
from workunits.proposing import Proposal


class Levels:
    """The level is what the case says; it is calibrated from A3 on. No step of a model alone is stopped."""

    async def of(self, step: Step[Any, Any], asked: Asked, _: str) -> Standing:
        """Of one case."""
        if step.kind == "ai":
            return Standing()
        sure = {"threshold": 0.5, "points": [(0.0, 0.0), (1.0, 0.8)], "certificate": "c-1"}
        return Standing.model_validate({"level": asked.segment, **(sure if asked.segment > "A2" else {})})


def proposal(case: Damage) -> Proposal[Ruling]:
    """What the model says: pay it."""
    return Proposal(
        Ruling(verdict="pay", amount=case.amount, note="The policy covers storms."),
        0.93,
        alternatives=(Ruling(verdict="refuse"), Ruling(verdict="pay", amount=300, note="The policy covers storms.")),
        evidence=("The storm of Sunday is on the list of the weather service.", "The policy is paid until June."),
        model="test-model",
        prompt="3",
    )
