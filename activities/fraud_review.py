"""Who performs the steps of a fraud review."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from activities.local_store import transaction
from workunits.ai import Model
from workunits.catalog.fraud_review import FraudReview as Unit
from workunits.contracts.fraud_review import Finding, FraudSuspected, Hit, Score, Signals, Suspicion, Triage
from workunits.performs import performs
from workunits.proposing import Proposal

HARD = 60
"""From so many points on a person investigates, whatever a model makes of it."""
LIKELY = 35
"""From so many points on the test model says that a person should."""
HASTY = 2.0
"""Minutes: nobody fills the form in faster by hand."""
MOVED_IN = 6
"""Months at an address that count as short."""
TIMES_INCOME = 10
HIGH_INCOME, NEW_JOB = 8_000, 12
THROWAWAY = frozenset({"example.net", "mailtrap.invalid", "tenminutes.invalid"})
"""Domains of mailboxes that last an hour; in the sample data invented ones."""
SEEN = """
CREATE TABLE IF NOT EXISTS fraud_signals (
    application TEXT PRIMARY KEY, account TEXT NOT NULL, phone TEXT NOT NULL, device TEXT NOT NULL)
"""
SHARED = {"account": 40, "phone": 25, "device": 20}
"""Points for what another application has, too."""
INSTRUCTIONS = (
    "You sort applications for a bank's fraud analyst. The data has what the bank's rules have noted about one of "
    "them, each with its points. Say whether an analyst has to investigate or whether what was noted has a harmless "
    "explanation, why, and what to look at. Do not guess at facts that are not in the data."
)


PROMPT = "1"
"""Version of the instructions: with another one, what is known of the model's judgement counts no more."""


class Signalling:
    """Scores signals, and remembers them for the applications to come, in a SQLite file."""

    def __init__(self, data: Path) -> None:
        self._file = data / "lending.sqlite"

    @performs(Unit.SCORE)
    def score(self, signals: Signals) -> Score:
        """Add up the points of the rules, and of what other applications have in common with this one."""
        hits = list(rule_hits(signals))
        shared: set[str] = set()
        # Only digests are kept: enough to see that two are the same, too little to call anybody.
        own = {
            "account": _digest(signals.iban),
            "phone": _digest(signals.phone),
            "device": _digest(signals.traces.device),
        }
        with transaction(self._file, SEEN) as db:
            for what, points in SHARED.items():
                if what == "device" and signals.channel != "web":
                    continue  # a branch has one desk for all
                sql = f"SELECT application FROM fraud_signals WHERE {what} = ? AND application <> ?"  # noqa: S608, our own words
                others = [row[0] for row in db.execute(sql, (own[what], signals.application))]
                if others:
                    says = f"{len(others)} other application(s) have the same {what}"
                    hits.append(Hit(rule=f"{what}_shared", points=points, says=says))
                    shared.update(others)
            entry = (signals.application, *own.values())
            db.execute("INSERT OR REPLACE INTO fraud_signals VALUES (?, ?, ?, ?)", entry)
        return Score(
            points=min(100, sum(hit.points for hit in hits)),
            hits=tuple(hits),
            shared_with=tuple(sorted(shared)[:20]),
            amount=signals.amount,
            channel=signals.channel,
            purpose=signals.purpose,
        )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def rule_hits(signals: Signals) -> Iterator[Hit]:
    """The rules that an application trips over by itself."""
    traces = signals.traces
    if traces.network_country != signals.country:
        yield Hit(rule="sent_from_abroad", points=20, says=f"it was sent from {traces.network_country}")
    if signals.channel == "web" and traces.minutes_to_fill < HASTY:
        yield Hit(rule="filled_in_hastily", points=15, says="the form was filled in faster than a person types")
    if traces.address_months < MOVED_IN:
        yield Hit(rule="new_address", points=10, says="the applicant has lived there for less than half a year")
    if signals.email.rpartition("@")[2].lower() in THROWAWAY:
        yield Hit(rule="throwaway_mailbox", points=20, says="the mailbox is one that lasts an hour")
    if signals.net_income >= HIGH_INCOME and signals.employed_months < NEW_JOB:
        yield Hit(rule="high_income_new_job", points=15, says="a high income from a job of less than a year")
    if signals.amount > TIMES_INCOME * signals.net_income:
        yield Hit(rule="large_for_income", points=15, says="the loan is over ten months' income")


class Sorter:
    """Sorts what the rules have noted."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @performs(Unit.TRIAGE)
    async def triage(self, score: Score) -> Proposal[Triage]:
        """Propose a triage. The model is shown what the rules noted, and nothing of who the applicant is."""
        sure = min(1.0, 0.5 + abs(score.points - LIKELY) / 100)
        return await self._model.propose(
            INSTRUCTIONS, score, Triage, prompt=PROMPT, test_answer=plain_triage(score), test_confidence=sure
        )


def plain_triage(score: Score) -> Triage:
    """What the points alone say: the test model's answer, no AI has looked at them."""
    return Triage(
        verdict="investigate" if score.points >= LIKELY else "clear",
        reason=f"Made up by the test model, no AI has looked at this: {score.points} point(s).",
        points=tuple(hit.says for hit in score.hits[:8]),
    )


@performs(Unit.RULE)
def rule(suspicion: Suspicion) -> Finding:
    """Clear what is harmless.

    Raises:
        FraudSuspected: the rules, or the triage, say that a person has to investigate.
    """
    if suspicion.score.points >= HARD or suspicion.triage.verdict == "investigate":
        raise FraudSuspected(evidence=suspicion.triage)
    return Finding(verdict="clear", reason=suspicion.triage.reason)
