"""What goes in and out of a unit of which a model proposes the decision."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class Damage(BaseModel):
    """A damage that someone wants to be paid for."""

    claim: str
    story: str = "A window broke in the storm of Sunday."
    amount: int = 420
    how: Literal["A1", "A2", "A3", "A4"] = "A2"
    """The level of autonomy that holds for it here."""


class Ruling(BaseModel):
    """What is decided on a damage."""

    verdict: Literal["pay", "refuse"]
    amount: int = Field(0, ge=0)
    note: str = ""


class Settled(BaseModel):
    """How it ended."""

    paid: int
