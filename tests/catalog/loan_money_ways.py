"""The ways through the lending units that move money, and through complaints."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from activities.contract_and_disbursement import digest_of
from tests.catalog.loan_way import CANCEL, DAYS, GONE, HOUR, LATE, NO_MODEL, Answers, Way
from tests.catalog.loans import DAY, IBAN, TERMS, number
from workunits.catalog.contract_and_disbursement import ContractAndDisbursement
from workunits.catalog.decision_complaint import DecisionComplaint
from workunits.catalog.offer_and_acceptance import OfferAndAcceptance
from workunits.contracts import contract_and_disbursement as contracting
from workunits.contracts import decision_complaint as complaint
from workunits.contracts import offer_and_acceptance as offering
from workunits.testing import Answer

# --- offer and acceptance ---------------------------------------------------------------------------------------------


def offers() -> Iterator[Way]:
    """To every close of an offer."""
    unit = OfferAndAcceptance

    def approved() -> offering.Approval:
        return offering.Approval(
            application=number(),
            full_name="Maria Garcia",
            email="maria@example.com",
            terms=TERMS,
            most=8_000,
            approved_on=DAY,
        )

    def said(verdict: Any, days: int = 5, **more: Any) -> Answer:
        given = offering.Answer(verdict=verdict, answered_on=DAY + days * DAYS, **more)
        return Answer(given, by="maria@example.com", after=timedelta(days=5))

    called = Answer(offering.Answer(verdict="decline", reason="Another bank was cheaper."), by="lou", after=LATE)
    plain = ("draw_up", "send_offer", "answer", "check_acceptance", "tell")
    yield Way(unit, "achieved", approved(), {unit.ANSWER: said("accept")}, plain)
    yield Way(unit, "achieved_late", approved(), {unit.CALL: called})
    unreachable = offering.Answer(verdict="unreachable")
    yield Way(unit, "not_achieved", approved(), {unit.CALL: unreachable}, reason="outcome_not_met")
    yield Way(
        unit,
        "not_achieved",
        approved(),
        {unit.ANSWER: said("accept", 40)},
        ("draw_up", "send_offer", "answer", "check_acceptance", "draw_up-undo"),
        reason="offer_expired",
    )
    yield Way(unit, "cancelled", approved(), {unit.ANSWER: CANCEL}, reason="cancel_requested")
    yield Way(unit, "failed", approved(), {unit.SEND_OFFER: GONE}, reason="technical_failure")


# --- contract and disbursement ----------------------------------------------------------------------------------------


SIGNED = ("make_contract", "sign", "check_signature", "check_account")


def contracts() -> Iterator[Way]:
    """To every close of a contract."""
    unit = ContractAndDisbursement

    def accepted(**change: Any) -> contracting.Accepted:
        return contracting.Accepted(
            application=number(),
            offer="O-1",
            full_name="Maria Garcia",
            email="maria@example.com",
            iban=change.pop("iban", IBAN),
            terms=TERMS.model_copy(update=change),
            instalment=51_750,
            accepted_on=DAY,
        )

    def signs(case: contracting.Accepted, digest: str = "") -> Answer:
        text = digest_of(contracting.Draft.of(case))
        number = f"K-{case.application[2:]}"
        return Answer(contracting.Signed(contract=number, digest=digest or text, signed_on=DAY), by="maria@example.com")

    def way(closes: str, case: contracting.Accepted, answers: Answers, reason: str | None = None, *steps: str) -> Way:
        return Way(unit, closes, case, {unit.SIGN: signs(case), unit.RELEASE: go, **answers}, steps, reason)

    go, stop = contracting.Released(verdict="release"), contracting.Released(verdict="stop", reason="A lien came in.")
    plain, large, twice = accepted(), accepted(amount=24_000), accepted()
    shut = accepted(iban=IBAN[:4] + "0000" + IBAN[8:])
    bad = contracting.Destination(iban=shut.iban)
    wrong = signs(twice, "0" * 64)
    yield way(
        "achieved",
        large,
        {unit.RELEASE: Answer(go, by="pia", after=HOUR), unit.RELEASE_LARGE: Answer(go, by="quinn", after=HOUR)},
        None,
        *SIGNED,
        "release",
        "release_large",
        "pay_out",
        "activate",
        "tell",
    )
    yield way("achieved_late", plain, {unit.RELEASE: Answer(go, after=LATE)})
    yield way("not_achieved", accepted(), {unit.RELEASE: stop}, "outcome_not_met")
    yield way("not_achieved", twice, {unit.SIGN: wrong, unit.SIGN_AGAIN: wrong}, "signature_mismatch")
    yield way("not_achieved", shut, {unit.CORRECT_ACCOUNT: bad}, "account_refused")
    yield way(
        "not_achieved",
        accepted(),
        {unit.ACTIVATE: contracting.BookingRefused()},
        "booking_refused",
        *SIGNED,
        "release",
        "pay_out",
        "activate",
        "pay_out-undo",
        "make_contract-undo",
    )
    yield Way(unit, "expired", accepted(), reason="no_answer")
    yield Way(unit, "cancelled", accepted(), {unit.SIGN: CANCEL}, reason="cancel_requested")
    yield Way(unit, "failed", accepted(), {unit.MAKE_CONTRACT: GONE}, reason="technical_failure")


# --- complaint about a decision ---------------------------------------------------------------------------------------


def complaints() -> Iterator[Way]:
    """To every close of a complaint."""
    unit = DecisionComplaint

    def complained(about: str = "L-501") -> complaint.Complaint:
        return complaint.Complaint(
            complaint=f"C-{number()[2:]}",
            application=about,
            received_on=DAY,
            cause="refused",
            full_name="Petra Novotna",
            email="petra@example.com",
            words="My rent is lower than you say. I sent you the contract twice.",
        )

    assessed = complaint.Assessment(verdict="uphold", reason="The rent was read from an old contract.")
    upheld = complaint.Finding(verdict="upheld", reason="We reckoned with an old rent.", remedy="decide_again")
    back = complaint.Assessment(verdict="withdrawn", reason="She found another bank.")
    right = complaint.Reference(application="L-503")
    decided: Answers = {
        unit.ASSESS: Answer(assessed, by="hana", after=2 * HOUR),
        unit.REVIEW: Answer(upheld, by="ravi", after=HOUR),
    }
    yield Way(
        unit,
        "achieved",
        complained(),
        decided,
        ("find_decision", "summarise", "assess", "review", "send_answer"),
    )
    yield Way(
        unit,
        "achieved",
        complained("L-599"),
        {
            **decided,
            unit.ASK_NUMBER: right,
            unit.SUMMARISE: NO_MODEL,
            unit.SUMMARISE_BY_HAND: Answer(complaint.Summary(says="The rent is said to be wrong."), by="hana"),
        },
        (
            "find_decision",
            "ask_number",
            "find_decision-2",
            "summarise",
            "summarise_by_hand",
            "assess",
            "review",
            "send_answer",
        ),
    )
    yield Way(unit, "achieved_late", complained(), {**decided, unit.REVIEW: Answer(upheld, by="ravi", after=LATE)})
    yield Way(unit, "not_achieved", complained(), {unit.ASSESS: back}, reason="outcome_not_met")
    unknown = complaint.Reference(application="L-598")
    yield Way(unit, "not_achieved", complained("L-599"), {unit.ASK_NUMBER: unknown}, reason="decision_unknown")
    yield Way(unit, "expired", complained("L-599"), reason="no_answer")
    yield Way(unit, "cancelled", complained(), {unit.ASSESS: CANCEL}, reason="cancel_requested")
    yield Way(unit, "failed", complained(), {unit.FIND_DECISION: GONE}, reason="technical_failure")
