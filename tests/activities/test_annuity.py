"""The annuity formula, by its own properties and by figures that anybody can check."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities import annuity
from workunits.contracts.lending import LEAST, Terms

TERMS = st.builds(
    Terms,
    amount=st.integers(500, 75_000),
    term_months=st.integers(6, 120),
    nominal_rate=st.floats(0, 0.30, allow_nan=False).map(lambda rate: round(rate, 4)),
    fee=st.integers(0, LEAST * 10),
)


def test_a_known_loan() -> None:
    """10,000 EUR over 12 months at 6 % cost 860.67 EUR a month, by every table of annuities."""
    terms = Terms(amount=10_000, term_months=12, nominal_rate=0.06)
    rows = annuity.schedule(terms)

    assert annuity.instalment(1_000_000, 12, 0.06) == 86_067
    assert (rows[0].interest, rows[0].principal, rows[-1].left) == (5_000, 81_067, 0)
    assert annuity.apr(terms, rows) == pytest.approx(0.0617, abs=1e-4)  # (1 + 0.06 / 12) ** 12 - 1


def test_a_fee_makes_a_loan_dearer() -> None:
    """What is paid out is less, and all is paid back."""
    plain, charged = (Terms(amount=10_000, term_months=12, nominal_rate=0.06, fee=fee) for fee in (0, 20_000))
    assert annuity.apr(charged, annuity.schedule(charged)) > annuity.apr(plain, annuity.schedule(plain)) + 0.03


def test_a_loan_without_interest() -> None:
    """Equal parts, and a rate of nothing."""
    terms = Terms(amount=1_200, term_months=12, nominal_rate=0)
    rows = annuity.schedule(terms)
    assert {row.principal for row in rows} == {10_000}
    assert annuity.apr(terms, rows) == 0


@given(TERMS)
def test_a_schedule_pays_back_exactly_what_was_lent(terms: Terms) -> None:
    """The principals add up to the cent; only the last instalment differs, by 1.5 cents a month and their interest."""
    rows = annuity.schedule(terms)
    monthly = annuity.instalment(terms.amount * 100, terms.term_months, terms.nominal_rate)
    paid = [row.interest + row.principal for row in rows]
    # The instalment is rounded up, by at most a cent; each month's interest to the nearest cent.
    rounding = 1.5 * sum((1 + terms.nominal_rate / 12) ** month for month in range(terms.term_months))

    assert sum(row.principal for row in rows) == terms.amount * 100
    assert (len(rows), rows[-1].left) == (terms.term_months, 0)
    assert set(paid[:-1]) <= {monthly}
    assert abs(paid[-1] - monthly) <= rounding + 1


@given(TERMS)
def test_what_is_affordable_is_the_formula_read_backwards(terms: Terms) -> None:
    """A loan of the largest affordable sum has at most the instalment that was to be afforded."""
    monthly = annuity.instalment(terms.amount * 100, terms.term_months, terms.nominal_rate)
    most = annuity.affordable(monthly, terms.term_months, terms.nominal_rate)
    assert most >= terms.amount * 100 - 1
    assert annuity.instalment(most, terms.term_months, terms.nominal_rate) <= monthly
    assert annuity.affordable(0, terms.term_months, terms.nominal_rate) == 0
