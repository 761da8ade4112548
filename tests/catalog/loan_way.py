"""A way through a lending unit: a case, what its people do, and how it closes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from temporalio.exceptions import ApplicationError

from workunits.core.spec import Step
from workunits.core.unit import WorkUnit
from workunits.proposing import Proposal
from workunits.testing import Answer, Cancel, Canned, Proposed

HOUR, DAYS = timedelta(hours=1), timedelta(days=1)
LATE = timedelta(days=30)
"""Longer than any of the promises, whatever day it is."""
GONE = ApplicationError("the store is gone", type="store_gone", non_retryable=True)
"""A failure for good: no other attempt is made."""
NO_MODEL = ApplicationError("no model", type="ai_unavailable", non_retryable=True)
Answers = Mapping[Step[Any, Any], Canned]
CANCEL = Cancel(by="ops", reason="it came in twice")


@dataclass(frozen=True)
class Way:
    """One way through a unit."""

    unit: type[WorkUnit]
    closes: str
    case: BaseModel
    answers: Mapping[Step[Any, Any], Canned] = field(default_factory=dict)
    steps: tuple[str, ...] = ()
    """What is performed, where it is an example of the tests."""
    reason: str | None = None
    beside: tuple[type[WorkUnit], ...] = ()
    """The units that it calls; they have their real performers, too."""


def proposed(output: BaseModel, answer: BaseModel | Answer | Cancel) -> Proposed:
    """What a hybrid step's model says, and the person after it."""
    return Proposed(Proposal(output, confidence=0.9, evidence=("the first page",), model="sample", prompt="1"), answer)
