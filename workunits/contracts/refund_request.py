"""What goes into a refund request, what comes out, and what passes between its steps."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator

from workunits.core.errors import BusinessException
from workunits.core.personal import PERSONAL

Address = Annotated[
    str,
    StringConstraints(max_length=254, pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$"),
]
"""One e-mail address: no list, no display name, no line break."""
RequestId = Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,4}-[0-9]{1,12}$")]
OrderId = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40, pattern=r"^[ -~]+$")]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]

Cause = Literal["damaged", "not_delivered", "not_wanted", "other"]


class Money(BaseModel, frozen=True):
    """An amount, counted in the currency's minor unit: exact, whatever reads the JSON."""

    minor: int = Field(gt=0, le=100_000_000, description="Minor units of ISO 4217: cents for EUR, yen for JPY.")
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code.")


class Request(BaseModel, frozen=True):
    """A customer asks for money back. The case."""

    request: RequestId = Field(description="Number of the request, for example RR-1.")
    order: OrderId = Field(description="Number of the order, as the customer gave it.")
    amount: Money
    cause: Cause
    details: Annotated[str, PERSONAL] = Field("", max_length=2000, description="In the customer's words.")
    requested_on: date = Field(description="Day on which the customer asked; the return period is judged on it.")
    email: Annotated[Address, PERSONAL]


class OrderNumber(BaseModel, frozen=True):
    """The number under which an order is looked for."""

    order: OrderId


class Order(BaseModel, frozen=True):
    """An order, as the order table has it."""

    order: OrderId
    email: Address = Field(description="Who ordered.")
    cost: Money
    ordered_on: date
    delivered_on: date | None = Field(None, description="None: not delivered yet.")
    refunded_minor: int = Field(ge=0, description="What was paid back already, in minor units of the order's currency.")


class Claim(BaseModel, frozen=True):
    """What the policy judges."""

    order: Order
    amount: Money
    cause: Cause
    requested_on: date
    email: Address = Field(description="Who asks.")


class Ruling(BaseModel, frozen=True):
    """What the refund policy says of a claim."""

    verdict: Literal["pay", "refuse", "ask"] = Field(description="`ask`: the policy leaves it to a person.")
    reason: Reason = Field(description="The rule that applied; the customer reads it when the request is refused.")


class Question(BaseModel, frozen=True):
    """What the approver decides on."""

    request: Request
    order: Order
    ruling: Ruling


class Decision(BaseModel, frozen=True):
    """Pay or refuse."""

    verdict: Literal["pay", "refuse"]
    reason: str = Field("", max_length=1000, description="Required when refusing; the customer reads it.")

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if self.verdict == "refuse" and not self.reason.strip():
            raise ValueError("a reason is required when refusing")
        return self


class Payment(BaseModel, frozen=True):
    """The money to pay back."""

    order: OrderId
    amount: Money


class Paid(BaseModel, frozen=True):
    """A payment that is in the ledger."""

    payment: int = Field(ge=1, description="Number of the ledger's entry.")
    amount: Money


class Notice(BaseModel, frozen=True):
    """The answer to the customer."""

    request: RequestId
    order: OrderId
    email: Address
    decision: Decision
    paid: Paid | None = None


class Sent(BaseModel, frozen=True):
    """A message that was handed over."""

    message: str = Field(max_length=200, description="The message's id.")


class Result(BaseModel, frozen=True):
    """How the request ended."""

    decision: Decision
    paid: Paid | None = None
    notice: Sent


class OrderUnknown(BusinessException, code="order_unknown"):
    """No order has the number that the customer gave."""


class AlreadyRefunded(BusinessException, code="already_refunded"):
    """Another refund of the same order was paid in the meantime; together they exceed what the order cost."""
