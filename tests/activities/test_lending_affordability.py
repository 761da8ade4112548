"""The performers of an affordability assessment, run directly."""

from __future__ import annotations

from typing import Any

import pytest

from activities import affordability_assessment as performers
from tests.catalog.loans import application, payslips, statement
from workunits.contracts.affordability_assessment import (
    Claimed,
    Finances,
    Income,
    IncomeUnverifiable,
    Pages,
    Reading,
    Sums,
    misread,
)


def _sums(net: int = 2_900, instalments: int = 0, **change: Any) -> Sums:
    case = Finances.of(application(**change))
    return Sums.of(case, Income(net_income=net, instalments=instalments, reason="as the papers say"))


def test_a_plain_search_reads_figures_of_both_kinds() -> None:
    """Thousands may be set apart by dots or commas; each month counts."""
    papers = [
        slip.model_copy(update={"text": f"Net pay {net}"})
        for slip, net in zip(payslips(1), ("2.450,00", "2,550.00", "2500"), strict=True)
    ]
    reading = performers.plain_reading([*papers, statement(120)])
    assert (reading.net_income, reading.months, reading.instalments) == (2_500, 3, 120)


def test_nothing_to_read_is_an_income_of_nothing() -> None:
    """No figure is made up."""
    assert performers.plain_reading([statement()]).net_income == 0


@pytest.mark.parametrize(
    ("employment", "months", "read", "verified"),
    [
        ("permanent", 2, 2_900, True),
        ("permanent", 2, 2_610, True),
        ("permanent", 2, 2_609, False),
        ("permanent", 1, 2_900, False),
        ("self_employed", 5, 2_900, False),
        ("self_employed", 6, 3_500, True),
        ("retired", 1, 2_900, True),
    ],
)
def test_an_income_is_verified_by_enough_papers_that_agree(
    employment: Any, months: int, read: int, *, verified: bool
) -> None:
    """Ten per cent less is still the same; what is reckoned with is the lower of the two."""
    household = application(household={"employment": employment}).household
    claimed = Claimed(household=household, reading=Reading(net_income=read, months=months, instalments=90))
    if not verified:
        with pytest.raises(IncomeUnverifiable) as raised:
            performers.verify_income(claimed)
        assert raised.value.details[0]["read"] == read
        return
    income = performers.verify_income(claimed)
    assert (income.net_income, income.instalments) == (min(read, 2_900), 90)


def test_the_budget_is_made_from_its_parts() -> None:
    """2,900 less 750 rent, 870 to live on and the instalment of 8,000 EUR over 36 months at 6.9 %."""
    budget = performers.reckon(_sums())
    assert (budget.instalment, budget.living_cost, budget.disposable, budget.left) == (247, 870, 1_280, 1_033)
    assert budget.debt_service == pytest.approx((750 + 247) / 2_900, abs=1e-4)
    assert budget.verdict == "affordable"


@pytest.mark.parametrize(
    ("net", "instalments", "verdict"),
    [
        (2_900, 0, "affordable"),
        (2_216, 0, "affordable"),
        (2_215, 0, "strained"),  # 997 of it are 45.01 %
        (2_068, 0, "strained"),
        (2_066, 0, "strained"),  # 199 are left
        (1_867, 0, "strained"),  # nothing is left, and nothing is lacking
        (1_866, 0, "unaffordable"),
        (2_900, 744, "unaffordable"),  # 60.03 % go to debt service
        (0, 0, "unaffordable"),
    ],
)
def test_the_rule_on_both_sides_of_its_edges(net: int, instalments: int, verdict: str) -> None:
    """What is left, and what share of the income is spoken for."""
    assert performers.reckon(_sums(net, instalments)).verdict == verdict


def test_more_mouths_need_more() -> None:
    """A second adult and two children cost 440 and 2 x 320 a month."""
    home = application(household={"adults": 2, "children": 2}).household
    assert performers.living_cost(home) == 870 + 440 + 640


def test_an_uncertain_income_counts_for_less() -> None:
    """Four fifths of what the self-employed earn."""
    certain, less = (
        performers.reckon(_sums(household={"employment": kind})) for kind in ("permanent", "self_employed")
    )
    assert certain.disposable - less.disposable == 580


def test_the_largest_affordable_loan_is_affordable() -> None:
    """A loan of that amount passes the rule, one of 2 % more does not."""
    most = performers.reckon(_sums()).affordable_amount
    assert performers.reckon(_sums(amount=most)).verdict == "affordable"
    assert performers.reckon(_sums(amount=round(most * 1.02))).verdict != "affordable"


def test_a_decoy_is_wrong_for_whoever_reads_the_papers() -> None:
    """Also where there was no income at all."""
    for net in (0, 2_900):
        right = Reading(net_income=net, instalments=90, months=3)
        wrong = misread(Pages(papers=()), right)
        assert (wrong.net_income, wrong.instalments) == (2 * net + 1, 0)
