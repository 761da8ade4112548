"""What the contracts of the lending units refuse at the door: what a later step could not take any more."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from activities import annuity
from tests.catalog.loans import application
from workunits.contracts.credit_decision import Recommendation
from workunits.contracts.lending import LARGEST, LEAST, Application, Terms


def mistyped(**change):
    """An application's JSON with one part changed, read as at the door."""
    read = application().model_dump(mode="json")
    for path, value in change.items():
        part, _, name = path.rpartition("__")
        (read[part] if part else read)[name] = value
    return Application.model_validate(read)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"household__employed_since": "1916-04-01"}, "household.employed_since: the applicant was not born yet"),
        ({"household__employed_since": "1936-04-01", "applicant__born_on": "1920-01-01"}, "over 80 years before"),
        ({"applicant__born_on": "1901-01-01"}, "applicant.born_on: the applicant would be over 120 years old"),
        ({"received_on": "2206-03-02"}, "over 120 years old on received_on"),
        ({"received_on": "1980-03-02"}, "received_on: it was received before the applicant was born"),
    ],
)
def test_a_mistyped_year_is_refused_at_the_door(change, said):
    """It names the field: deep in the case it would have been a figure that no step takes."""
    with pytest.raises(ValidationError, match=said):
        mistyped(**change)


@pytest.mark.parametrize("amount", [0, LEAST - 1, LARGEST + 1])
def test_an_approval_is_of_a_loan_that_the_bank_grants(amount):
    """No offer could be drawn up of any other."""
    with pytest.raises(ValidationError, match="amount: an approval is of 500 to 75,000 euros"):
        Recommendation(verdict="approve", amount=amount, nominal_rate=0.05)


def test_a_fee_is_a_small_part_of_the_loan():
    """Else there is nothing left to pay out."""
    with pytest.raises(ValidationError, match="fee: 5001 cents are over a tenth of 500 euros"):
        Terms(amount=500, term_months=6, nominal_rate=0.05, fee=5_001)


def test_a_smaller_loan_takes_no_greater_fee():
    """The fee of 6,000 euros is more than may be taken of 500."""
    terms = Terms(amount=6_000, term_months=12, nominal_rate=0.064, fee=6_000).changed(500, None)

    assert (terms.amount, terms.term_months, terms.fee) == (500, 12, 5_000)


@settings(deadline=None)
@given(
    amount=st.integers(LEAST, LARGEST),
    months=st.integers(6, 120),
    rate=st.floats(0, 0.30),
    share=st.floats(0, 0.1),
)
def test_every_loan_has_a_rate_that_an_offer_can_state(amount, months, rate, share):
    """The dearest one, short and with the highest fee, included."""
    terms = Terms(amount=amount, term_months=months, nominal_rate=rate, fee=int(amount * 100 * share))

    assert 0 <= annuity.apr(terms, annuity.schedule(terms)) <= 1
