"""What goes into a customer's onboarding, what comes out, and what passes between its steps.

Names and addresses are personal data: they stay in these fields, and out of ids, facts and error texts.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator

from workunits.core.errors import BusinessException
from workunits.core.personal import PERSONAL

Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Address = Annotated[
    str,
    StringConstraints(max_length=254, pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$"),
]
"""One e-mail address: no list, no display name, no line break."""
ApplicationId = Annotated[str, StringConstraints(pattern=r"^A-[0-9]{1,12}$")]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
Product = Literal["current_account", "savings_account", "business_account"]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


class Document(BaseModel, frozen=True):
    """One document, as the intake has read it."""

    kind: Literal["passport", "identity_card", "utility_bill", "bank_statement", "other"]
    readability: float = Field(ge=0, le=1, description="Share of the page that the scan reader is sure of, 0 to 1.")
    issued_on: Annotated[date, PERSONAL] = Field(description="Date on the document.")
    expires_on: Annotated[date | None, PERSONAL] = Field(
        None, description="Last day of validity; none where the document states none."
    )


class Documents(BaseModel, frozen=True):
    """The documents of one submission. The intake states what it read and when; an applicant cannot."""

    received_on: date = Field(description="Day on which they arrived; validity is judged on this day.")
    items: tuple[Document, ...] = Field(max_length=10)


class Application(BaseModel, frozen=True):
    """A person applies for an account. The case."""

    application: ApplicationId = Field(description="Number of the application, for example A-1001.")
    full_name: Annotated[Name, PERSONAL] = Field(description="As in the identity document.")
    born_on: Annotated[date, PERSONAL] = Field(ge=date(1900, 1, 1))
    email: Annotated[Address, PERSONAL]
    country: Country = Field(description="Country of residence, ISO 3166-1 alpha-2.")
    product: Product
    channel: Literal["web", "branch"] = "web"
    monthly_income: Annotated[int, PERSONAL] = Field(
        ge=0, le=10_000_000, description="Expected payments in per month, in whole euros."
    )
    source_of_funds: Annotated[Name, PERSONAL] = Field(description="In the applicant's words.")
    documents: Documents

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.documents.received_on < self.born_on:
            raise ValueError("the documents were received before the applicant was born")
        return self


class DocumentCheck(BaseModel, frozen=True):
    """What the check of legible documents found."""

    complete: bool = Field(description="A valid identity document and a recent proof of address are there.")
    findings: tuple[Annotated[str, Field(max_length=200)], ...] = Field((), max_length=20)


class Unreadable(BaseModel, frozen=True):
    """Which documents to send again."""

    kinds: tuple[str, ...] = Field(max_length=10)


class Subject(BaseModel, frozen=True):
    """Who is compared with the sanctions list."""

    full_name: Name
    born_on: date


class Match(BaseModel, frozen=True):
    """An entry of the sanctions list that a name comes close to."""

    entry: str = Field(max_length=20, description="Number of the entry on the list.")
    listed_name: str = Field(max_length=200)
    score: float = Field(ge=0, le=100, description="Likeness of the names; 100 is the same.")
    born: int | None = Field(None, description="Year of birth on the list, where it states one.")


class Hits(BaseModel, frozen=True):
    """Why a person must look: the entries that came close, or that the name could not be compared."""

    matches: tuple[Match, ...] = Field((), max_length=20)
    not_comparable: bool = Field(default=False, description="The name is not in Latin letters, or mixes scripts.")


class Screening(BaseModel, frozen=True):
    """The result of the sanctions screening."""

    verdict: Literal["no_match", "false_match", "true_match"] = Field(
        description="`false_match`: close to a listed name, but another person."
    )
    reason: Reason = Field(description="What the verdict rests on.")


class Findings(BaseModel, frozen=True):
    """What is known of an application. Says neither who the person is nor what a colleague wrote of them."""

    age: int = Field(ge=0, description="Full years on the day the documents arrived.")
    country: Country
    product: Product
    monthly_income: int = Field(description="Expected payments in per month, in whole euros.")
    source_of_funds: Name
    documents: DocumentCheck
    screening: Literal["no_match", "false_match", "true_match"]

    @classmethod
    def of(cls, case: Application, documents: DocumentCheck, screening: Screening) -> Self:
        """Collect them from the case and its checks."""
        day, born = case.documents.received_on, case.born_on
        return cls(
            age=day.year - born.year - ((day.month, day.day) < (born.month, born.day)),
            country=case.country,
            product=case.product,
            monthly_income=case.monthly_income,
            source_of_funds=case.source_of_funds,
            documents=documents,
            screening=screening.verdict,
        )


class RiskSummary(BaseModel, frozen=True):
    """A suggestion to the officer: how risky the application looks, and why."""

    level: Literal["low", "medium", "high"]
    summary: Reason = Field(description="Two or three sentences.")
    points: tuple[Annotated[str, Field(max_length=300)], ...] = Field(
        (), max_length=8, description="What the officer should look at."
    )


class Question(BaseModel, frozen=True):
    """What the officer decides on: the application, the findings and the suggestion."""

    application: ApplicationId
    full_name: Name
    findings: Findings
    suggestion: RiskSummary


class Decision(BaseModel, frozen=True):
    """Open the account, refuse it, or note that the applicant no longer wants it."""

    verdict: Literal["approve", "refuse", "withdrawn"]
    reason: str = Field("", max_length=1000, description="Required unless approved; the applicant reads it.")

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if self.verdict != "approve" and not self.reason.strip():
            raise ValueError("a reason is required unless the application is approved")
        return self


REFUSED_BY_LAW = Decision(verdict="refuse", reason="We are not able to offer you an account.")
"""What follows from a true match. Its reason is bare on purpose: the applicant must not learn of the match."""


class Opening(BaseModel, frozen=True):
    """The account to open."""

    application: ApplicationId
    product: Product


class Account(BaseModel, frozen=True):
    """An account that exists."""

    number: str = Field(max_length=34)


class Letter(BaseModel, frozen=True):
    """The decision, as the applicant is told of it."""

    application: ApplicationId
    full_name: Name
    email: Address
    decision: Decision
    account: Account | None = None


class Sent(BaseModel, frozen=True):
    """A message that was handed over."""

    message: str = Field(max_length=200, description="The message's id.")


class Result(BaseModel, frozen=True):
    """How the application ended."""

    decision: Decision
    account: Account | None = None
    letter: Sent


class SanctionsHit(BusinessException, code="sanctions_hit"):
    """The applicant's name is close to one on the sanctions list, or cannot be compared."""


class DocumentsIllegible(BusinessException, code="documents_illegible"):
    """A document cannot be read well enough to check it."""
