"""Who performs the steps of a credit decision."""

from __future__ import annotations

import csv
from datetime import date
from functools import cache
from pathlib import Path

from rapidfuzz import fuzz

from activities import credit_scoring, loan_letters, screening
from activities.decisions import register
from workunits.ai import Model
from workunits.catalog.credit_decision import CreditDecision as Unit
from workunits.contracts.credit_decision import (
    Decided,
    Dossier,
    FileAmbiguous,
    Filed,
    Particulars,
    Person,
    Recommendation,
    Report,
    Scored,
    Several,
)
from workunits.contracts.lending import LEAST, Letter, Sent
from workunits.messages import Transport
from workunits.performs import effect_key, performs
from workunits.proposing import Proposal

BUREAU = Path(__file__).parent / "data" / "bureau.csv"
ALIKE = 92.0
"""From this likeness on (0 to 100), and with the same birthday, a file may be the applicant's."""
GOOD = ("A", "B", "C")
INSTRUCTIONS = (
    "You recommend to a bank's credit officer, who decides. The data has what the score card, the credit bureau, the "
    "affordability assessment and the fraud review say of an application. Recommend to approve it, with an amount of "
    "at most `most` and the rate of its grade (A 0.049, B 0.064, C 0.084, D 0.109), or to refuse it with a reason that "
    "the applicant can understand. Name what speaks for and against it. Use only facts from the data."
)


PROMPT = "1"
"""Version of the instructions: with another one, what is known of the model's judgement counts no more."""


@performs(Unit.LOOK_UP)
def look_up(person: Person) -> Report:
    """Find what the credit bureau has of a person; the sample data stands for its service.

    Raises:
        FileAmbiguous: several files have this name and birthday; an officer says which it is.
    """
    name = screening.normal(person.full_name)
    found = [
        (file, report)
        for file, called, born, report in _files()
        if born == person.born_on and fuzz.token_sort_ratio(name, called) >= ALIKE
    ]
    if len(found) > 1:
        raise FileAmbiguous(evidence=Several(files=tuple(f"{file}: {_says(report)}" for file, report in found[:20])))
    return found[0][1] if found else Report(known=False)


def _says(report: Report) -> str:
    return f"{report.open_loans} open loan(s), {report.defaults} default(s), {report.inquiries} inquiry(ies)"


@cache
def _files() -> tuple[tuple[str, str, date, Report], ...]:
    """Read the files, once per process."""
    with BUREAU.open(encoding="utf-8", newline="") as file:
        return tuple(
            (
                row["file"],
                screening.normal(row["name"]),
                date.fromisoformat(row["born_on"]),
                Report(
                    known=True,
                    open_loans=int(row["open_loans"]),
                    defaults=int(row["defaults"]),
                    months_since_default=int(row["months_since_default"]) if row["months_since_default"] else None,
                    inquiries=int(row["inquiries"]),
                ),
            )
            for row in csv.DictReader(file)
        )


@performs(Unit.SCORE)
def score(particulars: Particulars) -> Scored:
    """Add up the score card, and apply the hard rules."""
    return credit_scoring.score(particulars)


class Adviser:
    """Recommends to credit officers."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @performs(Unit.DECIDE)
    async def decide(self, dossier: Dossier) -> Proposal[Recommendation]:
        """Propose a decision. The model is shown figures and findings, and nothing of who the applicant is."""
        odds = dossier.scored.default_odds
        return await self._model.propose(
            INSTRUCTIONS,
            dossier,
            Recommendation,
            prompt=PROMPT,
            test_answer=recommended(dossier),
            test_confidence=max(odds, 1 - odds),
        )


def recommended(dossier: Dossier) -> Recommendation:
    """What the score card alone recommends: the test model's answer, no AI has looked at it."""
    scored, asked = dossier.scored, dossier.particulars.amount
    lacking = sorted(scored.factors, key=lambda factor: factor.points - factor.best)
    points = tuple(f"{factor.name}: {factor.points} of {factor.best} points" for factor in lacking[:4])
    amount = min(asked, scored.most)
    if scored.grade in GOOD and amount >= LEAST:
        rate = credit_scoring.RATES[scored.grade]
        return Recommendation(verdict="approve", amount=amount, nominal_rate=rate, factors=points)
    reason = f"What weighed most against the loan: {lacking[0].name} and {lacking[1].name}."
    return Recommendation(verdict="refuse", reason=reason, factors=points)


class Decisions:
    """Keeps the register of decisions."""

    def __init__(self, data: Path) -> None:
        self._data = data

    @performs(Unit.FILE)
    def file(self, decided: Decided) -> Filed:
        """Enter the decision, once, however often the step is attempted."""
        key, decision = effect_key(), decided.decision
        with register(self._data) as db:
            there = db.execute("SELECT entry FROM decisions WHERE effect_key = ?", (key,)).fetchone()
            if there is not None:
                return Filed(entry=there["entry"])
            entry = (decided.application, decision.verdict, decision.amount, decided.grade, decision.reason, key)
            added = db.execute("INSERT INTO decisions VALUES (NULL, ?, ?, ?, ?, ?, ?)", entry)
        return Filed(entry=int(added.lastrowid or 0))


class DecisionLetters:
    """Writes to applicants about decisions."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @performs(Unit.TELL)
    def tell(self, letter: Letter) -> Sent:
        """Tell the applicant that the loan is refused, and why; an approval is told with the offer."""
        return loan_letters.send(self._transport, letter)
