"""The performers of offers, contracts and payments, run directly: money moves once, and what is undone stays undone."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities import contract_and_disbursement as contracting
from activities import offer_and_acceptance as offering
from tests.catalog.loans import DAY, IBAN, TERMS
from workunits.contracts.contract_and_disbursement import (
    AccountRefused,
    Activation,
    BookingRefused,
    Contract,
    Destination,
    Draft,
    Payout,
    SignatureMismatch,
    Signed,
)
from workunits.contracts.offer_and_acceptance import Acceptance, Answer, Approval, Mailing, Offer, OfferExpired, Wish

CASE = "contract_and_disbursement:L-7"
DRAFT = Draft(application="L-7", offer="O-1", terms=TERMS, instalment=51_750)
PAYOUT = Payout(application="L-7", contract="K-7", iban=IBAN, cents=TERMS.amount * 100 - TERMS.fee)
APPROVAL = Approval(
    application="L-7", full_name="Maria Garcia", email="maria@example.com", terms=TERMS, most=8_000, approved_on=DAY
)


def _rows(folder: Any, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "lending.sqlite")) as db:
        return db.execute(query).fetchall()


# --- offers -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def offers(tmp_path: Any) -> offering.Offers:
    """The register of offers."""
    return offering.Offers(tmp_path)


def _offer(offers: offering.Offers, attempt: Any, step: str = "draw_up") -> Offer:
    drawn: Offer = attempt(offers.draw_up, Wish.first(APPROVAL), case="c", step=step)
    return drawn


def _accepted(offer: Offer, days: int) -> Acceptance:
    return Acceptance(offer=offer, answer=Answer(verdict="accept", answered_on=DAY + timedelta(days=days)))


def test_an_offer_is_drawn_up_once(offers: Any, attempt: Any, tmp_path: Any) -> None:
    """A second attempt gives the same offer, and enters none."""
    first, again = _offer(offers, attempt), _offer(offers, attempt)
    assert first == again
    assert (first.valid_until, first.instalment) == (DAY + timedelta(days=30), 51_751)
    assert first.apr > TERMS.nominal_rate
    assert _rows(tmp_path, "SELECT state FROM offers") == [("open",)]


def test_the_last_day_counts(offers: Any, attempt: Any) -> None:
    """Accepted on it is in time, accepted the day after is too late; twice is once."""
    offer = _offer(offers, attempt)
    with pytest.raises(OfferExpired):
        offers.check_acceptance(_accepted(offer, 31))
    assert offers.check_acceptance(_accepted(offer, 30)) == offers.check_acceptance(_accepted(offer, 30))


def test_a_withdrawn_offer_cannot_be_accepted(offers: Any, attempt: Any) -> None:
    """It no longer binds the bank, whatever its date says."""
    offer = _offer(offers, attempt)
    offers.withdraw(offer)
    with pytest.raises(OfferExpired):
        offers.check_acceptance(_accepted(offer, 1))


def test_an_accepted_offer_cannot_be_withdrawn(offers: Any, attempt: Any) -> None:
    """It binds both sides; and an offer of which the register knows nothing is a technical failure."""
    offer = _offer(offers, attempt)
    offers.check_acceptance(_accepted(offer, 1))
    for what, code in ((offer, "offer_accepted"), (offer.model_copy(update={"offer": "O-99"}), "offer_unknown")):
        with pytest.raises(ApplicationError) as raised:
            offers.withdraw(what)
        assert raised.value.type == code


def test_a_changed_offer_stays_within_the_approval(offers: Any, attempt: Any) -> None:
    """More than was approved is cut; the term is as it was unless it is named."""
    offer = _offer(offers, attempt)
    wish = Wish.changed(APPROVAL, offer, Answer(verdict="change", amount=20_000, answered_on=DAY))
    assert (wish.terms.amount, wish.terms.term_months) == (8_000, TERMS.term_months)


def test_the_offer_says_what_the_law_wants_said(offers: Any, attempt: Any, transport: Any) -> None:
    """Both rates, the instalment, the total, the fee and the last day."""
    offer = _offer(offers, attempt)
    mailing = Mailing(full_name="Maria Garcia", email="maria@example.com", offer=offer)
    attempt(offering.OfferLetters(transport).send_offer, mailing, case="c", step="send_offer")
    body = transport.sent[0][2]
    for said in ("6,000 EUR", "517.51 EUR", "Nominal rate 6.40%", "charge 8.61%", "60.00 EUR", "01.04.2026"):
        assert said in body


# --- contracts --------------------------------------------------------------------------------------------------------


@pytest.fixture
def made(tmp_path: Any, attempt: Any) -> Contract:
    """A contract in the register."""
    contract: Contract = attempt(contracting.Contracts(tmp_path).make_contract, DRAFT, case=CASE, step="make_contract")
    return contract


def _signed(made: Contract, **change: Any) -> Signed:
    return Signed(contract=made.contract, digest=made.digest, signed_on=DAY).model_copy(update=change)


def test_a_contract_is_made_once(made: Contract, tmp_path: Any, attempt: Any) -> None:
    """Its own case may try again; another one is refused, until it is void."""
    contracts = contracting.Contracts(tmp_path)
    assert attempt(contracts.make_contract, DRAFT, case=CASE, step="make_contract") == made
    with pytest.raises(ApplicationError, match="there is a contract already"):
        attempt(contracts.make_contract, DRAFT, case="other", step="make_contract")
    contracts.void(made)
    assert attempt(contracts.make_contract, DRAFT, case="other", step="make_contract") == made


def test_two_applications_never_share_a_contract(tmp_path: Any, attempt: Any) -> None:
    """L-7 and L-007 are two keys, and two loans."""
    contracts = contracting.Contracts(tmp_path)
    drafts = (DRAFT, DRAFT.model_copy(update={"application": "L-007"}))
    made = [
        attempt(contracts.make_contract, each, case=f"c:{each.application}", step="make_contract") for each in drafts
    ]

    assert [each.contract for each in made] == ["K-7", "K-007"]


def test_only_the_very_text_is_signed(made: Contract, tmp_path: Any, attempt: Any) -> None:
    """Another text, another case's contract, an unknown and a void one do not count."""
    contracts = contracting.Contracts(tmp_path)
    assert attempt(contracts.check_signature, _signed(made), case=CASE).signed_on == DAY
    for case, signed in (
        (CASE, _signed(made, digest="0" * 64)),
        ("contract_and_disbursement:L-8", _signed(made)),
        (CASE, _signed(made, contract="K-9")),
    ):
        with pytest.raises(SignatureMismatch):
            attempt(contracts.check_signature, signed, case=case)
    contracts.void(made)
    with pytest.raises(SignatureMismatch):
        attempt(contracts.check_signature, _signed(made), case=CASE)


