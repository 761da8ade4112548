"""Customer onboarding: review an application for an account, and tell the applicant what was decided.

Approval and refusal both achieve the outcome: it is the decision that was promised, not the account. An
applicant who withdraws leaves it unachieved, and so do documents that nobody can read.
"""

import asyncio

from workunits.contracts.customer_onboarding import (
    REFUSED_BY_LAW,
    Account,
    Application,
    Decision,
    DocumentCheck,
    Documents,
    DocumentsIllegible,
    Findings,
    Letter,
    Opening,
    Question,
    Result,
    RiskSummary,
    SanctionsHit,
    Screening,
    Sent,
    Subject,
)
from workunits.core.spec import Learning, Measure, On, OnFailure, Outcome, Quality, Rate, ai, automated, elapsed, human
from workunits.core.unit import WorkUnit


class CustomerOnboarding(WorkUnit, name="customer_onboarding", version="1", key="application"):
    """Check, screen, decide, open the account or refuse it, and write to the applicant."""

    outcome = Outcome(
        Result,
        "The application is reviewed and a decision is issued within 24 hours.",
        achieved=lambda result: result.decision.verdict in ("approve", "refuse"),
        within=elapsed(hours=24),
        accountable="head of onboarding",
        quality=(
            Quality("complaints", within=elapsed(days=60)),
            Quality("decisions_reversed", within=elapsed(days=180), stands=lambda found: found == 0),
        ),
    )
    learning = Learning(
        owner="head of onboarding",
        review=elapsed(days=30),
        measures=(
            Measure("cycle_time", at_most=elapsed(hours=4), at="median", baseline="the first 100 cases of version 1"),
            Measure("sla_attainment", at_least=0.95, baseline="the first 100 cases of version 1"),
            Measure("exception_rate", at_most=0.15, baseline="the first 100 cases of version 1"),
            Measure("first_pass_yield", at_least=0.9, baseline="the first 100 cases of version 1"),
        ),
        rates={"onboarding officer": Rate(48), "onboarding analyst": Rate(40), "sanctions officer": Rate(62)},
        segment=lambda case: case.product,
    )
    facts = ("product", "country", "channel")

    CHECK_DOCUMENTS = automated("check_documents", Documents, DocumentCheck, raises=(DocumentsIllegible,), inline=True)
    RESEND_DOCUMENTS = human(
        "resend_documents",
        Documents,
        Documents,
        role="customer",
        external=True,
        decides=False,
        expires=elapsed(days=14),
    )
    SCREEN = automated("screen", Subject, Screening, raises=(SanctionsHit,))
    CLEAR_HIT = human("clear_hit", Subject, Screening, role="sanctions officer", accountable="head of compliance")
    SUMMARISE = ai("summarise", Findings, RiskSummary)
    SUMMARISE_BY_HAND = human("summarise_by_hand", Findings, RiskSummary, role="onboarding analyst", decides=False)
    DECIDE = human("decide", Question, Decision, role="onboarding officer", accountable="head of onboarding")
    OPEN_ACCOUNT = automated("open_account", Opening, Account)
    SEND_DECISION = automated("send_decision", Letter, Sent)

    rules = (
        On(DocumentsIllegible, CHECK_DOCUMENTS, repair=RESEND_DOCUMENTS, times=1),
        On(SanctionsHit, SCREEN, instead=CLEAR_HIT),
        OnFailure(SUMMARISE, instead=SUMMARISE_BY_HAND),
    )

    async def work(self, case: Application) -> Result:
        """Review the application and issue the decision."""
        documents, screening = await asyncio.gather(
            self.perform(self.CHECK_DOCUMENTS, case.documents),
            self.perform(self.SCREEN, Subject(full_name=case.full_name, born_on=case.born_on)),
        )
        if screening.verdict == "true_match":
            decision = REFUSED_BY_LAW
        else:
            findings = Findings.of(case, documents, screening)
            suggestion = await self.perform(self.SUMMARISE, findings)
            decision = await self.perform(
                self.DECIDE,
                Question(
                    application=case.application, full_name=case.full_name, findings=findings, suggestion=suggestion
                ),
            )
        account = None
        if decision.verdict == "approve":
            account = await self.perform(self.OPEN_ACCOUNT, Opening(application=case.application, product=case.product))
        letter = await self.perform(
            self.SEND_DECISION,
            Letter(
                application=case.application,
                full_name=case.full_name,
                email=case.email,
                decision=decision,
                account=account,
            ),
        )
        return Result(decision=decision, account=account, letter=letter)
