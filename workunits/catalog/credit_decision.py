"""Credit decision: decide whether the bank lends, how much, and at which rate.

Approval and refusal both achieve the outcome: it is the decision that was promised, not the loan. An applicant who
withdraws leaves it unachieved.
"""

import asyncio

from workunits.contracts.affordability_assessment import Affordability, Finances
from workunits.contracts.credit_decision import (
    LARGE,
    Decided,
    Dossier,
    FileAmbiguous,
    Filed,
    Particulars,
    Person,
    Proposed,
    Recommendation,
    Report,
    Result,
    Scored,
    barred,
    refusal_of,
    risk_of,
)
from workunits.contracts.fraud_review import Signals, Verdict
from workunits.contracts.lending import Application, Letter, NotEstablished, Sent, band, number_of
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
    unit_step,
    working_days,
)
from workunits.core.unit import WorkUnit

HEAD = "head of credit risk"


class CreditDecision(WorkUnit, name="credit_decision", version="1", key="application"):
    """Look the applicant up, have fraud and affordability looked into, score, decide, file, and tell a refusal."""

    stream = "lending"
    outcome = Outcome(
        Result,
        "The loan is approved, or refused with a reason, within 3 working days.",
        achieved=lambda result: result.decision.verdict in ("approve", "refuse"),
        within=Target(working_days(3), calendar="back-office"),
        accountable=HEAD,
        quality=(
            Quality("complaints_upheld", within=elapsed(days=180), stands=lambda found: found == 0),
            Quality("defaults_in_year_one", within=elapsed(days=365), stands=lambda found: found == 0),
        ),
    )
    learning = Learning(
        owner=HEAD,
        review=elapsed(days=30),
        measures=(
            Measure("cycle_time", at_most=elapsed(days=2), at="median", baseline="the bank's log of 2012"),
            Measure("on_time", at_least=0.95, baseline="the first 100 cases of version 1"),
            Measure("handoffs", at_most=6, baseline="the bank's log of 2012"),
        ),
        rates={"credit officer": Rate(58), "senior credit officer": Rate(76)},
        segment=lambda case: band(case.amount),
    )
    facts = ("channel", "purpose")
    keep_inputs = True

    LOOK_UP = automated("look_up", Person, Report, raises=(FileAmbiguous,))
    LOOK_UP_BY_HAND = human("look_up_by_hand", Person, Report, role="credit officer", decides=False)
    ASSESS = unit_step(
        "assess", Finances, Affordability, unit="affordability_assessment", key=number_of, raises=(NotEstablished,)
    )
    ASSESS_BY_HAND = human("assess_by_hand", Finances, Affordability, role="credit officer", accountable=HEAD)
    REVIEW_FRAUD = unit_step(
        "review_fraud", Signals, Verdict, unit="fraud_review", key=number_of, raises=(NotEstablished,)
    )
    JUDGE_FRAUD = human("judge_fraud", Signals, Verdict, role="senior credit officer", accountable=HEAD)
    SCORE = automated("score", Particulars, Scored, decides=True, accountable=HEAD, inline=True)
    DECIDE = hybrid(
        "decide",
        Dossier,
        Recommendation,
        role="credit officer",
        accountable=HEAD,
        autonomy=Autonomy(level="A2", risk=risk_of, material=("verdict", "amount", "nominal_rate")),
    )
    CONFIRM = human(
        "confirm", Proposed, Recommendation, role="senior credit officer", accountable=HEAD, excludes=(DECIDE,)
    )
    FILE = automated("file", Decided, Filed)
    TELL = automated("tell", Letter, Sent)

    rules = (
        On(FileAmbiguous, LOOK_UP, instead=LOOK_UP_BY_HAND),
        On(NotEstablished, ASSESS, instead=ASSESS_BY_HAND),
        On(NotEstablished, REVIEW_FRAUD, instead=JUDGE_FRAUD),
    )

    async def work(self, case: Application) -> Result:
        """Come to a decision."""
        found = await asyncio.gather(
            self.perform(self.LOOK_UP, Person.of(case)),
            self.perform(self.ASSESS, Finances.of(case)),
            self.perform(self.REVIEW_FRAUD, Signals.of(case)),
        )
        particulars = Particulars.of(case, *found)
        scored = await self.perform(self.SCORE, particulars)
        dossier = Dossier(application=case.application, particulars=particulars, scored=scored)
        decision = barred(scored) or await self._decide(dossier)
        filed = await self.perform(self.FILE, Decided.of(dossier, decision))
        letter = refusal_of(case, decision)
        told = await self.perform(self.TELL, letter) if letter else None
        return Result.of(dossier, decision, filed, told)

    async def _decide(self, dossier: Dossier) -> Recommendation:
        decision = await self.perform(self.DECIDE, dossier)
        if decision.verdict == "approve" and decision.amount > LARGE:
            decision = await self.perform(self.CONFIRM, Proposed(dossier=dossier, first=decision))
        return decision