@pytest.mark.parametrize(
    ("iban", "held"),
    [
        (IBAN, True),
        ("GB82WEST12345698765432", True),
        ("DE89370400440532013001", False),
        ("DE98370400440532013000", False),
    ],
)
def test_an_account_number_has_check_digits(iban: str, *, held: bool) -> None:
    """Modulo 97, letters counted from 10; one wrong digit is found."""
    assert contracting.holds(iban) is held


def test_an_account_is_checked_before_anybody_releases_to_it() -> None:
    """A bank that takes no payments is refused like a wrong number."""
    assert contracting.check_account(Destination(iban=IBAN)).iban == IBAN
    for iban in ("DE00370400440532013000", "DE63000000440532013000"):
        with pytest.raises(AccountRefused):
            contracting.check_account(Destination(iban=iban))


# --- payments ---------------------------------------------------------------------------------------------------------


def test_rival_attempts_pay_once(tmp_path: Any, attempt: Any) -> None:
    """Twenty threads with one key pay once; the timed-out attempt that is still running counts too."""
    payments = contracting.Payments(tmp_path)
    with ThreadPoolExecutor(20) as pool:
        paid = list(pool.map(lambda _: attempt(payments.pay_out, PAYOUT, case=CASE, step="pay_out"), range(20)))
    assert {one.payment for one in paid} == {1}
    assert _rows(tmp_path, "SELECT cents, effect_key FROM disbursements") == [(PAYOUT.cents, f"{CASE}/pay_out")]


def test_a_contract_is_paid_once_whoever_asks(tmp_path: Any, attempt: Any) -> None:
    """Another key does not pay it again, and the same key pays nothing else."""
    payments = contracting.Payments(tmp_path)
    attempt(payments.pay_out, PAYOUT, case=CASE, step="pay_out")
    for case, payout, code in (
        ("other", PAYOUT, "already_paid"),
        (CASE, PAYOUT.model_copy(update={"cents": 1}), "key_reused"),
    ):
        with pytest.raises(ApplicationError) as raised:
            attempt(payments.pay_out, payout, case=case, step="pay_out")
        assert (raised.value.type, raised.value.non_retryable) == (code, True)


def test_a_reversal_is_an_entry_of_its_own(tmp_path: Any, attempt: Any) -> None:
    """The ledger keeps both, their sum is nothing, and a second reversal is none."""
    payments = contracting.Payments(tmp_path)
    paid = attempt(payments.pay_out, PAYOUT, case=CASE, step="pay_out")
    first = attempt(payments.reverse, paid, case=CASE, step="pay_out-undo")
    assert attempt(payments.reverse, paid, case=CASE, step="again") == first
    assert _rows(tmp_path, "SELECT count(*), sum(cents) FROM disbursements") == [(2, 0)]
    assert attempt(payments.pay_out, PAYOUT, case="anew", step="pay_out").payment == 3  # may be paid again


def test_a_loan_is_opened_for_what_was_paid(made: Contract, tmp_path: Any, attempt: Any) -> None:
    """Nothing paid is no loan; a second loan for the application is refused, a second attempt is not."""
    payments, book = contracting.Payments(tmp_path), contracting.LoanBook(tmp_path)
    paid = attempt(payments.pay_out, PAYOUT, case=CASE, step="pay_out")
    activation = Activation(contract=made, paid=paid)
    loan = attempt(book.activate, activation, case=CASE, step="activate")
    assert attempt(book.activate, activation, case=CASE, step="activate") == loan
    with pytest.raises(BookingRefused):
        attempt(book.activate, activation, case="other", step="activate")


def test_what_was_reversed_opens_no_loan(made: Contract, tmp_path: Any, attempt: Any) -> None:
    """The loan book looks at the ledger, not at what it is told."""
    payments = contracting.Payments(tmp_path)
    paid = attempt(payments.pay_out, PAYOUT, case=CASE, step="pay_out")
    attempt(payments.reverse, paid, case=CASE, step="undo")
    with pytest.raises(BookingRefused):
        attempt(contracting.LoanBook(tmp_path).activate, Activation(contract=made, paid=paid), case=CASE)
