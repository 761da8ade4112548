"""Identity and sanctions screening: find out who somebody is, and whether the bank may do business with them.

Every answer achieves the outcome, also that somebody is listed or uses another's identity: it is the answer that was
promised. Only somebody whose identity could not be established leaves it unachieved.
"""

from workunits.contracts.identity_screening import (
    Clearance,
    Identification,
    Identity,
    IdentityDoubtful,
    SanctionsHit,
    Screening,
    Subject,
)
from workunits.core.spec import (
    Learning,
    Measure,
    On,
    Outcome,
    Quality,
    Rate,
    Target,
    automated,
    elapsed,
    human,
    working_hours,
)
from workunits.core.unit import WorkUnit


class IdentityScreening(WorkUnit, name="identity_screening", version="1", key="application"):
    """Check the identity document, compare the name with the sanctions list, and have people look at what is close."""

    stream = "lending"
    outcome = Outcome(
        Clearance,
        "The applicant is identified and screened, and the answer is on file within 8 working hours.",
        achieved=lambda result: result.verdict != "not_established",
        within=Target(working_hours(8), calendar="back-office"),
        accountable="head of compliance",
        quality=(Quality("missed_matches", within=elapsed(days=365), stands=lambda found: found == 0),),
    )
    learning = Learning(
        owner="head of compliance",
        review=elapsed(days=30),
        measures=(
            Measure("straight_through_rate", at_least=0.85, baseline="the first 100 cases of version 1"),
            Measure("sla_attainment", at_least=0.95, baseline="the first 100 cases of version 1"),
            Measure("exception_rate", at_most=0.15, baseline="the first 100 cases of version 1"),
        ),
        rates={"identity officer": Rate(45), "sanctions officer": Rate(62)},
        segment=lambda case: case.channel,
    )
    facts = ("channel",)

    CHECK_DOCUMENT = automated("check_document", Identification, Identity, raises=(IdentityDoubtful,), inline=True)
    VERIFY = human("verify", Identification, Identity, role="identity officer", accountable="head of compliance")
    SCREEN = automated("screen", Subject, Screening, raises=(SanctionsHit,))
    CLEAR_HIT = human(
        "clear_hit",
        Subject,
        Screening,
        role="sanctions officer",
        accountable="head of compliance",
        excludes=(VERIFY,),
        finish_by=Target(working_hours(4), calendar="back-office"),
    )

    rules = (
        On(IdentityDoubtful, CHECK_DOCUMENT, instead=VERIFY),
        On(SanctionsHit, SCREEN, instead=CLEAR_HIT),
    )

    async def work(self, case: Identification) -> Clearance:
        """Identify the applicant, then screen the one who was identified."""
        identity = await self.perform(self.CHECK_DOCUMENT, case)
        if identity.verdict == "refuted":
            return Clearance(verdict="impostor", identity=identity)
        if identity.verdict == "not_established":
            return Clearance(verdict="not_established", identity=identity)
        screening = await self.perform(self.SCREEN, Subject(full_name=case.full_name, born_on=case.born_on))
        listed = screening.verdict == "true_match"
        return Clearance(verdict="listed" if listed else "clear", identity=identity, screening=screening)
