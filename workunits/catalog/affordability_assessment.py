"""Affordability assessment: find out whether a household can pay a loan back, month by month.

Both answers achieve the outcome: it is the answer that was promised. Only where the income could not be established
is there none.
"""

from workunits.contracts.affordability_assessment import (
    Affordability,
    Budget,
    Claimed,
    Finances,
    Income,
    IncomeUnverifiable,
    Judgement,
    Pages,
    Reading,
    Strain,
    Sums,
    misread,
)
from workunits.contracts.lending import band
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
    working_hours,
)
from workunits.core.unit import WorkUnit


class AffordabilityAssessment(WorkUnit, name="affordability_assessment", version="1", key="application"):
    """Read the papers, verify the income, reckon the budget, and have an analyst weigh what is strained."""

    stream = "lending"
    outcome = Outcome(
        Affordability,
        "It is established whether the applicant can afford the loan, within 8 working hours.",
        achieved=lambda result: result.verdict != "unknown",
        within=Target(working_hours(8), calendar="back-office"),
        accountable="head of underwriting",
        quality=(Quality("arrears_in_year_one", within=elapsed(days=365), stands=lambda found: found == 0),),
    )
    learning = Learning(
        owner="head of underwriting",
        review=elapsed(days=30),
        measures=(
            Measure("cycle_time", at_most=elapsed(days=1), at="median", baseline="the bank's log of 2012"),
            Measure("first_pass_yield", at_least=0.75, baseline="the first 100 cases of version 1"),
            Measure("exception_rate", at_most=0.25, baseline="the bank's log of 2012"),
        ),
        rates={"credit analyst": Rate(50), "senior credit analyst": Rate(64)},
        segment=lambda case: band(case.amount),
    )

    READ_PAPERS = hybrid(
        "read_papers",
        Pages,
        Reading,
        role="credit analyst",
        accountable="head of underwriting",
        autonomy=Autonomy(level="A3", material=("net_income", "instalments", "months"), decoy=misread, seeded=0.02),
    )
    VERIFY_INCOME = automated("verify_income", Claimed, Income, raises=(IncomeUnverifiable,), inline=True)
    JUDGE_INCOME = human("judge_income", Claimed, Income, role="credit analyst", accountable="head of underwriting")
    RECKON = automated("reckon", Sums, Budget, decides=True, accountable="head of underwriting", inline=True)
    WEIGH = human(
        "weigh",
        Strain,
        Judgement,
        role="senior credit analyst",
        accountable="head of underwriting",
        excludes=(JUDGE_INCOME,),
    )

    rules = (On(IncomeUnverifiable, VERIFY_INCOME, instead=JUDGE_INCOME),)

    async def work(self, case: Finances) -> Affordability:
        """Establish whether the loan is affordable."""
        reading = await self.perform(self.READ_PAPERS, Pages(papers=case.papers))
        income = await self.perform(self.VERIFY_INCOME, Claimed(household=case.household, reading=reading))
        if income.verdict == "not_verifiable":
            return Affordability(verdict="unknown", income=income, reason=income.reason)
        budget = await self.perform(self.RECKON, Sums.of(case, income))
        if budget.verdict == "strained":
            strain = Strain(budget=budget, income=income, employment=case.household.employment)
            judged = await self.perform(self.WEIGH, strain)
            reason = judged.reason or "An analyst finds it affordable."
            return Affordability(verdict=judged.verdict, income=income, budget=budget, reason=reason)
        said = f"After the instalment {budget.left} EUR a month are left."
        return Affordability(verdict=budget.verdict, income=income, budget=budget, reason=said)
