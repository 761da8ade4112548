"""What goes into a purchase request, what comes out, and what passes between its steps."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator
from workunits.core.errors import BusinessException

CostCentre = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2,4}-[0-9]{3}$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class Purchase(BaseModel, frozen=True):
    """Someone wants to buy something. The case."""

    number: str = Field(pattern=r"^P-[0-9]{1,9}$", description="Number of the request, such as P-1.")
    item: Text
    price: int = Field(gt=0, le=1_000_000, description="In whole euros.")
    cost_centre: CostCentre = Field(description="Whose budget pays, such as IT-100.")
    requester: Text = Field(description="Who asks.")


class Budget(BaseModel, frozen=True):
    """What the budget says."""

    cost_centre: CostCentre = Field(description="Whose budget it is.")
    left: int = Field(description="What is left of the year's budget, in whole euros, before this purchase.")
    enough: bool = Field(description="The purchase fits into what is left.")


class Question(BaseModel, frozen=True):
    """What the budget holder decides on."""

    purchase: Purchase
    budget: Budget


class Decision(BaseModel, frozen=True):
    """Approve or refuse; or note that the requester no longer wants it."""

    verdict: Literal["approve", "refuse", "withdrawn"]
    reason: str = Field("", max_length=500, description="Required when refusing; the requester reads it.")

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if self.verdict == "refuse" and not self.reason.strip():
            raise ValueError("a reason is required when refusing")
        return self


class Result(BaseModel, frozen=True):
    """How the request ended."""

    decision: Decision
    budget: Budget


class CostCentreUnknown(BusinessException, code="cost_centre_unknown"):
    """No cost centre has this number, so nobody's budget could pay."""
