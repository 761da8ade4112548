"""The performers of an onboarding, run directly."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from activities import customer_onboarding as performers
from workunits.ai import Model
from workunits.contracts.customer_onboarding import (
    REFUSED_BY_LAW,
    Account,
    Application,
    Decision,
    Document,
    DocumentCheck,
    Documents,
    DocumentsIllegible,
    Findings,
    Hits,
    Letter,
    Opening,
    SanctionsHit,
    Screening,
    Subject,
    Unreadable,
)

DAY = date(2025, 6, 2)
PASSPORT = Document(kind="passport", readability=0.97, issued_on=date(2020, 1, 1), expires_on=date(2030, 1, 1))
BILL = Document(kind="utility_bill", readability=0.9, issued_on=date(2025, 5, 1))
CASE = Application(
    application="A-1",
    full_name="Maria Garcia",
    born_on=date(1990, 6, 3),
    email="maria@example.com",
    country="ES",
    product="current_account",
    monthly_income=2500,
    source_of_funds="salary",
    documents=Documents(received_on=DAY, items=(PASSPORT, BILL)),
)


def _check(*items: Document) -> DocumentCheck:
    return performers.check_documents(Documents(received_on=DAY, items=items))


def test_documents_that_are_in_order_are_complete() -> None:
    """A valid passport and a recent bill leave nothing to find."""
    assert _check(PASSPORT, BILL) == DocumentCheck(complete=True)


@pytest.mark.parametrize(
    ("items", "finding"),
    [
        ((), "no valid identity document"),
        ((PASSPORT,), "no valid proof of address"),
        ((BILL, BILL), "no valid identity document"),
        ((PASSPORT.model_copy(update={"expires_on": date(2025, 6, 1)}), BILL), "passport expired on 2025-06-01"),
        ((PASSPORT.model_copy(update={"expires_on": None}), BILL), "passport without a last day of validity"),
        ((PASSPORT, BILL.model_copy(update={"issued_on": date(2025, 3, 3)})), "more than 90 days old"),
        ((PASSPORT, BILL.model_copy(update={"issued_on": date(2025, 6, 3)})), "after it arrived"),
        ((PASSPORT, BILL.model_copy(update={"kind": "other"})), "no valid proof of address"),
    ],
)
def test_what_is_not_in_order_is_a_finding(items: tuple[Document, ...], finding: str) -> None:
    """A fault of a legible document is told to the officer, not raised."""
    check = _check(*items)
    assert not check.complete
    assert any(finding in said for said in check.findings)


def test_the_edges_of_validity_count_as_valid() -> None:
    """The last day of validity and the 90th day are in time."""
    passport = PASSPORT.model_copy(update={"expires_on": DAY})
    assert _check(passport, BILL.model_copy(update={"issued_on": date(2025, 3, 4)})).complete


def test_a_second_good_document_heals_a_bad_one() -> None:
    """An expired passport beside a valid identity card leaves the check complete, and is still mentioned."""
    expired = PASSPORT.model_copy(update={"expires_on": date(2021, 1, 1)})
    card = Document(kind="identity_card", readability=0.8, issued_on=date(2021, 1, 1))
    check = _check(expired, card, BILL)
    assert check.complete
    assert check.findings == ("passport expired on 2021-01-01",)


def test_illegible_documents_are_sent_back() -> None:
    """A page under the threshold raises with its kind; one at the threshold is checked."""
    blurred = BILL.model_copy(update={"readability": 0.59})
    with pytest.raises(DocumentsIllegible) as raised:
        _check(PASSPORT, blurred)
    assert raised.value.evidence == Unreadable(kinds=("utility_bill",))
    assert _check(PASSPORT, BILL.model_copy(update={"readability": 0.6})).complete


def test_ten_faulty_documents_fit_into_the_check() -> None:
    """As many findings as an application can cause are within the contract's bounds."""
    assert len(_check(*[PASSPORT.model_copy(update={"expires_on": date(2021, 1, 1)})] * 10).findings) == 12


def test_a_clear_name_is_cleared_with_its_ground() -> None:
    """No match says what was compared."""
    screening = performers.screen(Subject(full_name="Maria Garcia", born_on=date(1990, 1, 1)))
    assert screening.verdict == "no_match"
    assert "32 entries" in screening.reason


def test_a_listed_name_goes_to_a_person_with_evidence() -> None:
    """A hit carries the entries, and its text carries no name."""
    with pytest.raises(SanctionsHit) as raised:
        performers.screen(Subject(full_name="Viktor Dragunowsky", born_on=date(1961, 1, 1)))
    assert isinstance(raised.value.evidence, Hits)
    assert raised.value.evidence.matches[0].entry == "X-001"
    assert "Drag" not in raised.value.message


async def test_the_test_model_says_that_it_made_its_summary_up() -> None:
    """The default suggestion is deterministic, follows from the findings, and is honest about itself."""
    check = DocumentCheck(complete=False, findings=("passport expired on 2021-01-01",))
    screening = Screening(verdict="false_match", reason="Another person: born in 1990, not in 1961.")
    summary = await performers.Analyst(Model()).summarise(Findings.of(CASE, check, screening))
    assert summary.level == "medium"
    assert "Made up by the test model" in summary.summary
    assert summary.points == ("passport expired on 2021-01-01", "name is close to a listed one")


