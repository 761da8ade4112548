"""The performers of a fraud review, run directly."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from activities import fraud_review as performers
from tests.catalog.loans import application
from workunits.contracts.fraud_review import UNREMARKABLE, FraudSuspected, Score, Signals, Suspicion, Triage


def _signals(**change: Any) -> Signals:
    traces = change.pop("traces", {})
    return Signals.of(application(traces=traces)).model_copy(update=change)


@pytest.mark.parametrize(
    ("signals", "rules"),
    [
        (_signals(), []),
        (_signals(traces={"network_country": "RU"}), ["sent_from_abroad"]),
        (_signals(traces={"minutes_to_fill": 1.9}), ["filled_in_hastily"]),
        (_signals(traces={"minutes_to_fill": 1.9}, channel="branch"), []),
        (_signals(traces={"address_months": 5}), ["new_address"]),
        (_signals(email="x@TenMinutes.invalid"), ["throwaway_mailbox"]),
        (_signals(net_income=8_000, employed_months=11), ["high_income_new_job"]),
        (_signals(net_income=8_000, employed_months=12), []),
        (_signals(amount=29_001), ["large_for_income"]),
    ],
)
def test_each_rule_on_both_sides_of_its_edge(signals: Signals, rules: list[str]) -> None:
    """A rule notes what it is about, and nothing else."""
    assert [hit.rule for hit in performers.rule_hits(signals)] == rules


def test_what_applications_have_in_common_is_noted(tmp_path: Any) -> None:
    """Account, telephone and device; the second application is told of the first, and the first is not changed."""
    one, other = _signals(), _signals()
    signalling = performers.Signalling(tmp_path)

    assert signalling.score(one).points == 0
    second = signalling.score(other)
    assert second.shared_with == (one.application,)
    assert (second.points, {hit.rule for hit in second.hits}) == (
        85,
        {"account_shared", "phone_shared", "device_shared"},
    )


def test_a_repeated_attempt_is_no_duplicate_of_itself(tmp_path: Any) -> None:
    """However often the step is tried, the application has nothing in common with itself."""
    signals = _signals()
    assert {performers.Signalling(tmp_path).score(signals).points for _ in range(3)} == {0}


def test_a_desk_in_a_branch_is_shared_by_all(tmp_path: Any) -> None:
    """Its device says nothing; the account still does."""
    signalling = performers.Signalling(tmp_path)
    signalling.score(_signals(channel="branch"))
    assert signalling.score(_signals(channel="branch")).points == 65


def test_the_register_keeps_no_account_and_no_number(tmp_path: Any) -> None:
    """Digests are enough to see that two are the same."""
    signals = _signals()
    performers.Signalling(tmp_path).score(signals)
    with closing(sqlite3.connect(tmp_path / "lending.sqlite")) as db:
        kept = str(db.execute("SELECT * FROM fraud_signals").fetchall())
    assert signals.iban not in kept
    assert signals.phone not in kept


def _suspicion(points: int, triage: Triage) -> Suspicion:
    score = Score(points=points, amount=8_000, channel="web", purpose="car")
    return Suspicion(signals=_signals(), score=score, triage=triage)


def test_the_rules_outrank_the_model() -> None:
    """A model that calls a high score harmless does not clear it; a low one that it doubts is looked at, too."""
    look = Triage(verdict="investigate", reason="odd")
    assert performers.rule(_suspicion(59, UNREMARKABLE)).verdict == "clear"
    for suspicion in (_suspicion(60, UNREMARKABLE), _suspicion(20, look)):
        with pytest.raises(FraudSuspected):
            performers.rule(suspicion)


@pytest.mark.parametrize(("points", "verdict"), [(34, "clear"), (35, "investigate")])
def test_the_test_model_says_what_the_points_say(points: int, verdict: str) -> None:
    """It says so of itself, too."""
    triage = performers.plain_triage(Score(points=points, amount=1_000, channel="web", purpose="car"))
    assert triage.verdict == verdict
    assert "no AI has looked" in triage.reason
