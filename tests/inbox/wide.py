"""What goes in and out of a unit that asks for every kind of field that a form knows."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Money(BaseModel):
    """An amount."""

    minor: int = Field(gt=0)
    currency: str = Field(pattern=r"^[A-Z]{3}$")


class Line(BaseModel):
    """One line of an order."""

    sku: str = Field(max_length=20, description="As on the label.")
    count: int = Field(gt=0, le=99)


class Address(BaseModel):
    """Where something goes."""

    street: str
    town: str


class ByPost(BaseModel):
    """By post."""

    kind: Literal["post"]
    to: str


class ByHand(BaseModel):
    """By hand."""

    kind: Literal["hand"]


class Seen(BaseModel):
    """A case whose every field may hold anything."""

    request: str
    text: str = ""
    link: str = ""
    seen_at: datetime | None = None
    on: date | None = None
    price: Money | None = None
    sure: bool = False
    score: float = 0.5
    address: Address | None = None
    lines: list[Line] = []
    notes: list[str] = []


class Opinion(BaseModel):
    """What a model thinks of it."""

    summary: str
    confidence: float = Field(ge=0, le=1)


class Asked(BaseModel):
    """What a person decides on."""

    case: Seen
    opinion: Opinion


class Verdict(BaseModel):
    """Keep it or drop it."""

    model_config = ConfigDict(populate_by_name=True)

    decision: Literal["keep", "drop"]
    reason: str = Field("", max_length=1000, description="Whoever asked reads it.")
    title: str = Field(max_length=40)
    share: float = Field(0.5, ge=0, le=1)
    count: int = Field(gt=0)
    exact: Decimal | None = None
    price: Money
    urgent: bool = False
    checked: bool
    colour: Literal["red", "green"] | None = None
    size: Literal["xs", "s", "m", "l", "xl", "xxl", "other"] = "m"
    on: date
    at: AwareDatetime | None = None
    from_: time | None = Field(None, alias="from")
    address: Address | None = None
    lines: list[Line] = Field([], max_length=5)
    tags: set[Literal["a", "b", "c"]] = set()
    sent: Annotated[ByPost | ByHand, Field(discriminator="kind")] | None = None


class Done(BaseModel):
    """What the unit delivers."""

    kept: bool


class Call(BaseModel):
    """Someone to be called."""

    request: str
    number: str
