"""What goes into a complaint about a credit decision, what comes out, and what passes between its steps."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator

from workunits.contracts.lending import Address, ApplicationNumber, Name, Point, Reason, Sent
from workunits.core.errors import BusinessException
from workunits.core.personal import PERSONAL

ComplaintNumber = Annotated[str, StringConstraints(pattern=r"^C-[0-9]{1,12}$")]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=5000)]
Cause = Literal["refused", "amount", "rate", "duration", "treatment", "other"]


class Complaint(BaseModel, frozen=True):
    """Somebody complains about the decision on their application. The case."""

    complaint: ComplaintNumber
    application: ApplicationNumber = Field(description="As the complainant gave it.")
    received_on: date
    channel: Literal["letter", "email", "telephone", "ombudsman"] = "email"
    cause: Cause
    full_name: Annotated[Name, PERSONAL]
    email: Annotated[Address, PERSONAL]
    words: Annotated[Words, PERSONAL] = Field(description="In the complainant's words.")


class Reference(BaseModel, frozen=True):
    """The number under which a decision is looked for."""

    application: ApplicationNumber


class Decision(BaseModel, frozen=True):
    """A decision, as the register of decisions has it."""

    application: ApplicationNumber
    verdict: Literal["approve", "refuse", "withdrawn"]
    amount: int = Field(ge=0)
    grade: str = Field(max_length=1)
    reason: str = Field(max_length=1000)


class Grievance(BaseModel, frozen=True):
    """What the model reads: the words and the decision, without the name."""

    cause: Cause
    words: Words
    decision: Decision


class Summary(BaseModel, frozen=True):
    """The gist of a complaint, as a suggestion."""

    says: Reason = Field(description="Two or three sentences.")
    claims: tuple[Point, ...] = Field((), max_length=8, description="What the complainant says is wrong, one by one.")


class File(BaseModel, frozen=True):
    """What the handler works on."""

    complaint: ComplaintNumber
    grievance: Grievance
    summary: Summary


class Assessment(BaseModel, frozen=True):
    """What the handler makes of it."""

    verdict: Literal["uphold", "reject", "withdrawn"] = Field(description="`withdrawn`: the complainant takes it back.")
    reason: Reason = Field(description="For the reviewer; the complainant does not read it.")
    checked: tuple[Point, ...] = Field((), max_length=10, description="What was looked at again.")


class Review(BaseModel, frozen=True):
    """What the independent reviewer decides on."""

    file: File
    assessment: Assessment


class Finding(BaseModel, frozen=True):
    """The answer to the complainant."""

    verdict: Literal["upheld", "rejected"]
    reason: Reason = Field(description="The complainant reads it.")
    remedy: Literal["none", "decide_again", "apology", "better_terms"] = "none"

    @model_validator(mode="after")
    def _remedied(self) -> Self:
        if self.verdict == "upheld" and self.remedy == "none":
            raise ValueError("a complaint that is upheld has a remedy")
        if self.verdict == "rejected" and self.remedy not in ("none", "apology"):
            raise ValueError("a complaint that is rejected has no remedy but an apology")
        return self


class Reply(BaseModel, frozen=True):
    """The letter that the complainant gets."""

    complaint: ComplaintNumber
    full_name: Name
    email: Address
    finding: Finding


class Result(BaseModel, frozen=True):
    """How the complaint ended. `decide_again` starts a new credit decision."""

    verdict: Literal["upheld", "rejected", "withdrawn"]
    finding: Finding | None = None
    letter: Sent | None = None


class DecisionUnknown(BusinessException, code="decision_unknown"):
    """No decision has this number."""
