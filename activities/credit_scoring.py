"""The score card: how likely a loan is paid back, which hard rules bar it, and what it costs.

A sample card, made up to be plausible; a bank fits its own to its own losses. It adds nothing for age, sex, name or
country: a hard rule asks only that somebody is of age, and not too old for the term.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from workunits.contracts.credit_decision import Factor, Grade, Particulars, Scored
from workunits.contracts.lending import LEAST

BASE = 100
EMPLOYMENT = {"permanent": 120, "retired": 110, "self_employed": 70, "temporary": 60, "none": 0}
EMPLOYED = ((60, 100), (24, 75), (12, 45), (3, 20))
"""From so many months on, so many points; below the last none."""
HOUSING = {"own": 80, "mortgage": 70, "rent": 50, "family": 45}
PURPOSE = {"home_improvement": 50, "car": 50, "other": 30, "debt_consolidation": 25}
SERVICE = ((0.25, 150), (0.35, 115), (0.45, 75), (0.60, 20))
"""Up to so much debt service, so many points."""
TO_INCOME = ((0.25, 100), (0.5, 75), (1.0, 40), (2.0, 10))
"""Up to so much of a year's net income."""
INQUIRIES = ((1, 60), (3, 35))
FRAUD_POINTS = ((19, 60), (39, 35))
NO_FILE, NO_DEFAULT, OLD_DEFAULT = 60, 180, 60
OLD = 36
"""Months after which a default counts less."""
RECENT = 12
"""Months within which a default bars a loan."""
GRADES: tuple[tuple[int, Grade], ...] = ((780, "A"), (690, "B"), (600, "C"), (500, "D"))
RATES: dict[Grade, float] = {"A": 0.049, "B": 0.064, "C": 0.084, "D": 0.109, "E": 0.0}
"""Nominal rate a year by grade; a loan of grade E is never made."""
EVEN, SPREAD = 450, 80
"""The score at which a default is as likely as not, and how fast that changes."""
ADULT, OLDEST = 18, 75
MOST = 50_000
"""The largest loan, in whole euros; more is for the mortgage department."""


def score(known: Particulars) -> Scored:
    """Add up the card and apply the hard rules."""
    factors = tuple(_factors(known))
    total = BASE + sum(factor.points for factor in factors)
    grade = grade_of(total)
    most = _most(known)
    return Scored(
        score=total,
        grade=grade,
        default_odds=round(1 / (1 + math.exp((total - EVEN) / SPREAD)), 4),
        factors=factors,
        barred=tuple(_bars(known, grade, most)),
        most=most,
    )


def grade_of(total: int) -> Grade:
    """The grade of a score."""
    return next((letter for least, letter in GRADES if total >= least), "E")


def _factors(known: Particulars) -> Iterator[Factor]:
    report, budget, income = known.report, known.affordability.budget, known.affordability.income
    yield Factor(name="employment", points=EMPLOYMENT[known.employment], best=max(EMPLOYMENT.values()))
    months = math.inf if known.employment == "retired" else known.employed_months
    yield Factor(name="time employed", points=next((p for least, p in EMPLOYED if months >= least), 0), best=100)
    yield Factor(name="housing", points=HOUSING[known.housing], best=max(HOUSING.values()))
    service = budget.debt_service if budget else math.inf
    yield Factor(name="debt service", points=_up_to(SERVICE, service), best=SERVICE[0][1])
    share = known.amount / (12 * income.net_income) if income.net_income else math.inf
    yield Factor(name="loan to income", points=_up_to(TO_INCOME, share), best=TO_INCOME[0][1])
    yield Factor(name="paid back before", points=_history(known), best=NO_DEFAULT)
    yield Factor(name="asked elsewhere", points=_up_to(INQUIRIES, report.inquiries), best=INQUIRIES[0][1])
    yield Factor(name="purpose", points=PURPOSE[known.purpose], best=max(PURPOSE.values()))
    yield Factor(name="fraud signals", points=_up_to(FRAUD_POINTS, known.fraud.points), best=FRAUD_POINTS[0][1])


def _up_to(steps: Sequence[tuple[float, int]], value: float) -> int:
    return next((points for most, points in steps if value <= most), 0)


def _history(known: Particulars) -> int:
    report = known.report
    if report.months_since_default is not None:
        return OLD_DEFAULT if report.months_since_default >= OLD else 0
    return NO_DEFAULT if report.known else NO_FILE


def _bars(known: Particulars, grade: Grade, most: int) -> Iterator[str]:
    since = known.report.months_since_default
    if known.fraud.verdict != "clear":
        yield "The application could not be confirmed."
    if since is not None and since < RECENT:
        yield "A loan was not paid back within the last year."
    if known.affordability.verdict == "unknown":
        yield "The income could not be verified."
    elif known.affordability.verdict == "unaffordable" and most < LEAST:
        yield "The instalment would leave too little to live on."
    if known.age < ADULT or known.age + known.term_months / 12 > OLDEST:
        yield "The term does not fit the applicant's age."
    if grade == "E":
        yield "The information on file does not support a loan."


def _most(known: Particulars) -> int:
    """The largest loan: what an analyst found affordable as it was asked for, else what the budget leaves room for."""
    found = known.affordability
    if found.verdict == "unknown" or found.budget is None:
        return 0
    room = found.budget.affordable_amount
    return min(MOST, max(known.amount, room) if found.verdict == "affordable" else min(known.amount, room))
