"""Who performs the steps of a customer's onboarding."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from activities import screening
from activities.local_store import transaction
from workunits.ai import Model
from workunits.catalog.customer_onboarding import CustomerOnboarding as Unit
from workunits.contracts.customer_onboarding import (
    Account,
    Document,
    DocumentCheck,
    Documents,
    DocumentsIllegible,
    Findings,
    Letter,
    Opening,
    RiskSummary,
    SanctionsHit,
    Screening,
    Sent,
    Subject,
    Unreadable,
)
from workunits.messages import Transport
from workunits.performs import effect_key, performs

LEGIBLE = 0.6
"""A page that the scan reader is less sure of (0 to 1) is not checked but asked for again."""
RECENT = timedelta(days=90)
"""A proof of address is at most this old when it arrives."""
IDENTITY = ("passport", "identity_card")
ADDRESS = ("utility_bill", "bank_statement")
RANGES = Path(__file__).parent / "data" / "account_numbers.csv"
ACCOUNTS = """
CREATE TABLE IF NOT EXISTS accounts (
    number INTEGER PRIMARY KEY, application TEXT NOT NULL, product TEXT NOT NULL, effect_key TEXT NOT NULL UNIQUE)
"""
INSTRUCTIONS = (
    "You help a bank's onboarding officer, who decides. Judge how risky it is to open the account that the data "
    "describes, name the facts that speak for and against it, and what the officer should look at. Use only facts "
    "from the data; where something is not known, say so."
)


@performs(Unit.CHECK_DOCUMENTS)
def check_documents(documents: Documents) -> DocumentCheck:
    """Check that a valid identity document and a recent proof of address are there.

    Raises:
        DocumentsIllegible: a page cannot be read well enough to check it.
    """
    unreadable = tuple(item.kind for item in documents.items if item.readability < LEGIBLE)
    if unreadable:
        raise DocumentsIllegible(evidence=Unreadable(kinds=unreadable))
    faults = {item: tuple(_faults(item, documents)) for item in documents.items}
    lacking = [
        f"no valid {what}"
        for what, kinds in (("identity document", IDENTITY), ("proof of address", ADDRESS))
        if not any(item.kind in kinds and not faults[item] for item in documents.items)
    ]
    findings = [fault for item in documents.items for fault in faults[item]]
    return DocumentCheck(complete=not lacking, findings=(*lacking, *findings))


def _faults(item: Document, documents: Documents) -> Iterator[str]:
    day = documents.received_on
    if item.issued_on > day:
        yield f"{item.kind} is dated {item.issued_on}, after it arrived"
    elif item.kind in ADDRESS and day - item.issued_on > RECENT:
        yield f"{item.kind} of {item.issued_on} is more than {RECENT.days} days old"
    elif item.expires_on is not None and item.expires_on < day:
        yield f"{item.kind} expired on {item.expires_on}"
    elif item.kind == "passport" and item.expires_on is None:
        yield "passport without a last day of validity"


@performs(Unit.SCREEN)
def screen(subject: Subject) -> Screening:
    """Compare the applicant's name with the sanctions list.

    Raises:
        SanctionsHit: it comes close to an entry, or cannot be compared; a person must look.
    """
    hits = screening.compare(subject.full_name)
    if hits:
        raise SanctionsHit(evidence=hits)
    compared = len(screening.entries())
    reason = f"None of {compared} entries of the sanctions list is {screening.THRESHOLD:g} % like the name or more."
    return Screening(verdict="no_match", reason=reason)


class Analyst:
    """Suggests how risky an application looks."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @performs(Unit.SUMMARISE)
    async def summarise(self, findings: Findings) -> RiskSummary:
        """Ask the model. It is shown neither the applicant's name nor what officers wrote."""
        noted = (
            *findings.documents.findings,
            *(("name is close to a listed one",) * (findings.screening != "no_match")),
        )
        made_up = RiskSummary(
            level="medium" if noted else "low",
            summary=f"Made up by the test model, no AI has looked at this: {len(noted)} point(s) were noted.",
            points=noted[:8],
        )
        return await self._model.ask(INSTRUCTIONS, findings, RiskSummary, test_answer=made_up)


class Bank:
    """Keeps the accounts, in a SQLite file."""

    def __init__(self, data: Path) -> None:
        self._file = data / "bank.sqlite"

    @performs(Unit.OPEN_ACCOUNT)
    def open_account(self, opening: Opening) -> Account:
        """Open the account under the next free number, once, however often the step is attempted."""
        first, last = _number_range(opening.product)
        key = effect_key()
        with transaction(self._file, ACCOUNTS) as db:
            there = db.execute("SELECT number FROM accounts WHERE effect_key = ?", (key,)).fetchone()
            if there:
                return Account(number=str(there[0]))
            taken = db.execute(
                "SELECT max(number) FROM accounts WHERE number BETWEEN ? AND ?", (first, last)
            ).fetchone()
            number = first if taken[0] is None else taken[0] + 1
            if number > last:
                raise LookupError(f"every account number of {opening.product} is taken")
            db.execute("INSERT INTO accounts VALUES (?, ?, ?, ?)", (number, opening.application, opening.product, key))
        return Account(number=str(number))


def _number_range(product: str) -> tuple[int, int]:
    with RANGES.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["product"] == product:
                return int(row["first"]), int(row["last"])
    raise LookupError(f"no range of account numbers is set up for {product}")


class Letters:
    """Writes to applicants."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @performs(Unit.SEND_DECISION)
    def send_decision(self, letter: Letter) -> Sent:
        """Tell the applicant what was decided, and why."""
        subject = f"Your application {letter.application}"
        return Sent(message=self._transport.send(letter.email, subject, _text(letter), effect_key()))


def _text(letter: Letter) -> str:
    if letter.decision.verdict == "approve":
        number = letter.account.number if letter.account else "to follow"
        said = f"Your application has been approved. Your account number: {number}."
    elif letter.decision.verdict == "refuse":
        said = f"We have decided not to open an account.\n\n{letter.decision.reason}"
    else:
        said = f"We have closed your application, as you wished.\n\n{letter.decision.reason}"
    return f"Dear {letter.full_name},\n\n{said}\n\nYour onboarding team\n"
