"""The performers of an application's intake, run directly."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from activities import application_intake as performers
from tests.catalog.loans import DAY, application, passport, payslips, statement
from workunits.contracts.application_intake import (
    ACCEPTED,
    DocumentsIncomplete,
    DuplicateApplication,
    Submission,
    letter_of,
)
from workunits.contracts.lending import Paper

PASSPORT = passport("Maria Garcia", date(1990, 6, 3))
SLIPS = payslips(2_900)


def _but(paper: Paper, **change: Any) -> Paper:
    return paper.model_copy(update=change)


def _sent(*papers: Paper, employment: Any = "permanent") -> Submission:
    return Submission(received_on=DAY, employment=employment, papers=papers)


def test_complete_papers_raise_no_doubt() -> None:
    """Identity, income, bank statement."""
    assert performers.check_papers(_sent(PASSPORT, *SLIPS, statement())).doubts == ()


@pytest.mark.parametrize(
    ("papers", "missing"),
    [
        ((*SLIPS, statement()), "an identity document"),
        ((PASSPORT, statement()), "a proof of income"),
        ((PASSPORT, *SLIPS), "a bank statement"),
        ((PASSPORT.model_copy(update={"readability": 0.59}), *SLIPS, statement()), "an identity document"),
        (
            (PASSPORT.model_copy(update={"expires_on": DAY - timedelta(days=1)}), *SLIPS, statement()),
            "an identity document",
        ),
        (
            (PASSPORT, *SLIPS, statement().model_copy(update={"issued_on": DAY - timedelta(days=121)})),
            "a bank statement",
        ),
    ],
)
def test_what_lacks_is_said(papers: tuple[Paper, ...], missing: str) -> None:
    """Missing, unreadable and outdated are all asked for again, by name."""
    with pytest.raises(DocumentsIncomplete) as raised:
        performers.check_papers(_sent(*papers))
    assert raised.value.details[0]["missing"] == [missing]


@pytest.mark.parametrize(("employment", "kind"), [("retired", "pension_notice"), ("self_employed", "tax_assessment")])
def test_what_proves_an_income_depends_on_the_work(employment: str, kind: Any) -> None:
    """A payslip is none for somebody who is retired."""
    with pytest.raises(DocumentsIncomplete):
        performers.check_papers(_sent(PASSPORT, *SLIPS, statement(), employment=employment))
    notice = Paper(kind=kind, readability=0.9, issued_on=date(2025, 1, 1))
    assert performers.check_papers(_sent(PASSPORT, notice, statement(), employment=employment)) is not None


def test_what_can_hardly_be_read_is_for_a_clerk() -> None:
    """It is not asked for again, and not taken for granted."""
    faint = statement().model_copy(update={"readability": 0.7, "issued_on": DAY + timedelta(days=1)})
    doubts = performers.check_papers(_sent(PASSPORT, *SLIPS, faint)).doubts
    assert doubts == ("the bank_statement can hardly be read", "the bank_statement is dated after it arrived")


def test_a_second_application_for_one_loan_is_a_duplicate(tmp_path: Any) -> None:
    """Same person, sum and purpose within 30 days; another spelling of the name does not hide it."""
    register = performers.Register(tmp_path)
    first = application(name="Zoë Çelik")
    entry = register.register(first)

    assert register.register(first) == entry
    with pytest.raises(DuplicateApplication) as raised:
        register.register(application(name="ZOE CELIK", received_on=DAY + timedelta(days=30)))
    assert raised.value.details[0]["application"] == first.application
    for other in ({"amount": 9_000}, {"purpose": "other"}, {"received_on": DAY + timedelta(days=31)}):
        assert register.register(application(name="Zoe Celik", **other)).entry != entry.entry


def test_the_letter_says_what_happens_next(transport: Any, attempt: Any) -> None:
    """Once, under the step's key."""
    letter = letter_of(application(), ACCEPTED)
    attempt(performers.IntakeLetters(transport).tell, letter, case="c", step="tell")
    to, subject, body, key = transport.sent[0]
    assert (to, key) == ("maria@example.com", "c/tell")
    assert letter.application in subject
    assert "will decide" in body