def test_findings_name_nobody() -> None:
    """What the model reads has neither the applicant's name and address nor the officer's words."""
    screening = Screening(verdict="false_match", reason="Not the Garcia on the list.")
    said = Findings.of(CASE, DocumentCheck(complete=True), screening).model_dump_json()
    assert "Garcia" not in said
    assert "example.com" not in said
    assert '"age":34' in said  # the birthday is tomorrow


def test_opening_an_account_twice_opens_one(tmp_path: Any, attempt: Any) -> None:
    """A second attempt of the step finds the account of the first."""
    bank = performers.Bank(tmp_path)
    opening = Opening(application="A-1", product="current_account")
    first = attempt(bank.open_account, opening, case="a")
    again = attempt(performers.Bank(tmp_path).open_account, opening, case="a", number=2)
    other = attempt(bank.open_account, opening, case="b")
    assert first == again == Account(number="1000000001")
    assert other.number == "1000000002"
    with closing(sqlite3.connect(tmp_path / "bank.sqlite")) as db:
        assert db.execute("SELECT count(*) FROM accounts").fetchone() == (2,)


def test_accounts_opened_at_once_have_numbers_of_their_own(tmp_path: Any, attempt: Any) -> None:
    """Forty threads opening twenty accounts, each twice, open twenty."""
    bank = performers.Bank(tmp_path)
    opening = Opening(application="A-1", product="savings_account")
    with ThreadPoolExecutor(40) as pool:
        made = list(pool.map(lambda i: attempt(bank.open_account, opening, case=f"case-{i % 20}"), range(40)))
    assert len({account.number for account in made}) == 20
    assert made[:20] == made[20:]


def test_a_product_without_a_number_range_fails_technically(tmp_path: Any, attempt: Any) -> None:
    """A set-up that is missing is no business exception."""
    with pytest.raises(LookupError, match="no range of account numbers is set up for business_account"):
        attempt(performers.Bank(tmp_path).open_account, Opening(application="A-1", product="business_account"))


def test_a_used_up_range_opens_nothing(tmp_path: Any, attempt: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account after the last number is refused, and leaves no row."""
    monkeypatch.setattr(performers, "_number_range", lambda _: (1, 1))
    bank = performers.Bank(tmp_path)
    opening = Opening(application="A-1", product="current_account")
    attempt(bank.open_account, opening, case="a")
    with pytest.raises(LookupError, match="every account number"):
        attempt(bank.open_account, opening, case="b")
    assert attempt(bank.open_account, opening, case="a").number == "1"


@pytest.mark.parametrize(
    ("decision", "account", "said"),
    [
        (Decision(verdict="approve"), Account(number="1000000001"), "account number: 1000000001"),
        (Decision(verdict="refuse", reason="No proof of income."), None, "No proof of income."),
        (Decision(verdict="withdrawn", reason="Asked by phone."), None, "as you wished"),
        (REFUSED_BY_LAW, None, "not able to offer"),
    ],
)
def test_the_letter_says_what_was_decided(
    decision: Decision, account: Account | None, said: str, transport: Any, attempt: Any
) -> None:
    """Each decision has its letter, under the step's key."""
    letter = Letter(application="A-1", full_name="Ana", email="ana@example.com", decision=decision, account=account)
    sent = attempt(performers.Letters(transport).send_decision, letter, case="a", step="send_decision")
    to, subject, body, key = transport.sent[0]
    assert (to, subject, key) == ("ana@example.com", "Your application A-1", "a/send_decision")
    assert said in body
    assert sent.message == "<a/send_decision>"


def test_a_refusal_by_law_tips_nobody_off() -> None:
    """The letter after a true match does not say why."""
    assert "sanction" not in REFUSED_BY_LAW.reason.lower()


@pytest.mark.parametrize("reason", ["", " ", "\n\t"])
@pytest.mark.parametrize("verdict", ["refuse", "withdrawn"])
def test_a_decision_against_the_account_needs_a_reason(verdict: Any, reason: str) -> None:
    """A refusal without a reason is not a decision."""
    with pytest.raises(ValidationError, match="a reason is required"):
        Decision(verdict=verdict, reason=reason)


@pytest.mark.parametrize(
    "change",
    [
        {"email": "a@example.com, b@example.com"},
        {"email": "a@example.com\nBcc: b@example.com"},
        {"email": "a@b"},
        {"full_name": "Maria\nGarcia"},
        {"full_name": "   "},
        {"full_name": "x" * 201},
        {"application": "../A-1"},
        {"country": "Spain"},
        {"born_on": "1899-12-31"},
        {"born_on": "2025-06-03"},
        {"monthly_income": -1},
    ],
)
def test_an_application_that_does_not_fit_is_refused(change: dict[str, Any]) -> None:
    """Lists of addresses, line breaks, unborn applicants and the like never become a case."""
    with pytest.raises(ValidationError):
        Application.model_validate(CASE.model_dump() | change)
