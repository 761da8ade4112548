"""Who performs the steps of an affordability assessment."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from activities import annuity
from workunits.ai import Model
from workunits.catalog.affordability_assessment import AffordabilityAssessment as Unit
from workunits.contracts.affordability_assessment import (
    Budget,
    Claimed,
    Deviation,
    Income,
    IncomeUnverifiable,
    Pages,
    Reading,
    Sums,
)
from workunits.contracts.lending import Household, Paper
from workunits.performs import performs
from workunits.proposing import Proposal

TOLERANCE = 0.10
"""By so much, as a fraction, what the papers say may be below what was stated."""
MONTHS = {"permanent": 2, "temporary": 3, "self_employed": 6, "retired": 1, "none": 1}
"""For how many months there must be a paper, by employment."""
CERTAIN = {"permanent": 1.0, "retired": 1.0, "temporary": 0.9, "self_employed": 0.8, "none": 1.0}
"""The share of an income, by employment, that a budget may count on."""
FIRST_ADULT, ADULT, CHILD = 870, 440, 320
"""What people need to live on, without housing, in euros a month; sample figures, not those of an office."""
RESERVE = 200
"""Euros a month that have to be left after the instalment."""
SOUND, HIGHEST = 0.45, 0.60
"""Debt service with housing, as a fraction of the net income: affordable up to the first, never above the second."""
INSTRUCTIONS = (
    "You read payslips, pension notices, tax assessments and bank statements for a bank's credit analyst. Say what the "
    "person earns a month after tax, as the mean of the months that the papers cover, for how many months there is "
    "one, and what goes out a month for other loans. Take figures from the papers alone; note whatever is unclear, "
    "contradictory or looks altered."
)
PROMPT = "1"
"""Version of the instructions: with another one, what is known of the model's judgement counts no more."""
_NET = re.compile(r"(?i)\bnet (?:pay|pension|income)[^0-9]{0,20}([0-9][0-9.,]*)")
_LOAN = re.compile(r"(?i)\bloan instalment[^0-9]{0,20}([0-9][0-9.,]*)")


class PaperReader:
    """Reads papers."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @performs(Unit.READ_PAPERS)
    async def read_papers(self, pages: Pages) -> Proposal[Reading]:
        """Propose a reading. The model is not shown what the applicant stated."""
        plain = plain_reading(pages.papers)
        return await self._model.propose(
            INSTRUCTIONS, pages, Reading, prompt=PROMPT, test_answer=plain, test_confidence=0.9 if plain.months else 0.2
        )


def plain_reading(papers: Iterable[Paper]) -> Reading:
    """What a plain search finds in the papers: the test model's answer, no AI has read them."""
    nets = [_euros(found) for paper in papers for found in _NET.findall(paper.text)]
    loans = [_euros(found) for paper in papers for found in _LOAN.findall(paper.text)]
    return Reading(
        net_income=round(sum(nets) / len(nets)) if nets else 0,
        instalments=sum(loans),
        months=min(len(nets), 24),
        notes=("Read by a plain search: no AI has looked at it.",),
    )


def _euros(figure: str) -> int:
    """Whole euros: `2.450,00` and `2,450.00` are the same."""
    whole = re.sub(r"[.,][0-9]{2}$", "", figure.rstrip(".,"))
    return int(re.sub(r"[.,]", "", whole))


@performs(Unit.VERIFY_INCOME)
def verify_income(claimed: Claimed) -> Income:
    """Compare what was stated with what the papers say, and reckon with the lower one.

    Raises:
        IncomeUnverifiable: the papers are too few, or say clearly less.
    """
    home, reading = claimed.household, claimed.reading
    if reading.months < MONTHS[home.employment] or reading.net_income < home.net_income * (1 - TOLERANCE):
        evidence = Deviation(stated=home.net_income, read=reading.net_income, months=reading.months)
        raise IncomeUnverifiable(evidence=evidence)
    return Income(
        net_income=min(home.net_income, reading.net_income),
        instalments=max(home.instalments, reading.instalments),
        reason=f"Papers for {reading.months} month(s) bear out what was stated.",
    )


@performs(Unit.RECKON)
def reckon(sums: Sums) -> Budget:
    """Reckon a month of the household with the loan, and apply the rule."""
    home, income = sums.household, sums.income
    certain = round(income.net_income * CERTAIN[home.employment])
    monthly = round(annuity.instalment(sums.amount * 100, sums.term_months, sums.nominal_rate) / 100)
    fixed = home.housing_cost + income.instalments
    living = living_cost(home)
    disposable = certain - fixed - living
    left = disposable - monthly
    service = round((fixed + monthly) / certain, 4) if certain else 99.0
    room = min(disposable - RESERVE, SOUND * certain - fixed)
    most = annuity.affordable(max(0, room) * 100, sums.term_months, sums.nominal_rate) // 100
    return Budget(
        verdict=_verdict(left, service),
        instalment=monthly,
        living_cost=living,
        disposable=disposable,
        left=left,
        debt_service=service,
        affordable_amount=most,
    )


def living_cost(home: Household) -> int:
    """What a household of this size needs a month, without housing."""
    return FIRST_ADULT + (home.adults - 1) * ADULT + home.children * CHILD


def _verdict(left: int, service: float) -> Literal["affordable", "strained", "unaffordable"]:
    if left < 0 or service > HIGHEST:
        return "unaffordable"
    return "affordable" if left >= RESERVE and service <= SOUND else "strained"
