"""What goes in and out of the approval case."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Line(BaseModel):
    """One line of the request."""

    sku: str
    qty: int = Field(gt=0)


class Case(BaseModel):
    """A customer's request; the amount in minor units."""

    customer: str
    amount: int = Field(ge=0)
    currency: str
    lines: list[Line] = []


class Facts(BaseModel):
    """What is known."""

    risk: str
    amount: int


class Advice(BaseModel):
    """What the model thinks."""

    score: float
    reason: str


class Question(BaseModel):
    """What the reviewer is asked."""

    facts: Facts
    advice: Advice


class Decision(BaseModel):
    """What the reviewer answers."""

    approved: bool
    note: str = ""


class Result(BaseModel):
    """What the unit delivers."""

    approved: bool
    facts: Facts
    advice: Advice
    overdue: bool = False
