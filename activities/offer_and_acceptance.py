"""Who performs the steps of an offer and its acceptance."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

from temporalio.exceptions import ApplicationError

from activities import annuity, loan_letters
from activities.local_store import transaction
from workunits.catalog.offer_and_acceptance import OfferAndAcceptance as Unit
from workunits.contracts.lending import Letter, Sent
from workunits.contracts.offer_and_acceptance import (
    Acceptance,
    Binding,
    Mailing,
    Offer,
    OfferExpired,
    Wish,
    Withdrawn,
)
from workunits.messages import Transport
from workunits.performs import effect_key, performs

OFFERS = """
CREATE TABLE IF NOT EXISTS offers (
    offer INTEGER PRIMARY KEY, application TEXT NOT NULL, amount INTEGER NOT NULL, valid_until TEXT NOT NULL,
    state TEXT NOT NULL, effect_key TEXT NOT NULL UNIQUE)
"""


class Offers:
    """The register of offers, in a SQLite file: what binds the bank, and what no longer does."""

    def __init__(self, data: Path) -> None:
        self._file = data / "lending.sqlite"

    @performs(Unit.DRAW_UP)
    def draw_up(self, wish: Wish) -> Offer:
        """Reckon the offer and enter it into the register, once, however often the step is attempted."""
        terms, rows, key = wish.terms, annuity.schedule(wish.terms), effect_key()
        until = wish.from_day + timedelta(days=wish.valid_days)
        entry = (wish.application, terms.amount, until.isoformat(), key)
        with transaction(self._file, OFFERS) as db:
            there = db.execute("SELECT offer FROM offers WHERE effect_key = ?", (key,)).fetchone()
            if there is None:
                sql = "INSERT INTO offers VALUES (NULL, ?, ?, ?, 'open', ?)"
                there = (db.execute(sql, entry).lastrowid,)
        return Offer(
            offer=f"O-{there[0]}",
            application=wish.application,
            terms=terms,
            instalment=annuity.instalment(terms.amount * 100, terms.term_months, terms.nominal_rate),
            total=sum(row.interest + row.principal for row in rows),
            apr=annuity.apr(terms, rows),
            schedule=rows,
            valid_until=until,
        )

    @performs(Unit.CHECK_ACCEPTANCE)
    def check_acceptance(self, acceptance: Acceptance) -> Binding:
        """See whether the offer still stood on the day of its acceptance, and mark it as accepted.

        Raises:
            OfferExpired: its last day had passed, or it was withdrawn before.
        """
        offer, day = acceptance.offer, acceptance.answer.answered_on
        with transaction(self._file, OFFERS) as db:
            state = _state(db, offer.offer)
            if day is None or day > offer.valid_until or state == "withdrawn":
                raise OfferExpired
            db.execute("UPDATE offers SET state = 'accepted' WHERE offer = ?", (_number(offer.offer),))
        return Binding(offer=offer.offer, accepted_on=day)

    @performs(Unit.WITHDRAW)
    def withdraw(self, offer: Offer) -> Withdrawn:
        """Take the offer back, so that it can no longer be accepted; one that was accepted stands.

        Raises:
            ApplicationError: it was accepted, and binds both sides.
        """
        with transaction(self._file, OFFERS) as db:
            if _state(db, offer.offer) == "accepted":
                raise ApplicationError("the offer was accepted", type="offer_accepted", non_retryable=True)
            db.execute("UPDATE offers SET state = 'withdrawn' WHERE offer = ?", (_number(offer.offer),))
        return Withdrawn(offer=offer.offer, reason="It was declined, changed, not answered, or accepted too late.")


def _number(offer: str) -> int:
    return int(offer.partition("-")[2])


def _state(db: sqlite3.Connection, offer: str) -> str:
    row = db.execute("SELECT state FROM offers WHERE offer = ?", (_number(offer),)).fetchone()
    if row is None:
        raise ApplicationError("no such offer in the register", type="offer_unknown", non_retryable=True)
    return str(row[0])


class OfferLetters:
    """Writes to applicants about their offers."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @performs(Unit.SEND_OFFER)
    def send_offer(self, mailing: Mailing) -> Sent:
        """Send the offer, with all that the law wants said before anybody signs."""
        offer, terms = mailing.offer, mailing.offer.terms
        says = (
            f"We offer you {terms.amount:,} EUR for {terms.term_months} months.\n"
            f"Instalment a month: {offer.instalment / 100:,.2f} EUR; in total {offer.total / 100:,.2f} EUR.\n"
            f"Nominal rate {terms.nominal_rate:.2%} a year; annual percentage rate of charge {offer.apr:.2%}.\n"
            f"Fee, paid out of the loan: {terms.fee / 100:,.2f} EUR.\n"
            f"The offer {offer.offer} binds us until {offer.valid_until:%d.%m.%Y}."
        )
        return loan_letters.send(
            self._transport,
            Letter(
                application=offer.application,
                full_name=mailing.full_name,
                email=mailing.email,
                about="offer",
                says=says,
            ),
        )

    @performs(Unit.TELL)
    def tell(self, letter: Letter) -> Sent:
        """Confirm the acceptance, or that the offer no longer stands."""
        return loan_letters.send(self._transport, letter)
