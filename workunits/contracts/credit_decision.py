"""What goes into a credit decision, what comes out, and what passes between its steps.

The case is the application as the intake accepted it: `workunits.contracts.lending.Application`.
"""

from __future__ import annotations

from datetime import date
from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator

from workunits.contracts.affordability_assessment import Affordability
from workunits.contracts.fraud_review import Verdict
from workunits.contracts.lending import (
    LARGEST,
    LEAST,
    Application,
    ApplicationNumber,
    Employment,
    Euros,
    Letter,
    Name,
    Point,
    Purpose,
    Sent,
    Terms,
)
from workunits.core.autonomy import Risk
from workunits.core.errors import BusinessException

Grade = Literal["A", "B", "C", "D", "E"]
"""How likely a loan is paid back: A the likeliest."""

LARGE = 25_000
"""Above this amount, in whole euros, a second officer decides, too."""
BARRED = "A rule of the bank leaves no choice."
"""The reason of a refusal where the rule itself gives none."""


class Person(BaseModel, frozen=True):
    """Who is looked up at the credit bureau."""

    application: ApplicationNumber
    full_name: Name
    born_on: date

    @classmethod
    def of(cls, case: Application) -> Self:
        """The applicant."""
        who = case.applicant
        return cls(application=case.application, full_name=who.full_name, born_on=who.born_on)


class Report(BaseModel, frozen=True):
    """What the credit bureau has of a person."""

    known: bool = Field(description="The bureau has a file; a person without one has simply never borrowed.")
    open_loans: int = Field(0, ge=0, le=200)
    defaults: int = Field(0, ge=0, le=200, description="Loans that were not paid back.")
    months_since_default: int | None = Field(None, ge=0, description="None: there was none.")
    inquiries: int = Field(0, ge=0, le=200, description="Other lenders who asked within six months.")


class Several(BaseModel, frozen=True):
    """The files that might be the applicant's."""

    files: tuple[Point, ...] = Field(max_length=20)


class Particulars(BaseModel, frozen=True):
    """What the score card adds up. Says nothing of who the person is."""

    age: int = Field(ge=0, le=150)
    employment: Employment
    employed_months: int = Field(ge=0)
    housing: Literal["rent", "mortgage", "own", "family"]
    purpose: Purpose
    amount: int
    term_months: int
    report: Report
    affordability: Affordability
    fraud: Verdict

    @classmethod
    def of(cls, case: Application, report: Report, affordability: Affordability, fraud: Verdict) -> Particulars:
        """Collect them from the application and what was found out."""
        day, who, home = case.received_on, case.applicant, case.household
        since = home.employed_since or day
        return cls(
            age=day.year - who.born_on.year - ((day.month, day.day) < (who.born_on.month, who.born_on.day)),
            employment=home.employment,
            employed_months=max(0, (day.year - since.year) * 12 + day.month - since.month),
            housing=home.housing,
            purpose=case.purpose,
            amount=case.amount,
            term_months=case.term_months,
            report=report,
            affordability=affordability,
            fraud=fraud,
        )


class Factor(BaseModel, frozen=True):
    """What one line of the score card adds."""

    name: str = Field(max_length=60)
    points: int
    best: int = Field(description="The most that the line can add: what is missing is the reason of a refusal.")


class Scored(BaseModel, frozen=True):
    """What the score card and the hard rules say."""

    score: int = Field(ge=0, le=1_000)
    grade: Grade
    default_odds: float = Field(ge=0, le=1, description="How likely the loan is not paid back.")
    factors: tuple[Factor, ...] = Field(max_length=20)
    barred: tuple[Point, ...] = Field((), max_length=10, description="Hard rules that leave no choice: it is refused.")
    most: Euros = Field(description="The largest loan that policy and affordability allow.")


class Recommendation(BaseModel, frozen=True):
    """What is put to the credit officer, and what the officer makes of it."""

    verdict: Literal["approve", "refuse", "withdrawn"]
    amount: Euros = Field(0, description="What is approved, in whole euros; may be less than was asked.")
    nominal_rate: float = Field(0.0, ge=0, le=0.30)
    reason: str = Field("", max_length=1000, description="Required unless approved; the applicant reads it.")
    factors: tuple[Point, ...] = Field((), max_length=8, description="What speaks for and against it.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.verdict == "approve" and not LEAST <= self.amount <= LARGEST:
            raise ValueError(f"amount: an approval is of {LEAST:,} to {LARGEST:,} euros")
        if self.verdict == "approve" and self.nominal_rate <= 0:
            raise ValueError("nominal_rate: an approval has a rate")
        if self.verdict != "approve" and not self.reason.strip():
            raise ValueError("a reason is required unless it is approved")
        return self


class Dossier(BaseModel, frozen=True):
    """What is decided on. Says nothing of who the person is."""

    application: ApplicationNumber
    particulars: Particulars
    scored: Scored


def risk_of(dossier: Dossier, decision: Recommendation) -> Risk:
    """A refusal reaches somebody outside, and a loan that is large, or more than policy allows, is over the limit."""
    if decision.verdict != "approve":
        return "external"
    return "over_limit" if decision.amount > min(LARGE, dossier.scored.most) else "routine"


class Proposed(BaseModel, frozen=True):
    """A large loan, and what the first officer has decided: a second one decides on both."""

    dossier: Dossier
    first: Recommendation


class Decided(BaseModel, frozen=True):
    """A decision to be filed."""

    application: ApplicationNumber
    grade: Grade
    decision: Recommendation

    @classmethod
    def of(cls, dossier: Dossier, decision: Recommendation) -> Self:
        """What was decided on a dossier."""
        return cls(application=dossier.application, grade=dossier.scored.grade, decision=decision)


class Filed(BaseModel, frozen=True):
    """A decision in the register of decisions."""

    entry: int = Field(ge=1)


class Result(BaseModel, frozen=True):
    """How the decision ended. An approval has the terms that the offer is drawn up with."""

    decision: Recommendation
    grade: Grade
    terms: Terms | None = None
    filed: Filed
    letter: Sent | None = Field(None, description="The letter of refusal; an approval is told with the offer.")

    @classmethod
    def of(cls, dossier: Dossier, decision: Recommendation, filed: Filed, letter: Sent | None) -> Self:
        """The decision with its terms, where it is an approval."""
        terms = None
        if decision.verdict == "approve":
            months = dossier.particulars.term_months
            terms = Terms(amount=decision.amount, term_months=months, nominal_rate=decision.nominal_rate)
        return cls(decision=decision, grade=dossier.scored.grade, terms=terms, filed=filed, letter=letter)


def barred(scored: Scored) -> Recommendation | None:
    """The refusal that a hard rule leaves no choice about; None: people decide."""
    if not scored.barred:
        return None
    return Recommendation(verdict="refuse", reason=" ".join(scored.barred)[:1000].strip() or BARRED)


def refusal_of(case: Application, decision: Recommendation) -> Letter | None:
    """What the applicant is told who gets no loan; None: an approval is told with the offer."""
    if decision.verdict != "refuse":
        return None
    who = case.applicant
    says = f"We have decided not to grant the loan. {decision.reason} If you do not agree, you can complain to us."
    return Letter(application=case.application, full_name=who.full_name, email=who.email, about="refused", says=says)


class FileAmbiguous(BusinessException, code="file_ambiguous"):
    """The credit bureau has several files that might be the applicant's."""
