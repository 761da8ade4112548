"""The performers of an identity screening, run directly."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from activities import identity_screening as performers
from tests.catalog.loans import application, passport, zone
from workunits.contracts.identity_screening import Identification, IdentityDoubtful, SanctionsHit, Subject
from workunits.contracts.lending import Paper

BORN = date(1990, 6, 3)
CARD = Paper(kind="identity_card", readability=0.9, issued_on=date(2024, 1, 1), expires_on=date(2034, 1, 1))


def _asked(*papers: Paper, **change: Any) -> Identification:
    return Identification.of(application(**change)).model_copy(update={"papers": papers})


@pytest.mark.parametrize("field", ["L898902C3", "740812", "120415", "<<<<<<<<<"])
def test_check_digits_are_those_of_the_standard(field: str) -> None:
    """The specimen of ICAO Doc 9303: number 6, birthday 2, last day 9; fillers count nothing."""
    expected = {"L898902C3": 6, "740812": 2, "120415": 9, "<<<<<<<<<": 0}
    assert performers.check_digit(field) == expected[field]


def test_a_passport_that_holds_up_is_verified() -> None:
    """A machine vouches for a document that is whole, valid and the applicant's."""
    said = performers.check_document(_asked(passport("Maria Garcia", BORN)))
    assert (said.verdict, said.document) == ("verified", "passport")
    assert performers.check_document(_asked(CARD)).document == "identity_card"


def test_a_misread_letter_is_no_other_name() -> None:
    """The scan reader may take one letter for another."""
    page = passport("Maria Garcia", BORN).text.replace("GARCIA", "GARC1A").replace("1", "I", 1)
    said = performers.check_document(_asked(passport("Maria Garcia", BORN, text=page)))
    assert said.verdict == "verified"


@pytest.mark.parametrize(
    ("paper", "point"),
    [
        (passport("Maria Garcia", BORN, readability=0.59), "cannot be read"),
        (passport("Maria Garcia", BORN, expires_on=date(2026, 3, 1)), "not valid on the day"),
        (passport("Maria Garcia", BORN, issued_on=date(2026, 3, 3)), "dated after it arrived"),
        (passport("Maria Garcia", BORN, expires_on=date(2032, 5, 3)), "differs from that in its zone"),
        (passport("Maria Garcia", BORN, text="no zone"), "zone is missing"),
        (
            passport("Maria Garcia", BORN, text=zone("Maria Garcia", BORN, date(2031, 5, 3)).replace("78D", "77D")),
            "check digit",
        ),
        (passport("Nina Weber", BORN), "name in the passport is another"),
        (passport("Maria Garcia", date(1990, 3, 6)), "birthday in the passport is another"),
    ],
)
def test_a_doubtful_document_goes_to_a_person(paper: Paper, point: str) -> None:
    """Whatever is wrong is said, so that the officer knows what to look at."""
    with pytest.raises(IdentityDoubtful) as raised:
        performers.check_document(_asked(paper))
    assert any(point in said for said in raised.value.details[0]["points"])


def test_minors_and_people_without_papers_go_to_a_person() -> None:
    """Seventeen on the day it arrived; and no document at all."""
    born = date(2008, 3, 3)
    for asked in (_asked(passport("Maria Garcia", born), born=born), _asked()):
        with pytest.raises(IdentityDoubtful):
            performers.check_document(asked)


def test_one_good_document_is_enough() -> None:
    """A blurred passport beside a valid card is no reason to bother anybody."""
    blurred = passport("Maria Garcia", BORN, readability=0.1)
    assert performers.check_document(_asked(blurred, CARD)).document == "identity_card"


def test_the_sanctions_list_is_that_of_the_onboarding() -> None:
    """A listed name goes to a second person, a common one is cleared with its reason."""
    with pytest.raises(SanctionsHit):
        performers.screen(Subject(full_name="Victor Dragunowski", born_on=BORN))
    assert "85 %" in performers.screen(Subject(full_name="Maria Garcia", born_on=BORN)).reason
