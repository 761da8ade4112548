"""What the units of the value stream `lending` share: the application, and the words for money and people.

An application is handed from unit to unit as it is. What says something of a person is marked, and stays out of
ids, facts and error texts.
"""

from __future__ import annotations

import itertools
from datetime import date
from typing import Annotated, Literal, Protocol, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator

from workunits.contracts.customer_onboarding import Address, Country, Name, Reason
from workunits.core.errors import BusinessException
from workunits.core.personal import PERSONAL

__all__ = ["Address", "Country", "Name", "Reason"]

ApplicationNumber = Annotated[str, StringConstraints(pattern=r"^L-[0-9]{1,12}$")]
"""The business key that an application keeps through the whole stream, for example L-1001."""
Euros = Annotated[int, Field(ge=0, le=10_000_000)]
Cents = Annotated[int, Field(ge=0, le=1_000_000_000)]
Iban = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$")]
Phone = Annotated[str, StringConstraints(pattern=r"^\+[0-9]{6,15}$")]
Token = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
"""A fingerprint such as a browser has; says nothing by itself."""
Point = Annotated[str, Field(max_length=300)]
"""One thing to look at, in a sentence."""
Channel = Literal["web", "branch", "broker"]
Purpose = Literal["car", "home_improvement", "debt_consolidation", "other"]
Employment = Literal["permanent", "temporary", "self_employed", "retired", "none"]
PaperKind = Literal["passport", "identity_card", "payslip", "bank_statement", "pension_notice", "tax_assessment"]

LEAST, LARGEST = 500, 75_000
"""The loans that the bank grants, in whole euros."""
OLDEST = 120
"""Years: whoever seems older has mistyped a date."""
LONGEST_EMPLOYED = 80
"""Years, for the same reason."""
BANDS = (5_000, 10_000, 20_000)
"""Where a new segment of amounts begins, in euros: as in the baseline, docs/baselines/loans-2012.toml."""


def band(amount: float) -> str:
    """The segment of an amount in euros, by the label that the baseline has for it."""
    if amount < BANDS[0]:
        return f"under {BANDS[0]}"
    for low, high in itertools.pairwise(BANDS):
        if amount < high:
            return f"{low} to under {high}"
    return f"from {BANDS[-1]}"


class _Numbered(Protocol):
    @property
    def application(self) -> str: ...


def number_of(asked: _Numbered) -> str:
    """The business key of whatever belongs to one application."""
    return asked.application


class Paper(BaseModel, frozen=True):
    """One document of an application, as the intake's scanner has read it."""

    kind: PaperKind
    readability: float = Field(ge=0, le=1, description="Share of the page that the scan reader is sure of, 0 to 1.")
    issued_on: date
    expires_on: date | None = Field(None, description="Last day of validity; none where the document states none.")
    text: str = Field("", max_length=4000, description="What the scan reader read; for a passport its machine zone.")


Papers = Annotated[tuple[Paper, ...], Field(max_length=12)]


class Applicant(BaseModel, frozen=True):
    """Who asks for the loan."""

    full_name: Name = Field(description="As in the identity document.")
    born_on: date = Field(ge=date(1900, 1, 1))
    email: Address
    phone: Phone
    iban: Iban = Field(description="The account that the money is to be paid to.")
    country: Country = Field(description="Country of residence, ISO 3166-1 alpha-2.")


class Household(BaseModel, frozen=True):
    """How the applicant lives and earns, in the applicant's words. A month each, in whole euros."""

    adults: int = Field(ge=1, le=10)
    children: int = Field(0, ge=0, le=20)
    housing: Literal["rent", "mortgage", "own", "family"]
    housing_cost: Euros = Field(description="Rent or mortgage, with heating.")
    net_income: Euros = Field(description="Of the applicant, after tax.")
    instalments: Euros = Field(0, description="Of other loans, together.")
    employment: Employment
    employed_since: date | None = None


class Traces(BaseModel, frozen=True):
    """How the application came in: what a web form and a telephone network know of it."""

    device: Token = Field(description="Fingerprint of the browser, or of the branch's desk.")
    minutes_to_fill: float = Field(ge=0, le=10_000, description="From opening the form to sending it.")
    address_months: int = Field(ge=0, le=1_200, description="How long the applicant has lived there.")
    network_country: Country = Field(description="From where it was sent.")


class Application(BaseModel, frozen=True):
    """Somebody asks for a personal loan."""

    application: ApplicationNumber
    received_on: date = Field(description="Day on which it, and its papers, arrived; validity is judged on it.")
    channel: Channel = "web"
    amount: int = Field(ge=LEAST, le=LARGEST, description="In whole euros.")
    term_months: int = Field(ge=6, le=120)
    purpose: Purpose
    applicant: Annotated[Applicant, PERSONAL]
    household: Annotated[Household, PERSONAL]
    papers: Annotated[Papers, PERSONAL]
    traces: Annotated[Traces, PERSONAL]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        born, since = self.applicant.born_on, self.household.employed_since
        if self.received_on < born:
            raise ValueError("received_on: it was received before the applicant was born")
        if self.received_on.year - born.year > OLDEST:
            raise ValueError(f"applicant.born_on: the applicant would be over {OLDEST} years old on received_on")
        if since is not None and since < born:
            raise ValueError("household.employed_since: the applicant was not born yet")
        if since is not None and self.received_on.year - since.year > LONGEST_EMPLOYED:
            raise ValueError(f"household.employed_since: it is over {LONGEST_EMPLOYED} years before received_on")
        return self


class Terms(BaseModel, frozen=True):
    """What a loan costs, and for how long: amount, term and rate."""

    amount: int = Field(ge=LEAST, le=LARGEST, description="In whole euros.")
    term_months: int = Field(ge=6, le=120)
    nominal_rate: float = Field(ge=0, le=0.30, description="A year, as a fraction: 0.069 is 6.9 %.")
    fee: Cents = Field(0, description="Paid once, out of the loan, in cents.")

    @model_validator(mode="after")
    def _affordable(self) -> Self:
        if self.fee > _highest_fee(self.amount):
            raise ValueError(f"fee: {self.fee} cents are over a tenth of {self.amount} euros")
        return self

    def changed(self, amount: int | None, term_months: int | None) -> Self:
        """The same rate for another amount or term; the fee as it was, or what may be taken of the smaller loan."""
        amount = amount or self.amount
        fee = min(self.fee, _highest_fee(amount))
        return self.model_copy(update={"amount": amount, "term_months": term_months or self.term_months, "fee": fee})


def _highest_fee(amount: int) -> int:
    """Cents of a loan of so many euros: a tenth."""
    return amount * 10


class Letter(BaseModel, frozen=True):
    """A letter to write."""

    application: ApplicationNumber
    full_name: Name
    email: Address
    about: Literal["received", "returned", "refused", "offer", "withdrawn", "contract", "paid", "complaint"]
    says: str = Field(max_length=4000, description="What is said between the greeting and the signature.")


class Sent(BaseModel, frozen=True):
    """A message that was handed over."""

    message: str = Field(max_length=200, description="The message's id.")


class NotEstablished(BusinessException, code="outcome_not_met"):
    """Another unit could not find out what it was asked: its case closed without its outcome."""
