"""Models of the units under test here."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from workunits.core.errors import BusinessException


class Claim(BaseModel):
    """A claim for damages."""

    number: str
    amount: int = 100
    story: str = "a window broke"


class Verdict(BaseModel):
    """What is decided on it."""

    verdict: Literal["pay", "refuse"]
    amount: int = 0
    note: str = ""


class Order(BaseModel):
    """What is paid, as it was decided."""

    number: str
    decided: Verdict


class Receipt(BaseModel):
    """That it was done."""

    number: str
    paid: int


class Suspicious(BusinessException, code="suspicious"):
    """It smells."""


class Outcome(BaseModel):
    """How the claim was settled."""

    verdict: Verdict
    paid: int = 0


class Household(BaseModel):
    """A claim that comes with a household policy."""

    policy: str
    claim: Claim


class Settled(BaseModel):
    """What became of it."""

    paid: int
