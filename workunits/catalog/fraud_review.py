"""Fraud review: find out whether an application is a fraud, before money goes out and before anybody is accused.

The outcome is a finding, clear or fraud; one of fraud needs a second person. A review that can show neither leaves it
unachieved, and the application goes no further on it.
"""

from workunits.contracts.fraud_review import (
    UNREMARKABLE,
    Allegation,
    Finding,
    FraudSuspected,
    Score,
    Signals,
    Suspicion,
    Triage,
    Verdict,
    risk_of,
)
from workunits.core.spec import (
    Autonomy,
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
    hybrid,
    working_days,
    working_hours,
)
from workunits.core.unit import WorkUnit

NOTED = 20
"""From so many points on somebody, or something, looks at what the rules have noted."""


class FraudReview(WorkUnit, name="fraud_review", version="1", key="application"):
    """Score the signals, sort out what is harmless, investigate what is not, and confirm before accusing."""

    stream = "lending"
    outcome = Outcome(
        Verdict,
        "It is established whether the application is a fraud, within 2 working days.",
        achieved=lambda result: result.verdict != "undetermined",
        within=Target(working_days(2), calendar="back-office"),
        accountable="head of fraud prevention",
        quality=(
            Quality("fraud_found_later", within=elapsed(days=180), stands=lambda found: found == 0),
            Quality("wrongly_accused", within=elapsed(days=180), stands=lambda found: found == 0),
        ),
    )
    learning = Learning(
        owner="head of fraud prevention",
        review=elapsed(days=30),
        measures=(
            Measure("straight_through_rate", at_least=0.8, baseline="the first 100 cases of version 1"),
            Measure("exception_rate", at_most=0.1, baseline="the bank's log of 2012"),
            Measure("cycle_time", at_most=elapsed(days=2), at="p85", baseline="the bank's log of 2012"),
        ),
        rates={"fraud analyst": Rate(57), "senior fraud analyst": Rate(70)},
        segment=lambda case: case.channel,
    )
    facts = ("channel", "purpose")
    keep_inputs = True

    SCORE = automated("score", Signals, Score)
    TRIAGE = hybrid(
        "triage",
        Score,
        Triage,
        role="fraud analyst",
        accountable="head of fraud prevention",
        autonomy=Autonomy(level="A2", risk=risk_of, material=("verdict",)),
    )
    RULE = automated(
        "rule",
        Suspicion,
        Finding,
        raises=(FraudSuspected,),
        decides=True,
        accountable="head of fraud prevention",
        inline=True,
    )
    INVESTIGATE = human(
        "investigate",
        Suspicion,
        Finding,
        role="fraud analyst",
        accountable="head of fraud prevention",
        start_by=Target(working_hours(4), calendar="back-office"),
    )
    CONFIRM = human(
        "confirm",
        Allegation,
        Finding,
        role="senior fraud analyst",
        accountable="head of fraud prevention",
        excludes=(INVESTIGATE,),
    )

    rules = (On(FraudSuspected, RULE, instead=INVESTIGATE),)

    async def work(self, case: Signals) -> Verdict:
        """Come to a finding."""
        score = await self.perform(self.SCORE, case)
        triage = UNREMARKABLE if score.points < NOTED else await self.perform(self.TRIAGE, score)
        suspicion = Suspicion(signals=case, score=score, triage=triage)
        finding = await self.perform(self.RULE, suspicion)
        if finding.verdict != "fraud":
            return Verdict(verdict=finding.verdict, points=score.points, reason=finding.reason)
        second = await self.perform(self.CONFIRM, Allegation(suspicion=suspicion, finding=finding))
        confirmed = second.verdict == "fraud"
        return Verdict(verdict=second.verdict, points=score.points, reason=second.reason, confirmed=confirmed)
