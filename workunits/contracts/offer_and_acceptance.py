"""What goes into an offer and its acceptance, what comes out, and what passes between its steps."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator

from workunits.contracts.lending import (
    LARGEST,
    LEAST,
    Address,
    ApplicationNumber,
    Cents,
    Letter,
    Name,
    Reason,
    Sent,
    Terms,
)
from workunits.core.errors import BusinessException
from workunits.core.personal import PERSONAL

OfferNumber = Annotated[str, StringConstraints(pattern=r"^O-[0-9]{1,12}$")]


class Approval(BaseModel, frozen=True):
    """A loan is approved; the applicant is to get an offer. The case."""

    application: ApplicationNumber
    full_name: Annotated[Name, PERSONAL]
    email: Annotated[Address, PERSONAL]
    terms: Terms
    most: int = Field(ge=LEAST, le=LARGEST, description="The largest amount that the approval covers, in whole euros.")
    approved_on: date
    valid_days: int = Field(30, ge=1, le=90, description="How long an offer binds the bank.")

    def confirmed(self, offer: Offer) -> Letter:
        """The letter that follows an acceptance."""
        says = f"Thank you for accepting our offer {offer.offer}. You will receive the contract for your signature."
        return self._letter("contract", says)

    def closed(self, offer: Offer) -> Letter:
        """The letter that follows a withdrawal."""
        return self._letter("withdrawn", f"Our offer {offer.offer} no longer stands. You are welcome to apply again.")

    def _letter(self, about: Literal["contract", "withdrawn"], says: str) -> Letter:
        return Letter(application=self.application, full_name=self.full_name, email=self.email, about=about, says=says)


class Instalment(BaseModel, frozen=True):
    """One month of the schedule, in cents."""

    month: int = Field(ge=1)
    interest: Cents
    principal: Cents
    left: Cents = Field(description="What is owed afterwards.")


class Wish(BaseModel, frozen=True):
    """What an offer is drawn up for."""

    application: ApplicationNumber
    terms: Terms
    from_day: date = Field(description="Day on which it is drawn up.")
    valid_days: int = Field(ge=1, le=90)

    @classmethod
    def first(cls, case: Approval) -> Self:
        """The offer of what was approved."""
        return cls(
            application=case.application, terms=case.terms, from_day=case.approved_on, valid_days=case.valid_days
        )

    @classmethod
    def changed(cls, case: Approval, offer: Offer, answer: Answer) -> Self:
        """Another amount or term, as the applicant wishes, within what was approved."""
        terms = offer.terms.changed(min(answer.amount or offer.terms.amount, case.most), answer.term_months)
        day = answer.answered_on or case.approved_on
        return cls(application=case.application, terms=terms, from_day=day, valid_days=case.valid_days)


class Offer(BaseModel, frozen=True):
    """An offer that binds the bank until a day."""

    offer: OfferNumber
    application: ApplicationNumber
    terms: Terms
    instalment: Cents = Field(description="A month, in cents; the last one may differ by the rounding.")
    total: Cents = Field(description="All instalments together, in cents.")
    apr: float = Field(ge=0, le=1, description="Annual percentage rate of charge, fee included, as a fraction.")
    schedule: tuple[Instalment, ...] = Field(max_length=120)
    valid_until: date = Field(description="The last day on which it can be accepted.")


class Mailing(BaseModel, frozen=True):
    """An offer that is to be sent."""

    full_name: Name
    email: Address
    offer: Offer


class Answer(BaseModel, frozen=True):
    """What the applicant says to an offer."""

    verdict: Literal["accept", "decline", "change", "unreachable"] = Field(
        description="`change`: another amount or term within the approval. `unreachable`: an adviser called in vain."
    )
    answered_on: date | None = Field(None, description="Day of the answer; the offer's validity is judged on it.")
    amount: int | None = Field(None, ge=LEAST, le=LARGEST, description="For a change: in whole euros.")
    term_months: int | None = Field(None, ge=6, le=120, description="For a change.")
    reason: str = Field("", max_length=1000)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.verdict in ("accept", "change") and self.answered_on is None:
            raise ValueError("an acceptance, or a wish for a change, has a day")
        if self.verdict == "change" and self.amount is None and self.term_months is None:
            raise ValueError("a change names an amount or a term")
        return self


class Acceptance(BaseModel, frozen=True):
    """An acceptance that is to be checked against the offer."""

    offer: Offer
    answer: Answer


class Binding(BaseModel, frozen=True):
    """An offer that was accepted in time: both sides are bound."""

    offer: OfferNumber
    accepted_on: date


class Withdrawn(BaseModel, frozen=True):
    """An offer that no longer binds the bank."""

    offer: OfferNumber
    reason: Reason


class Result(BaseModel, frozen=True):
    """How the offer ended. An accepted one is what the contract is made from."""

    verdict: Literal["accepted", "declined", "lapsed"] = Field(description="`lapsed`: nobody could be reached.")
    offer: Offer
    binding: Binding | None = None
    letter: Sent


class OfferExpired(BusinessException, code="offer_expired"):
    """It was accepted after its last day, or when it was already withdrawn."""
