"""Complaint about a decision: somebody who did not take it looks at it again, and the complainant gets an answer.

Upheld and rejected both achieve the outcome: it is the answer that was promised. A complaint that is taken back, or
one about a decision that nobody can find, is answered by nothing, and not achieved.
"""

from workunits.contracts.decision_complaint import (
    Assessment,
    Complaint,
    Decision,
    DecisionUnknown,
    File,
    Finding,
    Grievance,
    Reference,
    Reply,
    Result,
    Review,
    Summary,
)
from workunits.contracts.lending import Sent
from workunits.core.spec import (
    Learning,
    Measure,
    On,
    OnFailure,
    Outcome,
    Pause,
    Quality,
    Rate,
    Target,
    ai,
    automated,
    elapsed,
    human,
    working_days,
)
from workunits.core.unit import WorkUnit


class DecisionComplaint(WorkUnit, name="decision_complaint", version="1", key="complaint"):
    """Find the decision, look at it again, have an independent person decide, and answer."""

    stream = "lending"
    outcome = Outcome(
        Result,
        "The complainant has an answer with its reason, from somebody independent, within 10 working days.",
        achieved=lambda result: result.letter is not None,
        within=Target(working_days(10), calendar="back-office", pauses=(Pause("customer", cap=elapsed(days=28)),)),
        accountable="head of customer care",
        quality=(
            Quality("upheld", of_result=lambda result: result.verdict == "upheld"),
            Quality("taken_to_the_ombudsman", within=elapsed(days=180), stands=lambda found: found == 0),
        ),
    )
    learning = Learning(
        owner="head of customer care",
        review=elapsed(days=30),
        measures=(
            Measure("on_time", at_least=0.98, baseline="the first 100 cases of version 1"),
            Measure("cycle_time", at_most=elapsed(days=8), at="p85", baseline="the first 100 cases of version 1"),
            Measure("rework_rate", at_most=0.1, baseline="the first 100 cases of version 1"),
        ),
        rates={"complaint handler": Rate(43), "independent reviewer": Rate(68)},
        segment=lambda case: case.cause,
    )
    facts = ("cause", "channel")

    FIND_DECISION = automated("find_decision", Reference, Decision, raises=(DecisionUnknown,))
    ASK_NUMBER = human(
        "ask_number",
        Reference,
        Reference,
        role="customer",
        external=True,
        decides=False,
        expires=elapsed(days=28),
    )
    SUMMARISE = ai("summarise", Grievance, Summary)
    SUMMARISE_BY_HAND = human("summarise_by_hand", Grievance, Summary, role="complaint handler", decides=False)
    ASSESS = human("assess", File, Assessment, role="complaint handler", accountable="head of customer care")
    REVIEW = human(
        "review",
        Review,
        Finding,
        role="independent reviewer",
        accountable="head of compliance",
        excludes=(ASSESS, SUMMARISE_BY_HAND),
    )
    SEND_ANSWER = automated("send_answer", Reply, Sent, approved_by=REVIEW, payload=lambda reply: reply.finding)

    rules = (
        On(DecisionUnknown, FIND_DECISION, repair=ASK_NUMBER, times=1),
        OnFailure(SUMMARISE, instead=SUMMARISE_BY_HAND),
    )

    async def work(self, case: Complaint) -> Result:
        """Answer the complaint."""
        decision = await self.perform(self.FIND_DECISION, Reference(application=case.application))
        grievance = Grievance(cause=case.cause, words=case.words, decision=decision)
        summary = await self.perform(self.SUMMARISE, grievance)
        file = File(complaint=case.complaint, grievance=grievance, summary=summary)
        assessment = await self.perform(self.ASSESS, file)
        if assessment.verdict == "withdrawn":
            return Result(verdict="withdrawn")
        finding = await self.perform(self.REVIEW, Review(file=file, assessment=assessment))
        letter = await self.perform(
            self.SEND_ANSWER,
            Reply(complaint=case.complaint, full_name=case.full_name, email=case.email, finding=finding),
        )
        return Result(verdict=finding.verdict, finding=finding, letter=letter)
