"""What goes into the intake of a loan application, what comes out, and what passes between its steps."""

from __future__ import annotations

from datetime import date
from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator

from workunits.contracts.identity_screening import Clearance
from workunits.contracts.lending import (
    Application,
    ApplicationNumber,
    Employment,
    Letter,
    PaperKind,
    Papers,
    Point,
    Sent,
)
from workunits.core.errors import BusinessException


class Submission(BaseModel, frozen=True):
    """The papers of one submission. The intake states what it read and when; an applicant cannot."""

    received_on: date = Field(description="Day on which they arrived; validity is judged on this day.")
    employment: Employment = Field(description="Says which papers have to be there.")
    papers: Papers

    @classmethod
    def of(cls, case: Application) -> Self:
        """What came with the application."""
        return cls(received_on=case.received_on, employment=case.household.employment, papers=case.papers)


class Completeness(BaseModel, frozen=True):
    """What the check of complete papers found: nothing lacks, but a person may have to look."""

    submission: Submission = Field(description="As it is now complete: the customer may have sent it again.")
    doubts: tuple[Point, ...] = Field((), max_length=10)


class Lacking(BaseModel, frozen=True):
    """What the customer is asked for."""

    missing: tuple[Point, ...] = Field((), max_length=10)
    unreadable: tuple[PaperKind, ...] = Field((), max_length=12)
    outdated: tuple[PaperKind, ...] = Field((), max_length=12)


class Earlier(BaseModel, frozen=True):
    """The application that is already there."""

    application: ApplicationNumber


class Registered(BaseModel, frozen=True):
    """An entry in the register of applications."""

    entry: int = Field(ge=1)


class Doubts(BaseModel, frozen=True):
    """What the intake clerk looks at."""

    application: Application
    doubts: tuple[Point, ...] = Field(max_length=10)


class Admission(BaseModel, frozen=True):
    """Whether the application goes to the credit decision."""

    verdict: Literal["accept", "return", "withdrawn"] = Field(
        description="`return`: the bank cannot decide on it, and says why. `withdrawn`: nobody wants it any more."
    )
    reason: str = Field("", max_length=1000, description="Required unless accepted; the applicant reads it.")

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if self.verdict != "accept" and not self.reason.strip():
            raise ValueError("a reason is required unless the application is accepted")
        return self


class Result(BaseModel, frozen=True):
    """How the intake ended; an accepted application is what the credit decision begins with."""

    admission: Admission
    application: Application
    clearance: Clearance | None = None
    letter: Sent


class DocumentsIncomplete(BusinessException, code="documents_incomplete"):
    """A paper that the decision needs is missing, outdated or cannot be read."""


class DuplicateApplication(BusinessException, code="duplicate_application"):
    """The same person has asked for the same loan within 30 days."""


def letter_of(case: Application, admission: Admission) -> Letter:
    """What the applicant is told."""
    says = admission.reason or "We have all that we need, and will decide on your application."
    about: Literal["received", "returned"] = "received" if admission.verdict == "accept" else "returned"
    who = case.applicant
    return Letter(application=case.application, full_name=who.full_name, email=who.email, about=about, says=says)


ACCEPTED = Admission(verdict="accept")
"""What follows when the papers are complete, the applicant is identified, and nobody has a doubt."""
NOT_CLEARED = Admission(verdict="return", reason="We are not able to offer you a loan.")
"""What follows from a failed screening. Its reason is bare on purpose: the applicant must not learn of a match."""
NOT_IDENTIFIED = Admission(verdict="return", reason="We could not establish your identity from the papers you sent.")
