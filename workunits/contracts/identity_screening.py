"""What goes into the identity and sanctions screening, what comes out, and what passes between its steps.

The sanctions list, its hits and their verdicts are those of the customer's onboarding: one list, one meaning.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from workunits.contracts.customer_onboarding import Hits, Match, SanctionsHit, Screening, Subject
from workunits.contracts.lending import Application, ApplicationNumber, Name, Papers, Point, Reason
from workunits.core.errors import BusinessException
from workunits.core.personal import PERSONAL

__all__ = ["Hits", "Match", "SanctionsHit", "Screening", "Subject"]


class Identification(BaseModel, frozen=True):
    """A person is to be identified and screened before the bank does business with them. The case."""

    application: ApplicationNumber
    received_on: date = Field(description="Day on which the papers arrived.")
    full_name: Annotated[Name, PERSONAL]
    born_on: Annotated[date, PERSONAL]
    channel: Literal["web", "branch", "broker"] = "web"
    papers: Annotated[Papers, PERSONAL]

    @classmethod
    def of(cls, application: Application, arrived: date | None = None) -> Identification:
        """What of an application says who somebody is.

        Args:
            application: With its papers.
            arrived: The day on which they came, where they came later than the application.
        """
        who = application.applicant
        identity = tuple(paper for paper in application.papers if paper.kind in ("passport", "identity_card"))
        return cls(
            application=application.application,
            received_on=arrived or application.received_on,
            full_name=who.full_name,
            born_on=who.born_on,
            channel=application.channel,
            papers=identity,
        )


class Identity(BaseModel, frozen=True):
    """Whether the person is who they say they are."""

    verdict: Literal["verified", "refuted", "not_established"] = Field(
        description="`not_established`: the applicant could not be reached or had no valid document."
    )
    document: Literal["passport", "identity_card", "none"] = "none"
    reason: Reason = Field(description="What the verdict rests on.")


class Doubtful(BaseModel, frozen=True):
    """Why a machine does not vouch for a document."""

    points: tuple[Point, ...] = Field(max_length=10)


class Clearance(BaseModel, frozen=True):
    """How the screening ended. The result."""

    verdict: Literal["clear", "listed", "impostor", "not_established"] = Field(
        description="`listed`: a true match with the sanctions list. `impostor`: somebody else's identity."
    )
    identity: Identity
    screening: Screening | None = Field(None, description="None: nobody is screened who was not identified.")


class IdentityDoubtful(BusinessException, code="identity_doubtful"):
    """The identity document does not hold up to its own check digits, or is not the applicant's."""
