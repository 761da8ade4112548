"""Who performs the steps of the intake of a loan application."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from activities import loan_letters, screening
from activities.local_store import transaction
from workunits.catalog.application_intake import ApplicationIntake as Unit
from workunits.contracts.application_intake import (
    Completeness,
    DocumentsIncomplete,
    DuplicateApplication,
    Earlier,
    Lacking,
    Registered,
    Submission,
)
from workunits.contracts.lending import Application, Employment, Letter, Paper, PaperKind, Sent
from workunits.messages import Transport
from workunits.performs import performs

LEGIBLE, CLEAR = 0.6, 0.75
"""A page that the scan reader is less sure of (0 to 1) is asked for again; between the two a clerk looks at it."""
RECENT = timedelta(days=120)
"""A payslip or bank statement is at most this old when it arrives."""
IDENTITY: tuple[PaperKind, ...] = ("passport", "identity_card")
INCOME: dict[Employment, tuple[PaperKind, ...]] = {
    "permanent": ("payslip",),
    "temporary": ("payslip",),
    "self_employed": ("tax_assessment",),
    "retired": ("pension_notice",),
    "none": ("bank_statement",),
}
"""What proves an income, by employment."""
AGES = frozenset({"payslip", "bank_statement"})
WINDOW = timedelta(days=30)
"""Within so many days a second application for the same loan is a duplicate."""
REGISTER = """
CREATE TABLE IF NOT EXISTS applications (
    entry INTEGER PRIMARY KEY, application TEXT NOT NULL UNIQUE, person TEXT NOT NULL, amount INTEGER NOT NULL,
    purpose TEXT NOT NULL, received_on TEXT NOT NULL)
"""


@performs(Unit.CHECK_PAPERS)
def check_papers(submission: Submission) -> Completeness:
    """Check that an identity document, a proof of income and a bank statement are there, legible and recent.

    Raises:
        DocumentsIncomplete: one is not; says which, for the customer.
    """
    unreadable = {paper.kind for paper in submission.papers if paper.readability < LEGIBLE}
    outdated = {paper.kind for paper in submission.papers if _old(paper, submission)}
    kinds = {paper.kind for paper in submission.papers} - unreadable - outdated
    missing = [
        what
        for what, wanted in (
            ("an identity document", IDENTITY),
            ("a proof of income", INCOME[submission.employment]),
            ("a bank statement", ("bank_statement",)),
        )
        if not kinds.intersection(wanted)
    ]
    if missing:
        evidence = Lacking(
            missing=tuple(missing), unreadable=tuple(sorted(unreadable)), outdated=tuple(sorted(outdated))
        )
        raise DocumentsIncomplete(evidence=evidence)
    return Completeness(submission=submission, doubts=tuple(_doubts(submission))[:10])


def _old(paper: Paper, submission: Submission) -> bool:
    day = submission.received_on
    if paper.kind in AGES:
        return day - paper.issued_on > RECENT
    return paper.expires_on is not None and paper.expires_on < day


def _doubts(submission: Submission) -> Iterator[str]:
    for paper in submission.papers:
        if LEGIBLE <= paper.readability < CLEAR:
            yield f"the {paper.kind} can hardly be read"
        if paper.issued_on > submission.received_on:
            yield f"the {paper.kind} is dated after it arrived"


class Register:
    """The register of applications, in a SQLite file."""

    def __init__(self, data: Path) -> None:
        self._file = data / "lending.sqlite"

    @performs(Unit.REGISTER)
    def register(self, application: Application) -> Registered:
        """Enter the application, once, however often the step is attempted.

        Raises:
            DuplicateApplication: the same person has asked for the same loan within the last 30 days.
        """
        number, day = application.application, application.received_on
        person = _person(application)
        with transaction(self._file, REGISTER) as db:
            there = db.execute("SELECT entry FROM applications WHERE application = ?", (number,)).fetchone()
            if there is None:
                alike = (person, application.amount, application.purpose, (day - WINDOW).isoformat(), day.isoformat())
                sql = "SELECT application FROM applications WHERE person = ? AND amount = ? AND purpose = ?"
                earlier = db.execute(f"{sql} AND received_on BETWEEN ? AND ?", alike).fetchone()
                if earlier is not None:
                    raise DuplicateApplication(evidence=Earlier(application=earlier[0]))
                entry = (number, person, application.amount, application.purpose, day.isoformat())
                there = (db.execute("INSERT INTO applications VALUES (NULL, ?, ?, ?, ?, ?)", entry).lastrowid,)
        return Registered(entry=int(there[0]))


def _person(application: Application) -> str:
    """A digest of name and birthday: enough to see that two are the same."""
    who = application.applicant
    return hashlib.sha256(f"{screening.normal(who.full_name)}|{who.born_on}".encode()).hexdigest()


class IntakeLetters:
    """Writes to applicants about their applications."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @performs(Unit.TELL)
    def tell(self, letter: Letter) -> Sent:
        """Tell the applicant that the application is accepted for a decision, or returned."""
        return loan_letters.send(self._transport, letter)
