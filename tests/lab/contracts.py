"""What goes in and out of the units that only tests use."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator

from workunits.core.errors import BusinessException


class Request(BaseModel):
    """A case: `mood` tells the performers how to behave."""

    request: str
    amount: int = Field(default=1, ge=0)
    mood: str = ""
    on: date | None = None


class Facts(BaseModel):
    """What a machine step finds out."""

    risk: str
    score: float = 0.5


class Decision(BaseModel):
    """What a person answers."""

    decision: Literal["grant", "refuse"]
    reason: str = ""

    @model_validator(mode="after")
    def refusal_has_a_reason(self) -> Decision:
        """A refusal says why."""
        if self.decision == "refuse" and not self.reason:
            raise ValueError("reason: required when the decision is 'refuse'")
        return self


class Result(BaseModel):
    """What the unit delivers."""

    granted: bool
    by: list[str] = []
    overdue: bool = False


class Odd(BusinessException, code="odd"):
    """Something about the request is odd."""


class Unreadable(BusinessException, code="unreadable"):
    """The request cannot be read."""


class OfferExpired(BusinessException, code="expired"):
    """The offer is not valid any more; the word is also ours, for a task that nobody answered."""


class Evidence(BaseModel):
    """What was found."""

    found: str


class Freight(BaseModel):
    """A case that carries much."""

    request: str
    loads: int = 0
    size: int = 0
    """Letters of each load."""
    letter: str = "x"
    result: int = 0
    """Letters of the result."""
    ask: bool = False
    """Whether a person signs."""


class Load(BaseModel):
    """What is carried."""

    text: str


class Weight(BaseModel):
    """How much arrived, in bytes."""

    weight: int


class Delivered(BaseModel):
    """What the freight comes to."""

    text: str = ""


class Topic(BaseModel):
    """A case without a key of its own."""

    subject: str
    urgent: bool = False
    on: date | None = None
    share: float = 0.0


class Yes(BaseModel):
    """One kind of answer ..."""

    kind: Literal["yes"]


class No(BaseModel):
    """... and another."""

    kind: Literal["no"]


class Note(BaseModel):
    """An answer whose own check has a bug."""

    text: str = ""
    answer: Annotated[Yes | No, Field(discriminator="kind")] | None = None

    @model_validator(mode="after")
    def buggy_check(self) -> Note:
        """Fail as a bug does, and not as a check."""
        if self.text == "boom":
            raise KeyError(self.text)
        return self
