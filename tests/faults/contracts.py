"""What goes in and out of the units that are put through faults."""

from __future__ import annotations

from pydantic import BaseModel


class Request(BaseModel):
    """A case: `trouble` tells the performers where to get stuck."""

    request: str
    kind: str = "parcel"
    trouble: str = ""


class Found(BaseModel):
    """What a machine step passes on."""

    trouble: str = ""


class Decision(BaseModel):
    """What a person answers."""

    granted: bool


class Result(BaseModel):
    """What the unit delivers."""

    granted: bool
    fee: int = 0
