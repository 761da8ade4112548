"""Application intake: get an application to the point at which it can be decided, or return it with a reason.

Accepted and returned both achieve the outcome: it is the answer that was promised, not the loan. An applicant who no
longer wants one leaves it unachieved, and so do papers that stay incomplete, or a second application for one loan.
"""

from workunits.contracts.application_intake import (
    ACCEPTED,
    NOT_CLEARED,
    NOT_IDENTIFIED,
    Admission,
    Completeness,
    DocumentsIncomplete,
    Doubts,
    DuplicateApplication,
    Registered,
    Result,
    Submission,
    letter_of,
)
from workunits.contracts.identity_screening import Clearance, Identification
from workunits.contracts.lending import Application, Letter, NotEstablished, Sent, band, number_of
from workunits.core.spec import (
    Learning,
    Measure,
    On,
    Outcome,
    Pause,
    Quality,
    Rate,
    Target,
    automated,
    elapsed,
    human,
    unit_step,
    working_days,
)
from workunits.core.unit import WorkUnit


class ApplicationIntake(WorkUnit, name="application_intake", version="1", key="application"):
    """Complete the papers, register the application, have the applicant identified, and admit it or return it."""

    stream = "lending"
    outcome = Outcome(
        Result,
        "The application is accepted for a decision, or returned with a reason, within 2 working days.",
        achieved=lambda result: result.admission.verdict in ("accept", "return"),
        within=Target(working_days(2), calendar="back-office", pauses=(Pause("customer", cap=elapsed(days=28)),)),
        accountable="head of loan operations",
        quality=(Quality("accepted", of_result=lambda result: result.admission.verdict == "accept"),),
    )
    learning = Learning(
        owner="head of loan operations",
        review=elapsed(days=30),
        measures=(
            Measure("cycle_time", at_most=elapsed(days=1), at="median", baseline="the bank's log of 2012"),
            Measure("exception_rate", at_most=0.3, baseline="the bank's log of 2012"),
            Measure("straight_through_rate", at_least=0.6, baseline="the bank's log of 2012"),
        ),
        rates={"intake clerk": Rate(36)},
        segment=lambda case: band(case.amount),
    )
    facts = ("channel", "purpose")

    CHECK_PAPERS = automated("check_papers", Submission, Completeness, raises=(DocumentsIncomplete,), inline=True)
    COMPLETE = human(
        "complete", Submission, Submission, role="customer", external=True, decides=False, expires=elapsed(days=14)
    )
    REGISTER = automated("register", Application, Registered, raises=(DuplicateApplication,))
    IDENTIFY = unit_step(
        "identify", Identification, Clearance, unit="identity_screening", key=number_of, raises=(NotEstablished,)
    )
    IDENTIFY_IN_BRANCH = human(
        "identify_in_branch", Identification, Clearance, role="intake clerk", accountable="head of compliance"
    )
    ADMIT = human("admit", Doubts, Admission, role="intake clerk", accountable="head of loan operations")
    TELL = automated("tell", Letter, Sent)

    rules = (
        On(DocumentsIncomplete, CHECK_PAPERS, repair=COMPLETE, times=1),
        On(DuplicateApplication, REGISTER),
        On(NotEstablished, IDENTIFY, instead=IDENTIFY_IN_BRANCH),
    )

    async def work(self, case: Application) -> Result:
        """Admit the application, or return it."""
        checked = await self.perform(self.CHECK_PAPERS, Submission.of(case))
        application = case.model_copy(update={"papers": checked.submission.papers})
        await self.perform(self.REGISTER, application)
        clearance = await self.perform(self.IDENTIFY, Identification.of(application, checked.submission.received_on))
        if clearance.verdict in ("listed", "impostor"):
            admission = NOT_CLEARED
        elif clearance.verdict == "not_established":
            admission = NOT_IDENTIFIED
        elif checked.doubts:
            admission = await self.perform(self.ADMIT, Doubts(application=application, doubts=checked.doubts))
        else:
            admission = ACCEPTED
        letter = await self.perform(self.TELL, letter_of(application, admission))
        return Result(admission=admission, application=application, clearance=clearance, letter=letter)
