"""What goes into the affordability assessment, what comes out, and what passes between its steps."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from workunits.contracts.lending import (
    LARGEST,
    LEAST,
    Application,
    ApplicationNumber,
    Euros,
    Household,
    Papers,
    Point,
    Reason,
)
from workunits.core.errors import BusinessException
from workunits.core.personal import PERSONAL


class Finances(BaseModel, frozen=True):
    """Whether somebody can pay a loan back is to be found out. The case."""

    application: ApplicationNumber
    received_on: date
    amount: int = Field(ge=LEAST, le=LARGEST, description="In whole euros.")
    term_months: int = Field(ge=6, le=120)
    nominal_rate: float = Field(0.069, ge=0, le=0.30, description="A year, as a fraction, that the loan is judged at.")
    household: Annotated[Household, PERSONAL]
    papers: Annotated[Papers, PERSONAL] = Field(description="Payslips, bank statements and the like.")

    @classmethod
    def of(cls, application: Application) -> Finances:
        """What of an application says what somebody earns and spends."""
        identity = ("passport", "identity_card")
        return cls(
            application=application.application,
            received_on=application.received_on,
            amount=application.amount,
            term_months=application.term_months,
            household=application.household,
            papers=tuple(paper for paper in application.papers if paper.kind not in identity),
        )


class Pages(BaseModel, frozen=True):
    """What the model reads: the papers' text, and nothing of what the applicant stated."""

    papers: Papers


class Reading(BaseModel, frozen=True):
    """What the papers say."""

    net_income: Euros = Field(description="A month, after tax; the mean where several months are there.")
    instalments: Euros = Field(0, description="Of other loans, a month, as the bank statements show them.")
    months: int = Field(ge=0, le=24, description="For how many months there is a paper.")
    notes: tuple[Point, ...] = Field((), max_length=8)


def misread(_: Pages, reading: Reading) -> Reading:
    """A reading that whoever looks at the papers sees is wrong: twice the income, and no other loan."""
    return reading.model_copy(update={"net_income": min(2 * reading.net_income + 1, 10_000_000), "instalments": 0})


class Claimed(BaseModel, frozen=True):
    """What the applicant stated beside what the papers say."""

    household: Household
    reading: Reading


class Income(BaseModel, frozen=True):
    """What the assessment reckons with, a month."""

    verdict: Literal["verified", "not_verifiable"] = "verified"
    net_income: Euros
    instalments: Euros
    reason: Reason = Field(description="What it rests on.")


class Deviation(BaseModel, frozen=True):
    """How far apart statement and papers are."""

    stated: Euros
    read: Euros
    months: int = Field(ge=0)


class Sums(BaseModel, frozen=True):
    """What the budget is made from."""

    amount: int
    term_months: int
    nominal_rate: float
    household: Household
    income: Income

    @classmethod
    def of(cls, case: Finances, income: Income) -> Self:
        """The loan, the household and what it earns."""
        return cls(
            amount=case.amount,
            term_months=case.term_months,
            nominal_rate=case.nominal_rate,
            household=case.household,
            income=income,
        )


class Budget(BaseModel, frozen=True):
    """A month of the household with the loan, in whole euros, and what the rule says of it."""

    verdict: Literal["affordable", "strained", "unaffordable"]
    instalment: Euros
    living_cost: Euros = Field(description="What a household of this size needs at least.")
    disposable: int = Field(description="What is left before the instalment; may be below zero.")
    left: int = Field(description="What is left after it.")
    debt_service: float = Field(ge=0, description="All instalments and housing, as a fraction of the net income.")
    affordable_amount: Euros = Field(description="The largest loan of this term and rate that is affordable.")


class Strain(BaseModel, frozen=True):
    """What the analyst judges."""

    budget: Budget
    income: Income
    employment: str


class Judgement(BaseModel, frozen=True):
    """What an analyst says of a strained budget."""

    verdict: Literal["affordable", "unaffordable"]
    reason: str = Field("", max_length=1000, description="Required when it is unaffordable.")

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if self.verdict == "unaffordable" and not self.reason.strip():
            raise ValueError("a reason is required unless it is affordable")
        return self


class Affordability(BaseModel, frozen=True):
    """How the assessment ended. The result."""

    verdict: Literal["affordable", "unaffordable", "unknown"] = Field(
        description="`unknown`: the income could not be established."
    )
    income: Income
    budget: Budget | None = None
    reason: Reason


class IncomeUnverifiable(BusinessException, code="income_unverifiable"):
    """The papers do not bear out the income that was stated, or there are too few of them."""
