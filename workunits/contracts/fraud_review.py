"""What goes into a fraud review, what comes out, and what passes between its steps."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from workunits.contracts.lending import (
    LARGEST,
    LEAST,
    Address,
    Application,
    ApplicationNumber,
    Channel,
    Country,
    Euros,
    Iban,
    Phone,
    Point,
    Purpose,
    Reason,
    Traces,
)
from workunits.core.autonomy import Risk
from workunits.core.errors import BusinessException
from workunits.core.personal import PERSONAL

GRAVE = 40
"""From so many points on clearing an application is nothing for a model alone."""


class Signals(BaseModel, frozen=True):
    """Whether an application is a fraud is to be found out. The case."""

    application: ApplicationNumber
    received_on: date
    channel: Channel
    amount: int = Field(ge=LEAST, le=LARGEST, description="In whole euros.")
    purpose: Purpose
    country: Country
    email: Annotated[Address, PERSONAL]
    phone: Annotated[Phone, PERSONAL]
    iban: Annotated[Iban, PERSONAL]
    net_income: Annotated[Euros, PERSONAL]
    employed_months: Annotated[int, PERSONAL] = Field(ge=0, le=1_000)
    traces: Annotated[Traces, PERSONAL]

    @classmethod
    def of(cls, application: Application) -> Signals:
        """What of an application is compared with known frauds and with other applications."""
        who, since, day = application.applicant, application.household.employed_since, application.received_on
        months = 0 if since is None else max(0, (day.year - since.year) * 12 + day.month - since.month)
        return cls(
            application=application.application,
            received_on=day,
            channel=application.channel,
            amount=application.amount,
            purpose=application.purpose,
            country=who.country,
            email=who.email,
            phone=who.phone,
            iban=who.iban,
            net_income=application.household.net_income,
            employed_months=months,
            traces=application.traces,
        )


class Hit(BaseModel, frozen=True):
    """A rule that an application trips over."""

    rule: str = Field(max_length=60)
    points: int = Field(ge=0, le=100)
    says: Point


class Score(BaseModel, frozen=True):
    """What the rules make of the signals. Says nothing of who the person is."""

    points: int = Field(ge=0, le=100, description="0: nothing was noted; 100: all that can be.")
    hits: tuple[Hit, ...] = Field((), max_length=20)
    shared_with: tuple[ApplicationNumber, ...] = Field(
        (), max_length=20, description="Other applications with the same account, telephone or device."
    )
    amount: int
    channel: Channel
    purpose: Purpose


class Triage(BaseModel, frozen=True):
    """Whether an analyst has to investigate."""

    verdict: Literal["clear", "investigate"]
    reason: Reason
    points: tuple[Point, ...] = Field((), max_length=8, description="What to look at.")


def risk_of(score: Score, triage: Triage) -> Risk:
    """Clearing what the rules call grave is over the limit of what a model may do by itself."""
    return "over_limit" if triage.verdict == "clear" and score.points >= GRAVE else "routine"


UNREMARKABLE = Triage(verdict="clear", reason="The rules have noted nothing that anybody would have to look at.")
"""What a low score is: no model is asked, and no person."""


class Suspicion(BaseModel, frozen=True):
    """What is investigated."""

    signals: Signals
    score: Score
    triage: Triage


class Finding(BaseModel, frozen=True):
    """What an investigation came to."""

    verdict: Literal["clear", "fraud", "undetermined"] = Field(
        description="`undetermined`: neither could be shown; the application goes no further on this review."
    )
    reason: Reason
    evidence: tuple[Point, ...] = Field((), max_length=10)

    @model_validator(mode="after")
    def _shown(self) -> Self:
        if self.verdict == "fraud" and not self.evidence:
            raise ValueError("evidence is required where somebody is called a fraud")
        return self


class Allegation(BaseModel, frozen=True):
    """What a second person confirms, or does not, before anybody is called a fraud."""

    suspicion: Suspicion
    finding: Finding


class Verdict(BaseModel, frozen=True):
    """How the review ended. The result."""

    verdict: Literal["clear", "fraud", "undetermined"]
    points: int = Field(ge=0, le=100)
    reason: Reason
    confirmed: bool = Field(default=False, description="A second person has confirmed that it is a fraud.")


class FraudSuspected(BusinessException, code="fraud_suspected"):
    """The rules alone say that a person must investigate, whatever a model makes of it."""
