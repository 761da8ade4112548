"""What goes into a supplier's invoice as a case, what comes out, and what passes between its steps."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator

Verdict = Literal["release", "return"]


class Invoice(BaseModel, frozen=True):
    """A supplier's invoice. The case."""

    invoice: Annotated[str, StringConstraints(pattern=r"^I-[0-9]{1,9}$")]
    supplier: str = Field(min_length=1, max_length=80)
    billed_cents: int = Field(gt=0, description="What the supplier asks for, in euro cents.")
    ordered_cents: int = Field(ge=0, description="What was ordered, in euro cents; 0: there is no order.")
    size: Literal["small", "large"] = Field(description="`small`: up to 2,000 euros. By it cases are segmented.")


class Match(BaseModel, frozen=True):
    """What the purchase rule says of an invoice."""

    verdict: Literal["release", "return", "ask"] = Field(description="`ask`: the rule leaves it to a person.")
    reason: str = Field(min_length=1, max_length=200)


class Coding(BaseModel, frozen=True):
    """Which cost centre pays."""

    cost_centre: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")]


class Matched(BaseModel, frozen=True):
    """What the clerk codes."""

    invoice: Invoice
    match: Match


class Question(BaseModel, frozen=True):
    """What the budget owner decides on, and what is booked."""

    invoice: Invoice
    match: Match
    coding: Coding


class Release(BaseModel, frozen=True):
    """Pay, or send back."""

    verdict: Verdict
    reason: str = Field("", max_length=200, description="Required when it is returned; the supplier reads it.")

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if self.verdict == "return" and not self.reason.strip():
            raise ValueError("a reason is required when the invoice is returned")
        return self


class Booked(BaseModel, frozen=True):
    """An entry in the books."""

    entry: str = Field(description="The entry's number.")


class Settled(BaseModel, frozen=True):
    """How the invoice ended."""

    ruled: Literal["release", "return", "ask"] = Field(description="What the purchase rule said.")
    release: Release
    booked: Booked | None = None
