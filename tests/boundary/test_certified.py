"""A level that is earned: 1,500 shadows are signed for, a real case is decided by it, one severe error ends it.

The shadows are invented; what is asked, signed, routed, recorded, counted, audited and ended after them is real.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from typer.testing import CliRunner

from observability.autonomy.reading import Executor, past_of
from observability.learning.report import figures_of
from observability.learning.selection import Asked, closed_cases
from observability.ledger.autonomy import LedgerStandings
from observability.ledger.intake import Intake
from observability.ledger.store import Ledger
from tests.catalog.loans import application
from tests.observability.proposing import EXECUTOR, STEP, UNIT, directory, fill
from workers.autonomy_falling import let_fall
from workers.catalog import load_catalog
from workers.cli import app
from workunits.cases import CaseView
from workunits.catalog.fraud_review import FraudReview
from workunits.contracts.fraud_review import Finding, Score, Signals, Triage
from workunits.proposing import Proposal
from workunits.registry import Catalog, Package
from workunits.testing import Answer, Lab, Proposed

PATH = f"{UNIT}.{STEP}"
HARMLESS = Triage(verdict="clear", reason="A new telephone, and nothing else.")
WORDS = 4 + 7
"""To be read: points, amount, channel and purpose, and what is proposed."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bank() -> AsyncIterator[Lab]:
    """A dev server for cases of a bank."""
    async with Lab(contracts=["workunits.contracts.fraud_review"]) as lab:
        yield lab


class Office:
    """One bank: its ledger, its model, its cases."""

    def __init__(self, lab: Lab, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        self._lab = lab
        self.ledger = ledger
        self._intake = Intake(lab.client, ledger, Catalog([Package("here", (FraudReview,), (), ())]))
        monkeypatch.setenv("WORKUNITS_LEDGER", ledger.url.render_as_string(hide_password=False))
        monkeypatch.setenv("WORKUNITS_DIRECTORY", str(directory(Path(ledger.url.database or "").parent)))

    async def review(self, confidence: float, decided: Triage = HARMLESS) -> CaseView:
        """A case on the real engine that is not drawn for a blind review; its level is read from the ledger."""
        while True:
            view = await self._one(confidence, decided)
            assert view.record is not None
            if view.record.proposals[0].sampled != "blind":
                break
        taken = await self._intake.take([await self._lab.client.get_workflow_handle(view.case).describe()])
        assert taken.written == 1
        return view

    async def _one(self, confidence: float, decided: Triage) -> CaseView:
        case = Signals.of(application())
        noted = Score(points=25, amount=case.amount, channel=case.channel, purpose=case.purpose)
        model, _, rest = EXECUTOR.partition("|")
        proposal = Proposal(HARMLESS, confidence, model=model, prompt=rest.partition("|")[0])
        answers: dict[Any, Any] = {
            FraudReview.SCORE: noted,
            FraudReview.TRIAGE: Proposed(proposal, Answer(decided, by="tom", started_after=timedelta(minutes=4))),
            FraudReview.RULE: Finding(verdict="clear", reason="Nothing is left to look at."),
        }
        return await self._lab.run(FraudReview, case, answers, standings=LedgerStandings(self.ledger))

    async def command(self, *args: str) -> str:
        """What a command prints, as somebody of the accountable role."""
        run = await asyncio.to_thread(CliRunner().invoke, app, ["autonomy", *args], catch_exceptions=False)
        assert run.exit_code == 0, run.output
        return run.output


@pytest.mark.asyncio(loop_scope="session")
async def test_a_level_is_earned_decides_and_falls(bank: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before, a person decides; signed, the model decides what it is sure of, and no more; fallen, a person again."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    ledger.migrate()
    office = Office(bank, ledger, monkeypatch)
    try:
        fill(ledger, 1_500)
        declared = await office.review(0.97)
        await office.command("propose", PATH, "--target", "0.05", "--level", "A5", "--as", "ann")
        await office.command("sign", PATH, "1", "--as", "eve")
        certified, unsure = await office.review(0.97), await office.review(0.1)
        await office.command("audit", PATH, certified.case, "--wrong", "--severe", "--note", "a mule", "--as", "ann")
        ((fallen, why),) = let_fall(ledger, load_catalog(), datetime.now(UTC))
        after = await office.review(0.97, Triage(verdict="investigate", reason="It is one of several."))
        with ledger.read() as connection:
            closed = closed_cases(connection, Asked(UNIT))
            reviewed = past_of(connection, Executor(FraudReview.TRIAGE, "1", EXECUTOR)).reviewed
            overrides = figures_of(connection, Asked(UNIT), closed).override_rate
    finally:
        ledger.close()

    told = [_told(view) for view in (declared, certified, unsure, after)]
    by_tom = ["tom"]
    assert told == [("A2", "review", by_tom), ("A5", "auto", []), ("A5", "review", by_tom), ("A2", "review", by_tom)]
    assert (fallen.signed_by, fallen.role) == ("eve", "head of fraud prevention")
    assert [one.what for one in why] == ["severe"]
    timed = [one for one in reviewed if one.shown]
    assert [(one.seconds, one.words) for one in timed] == [(60.0, WORDS)] * 3
    assert overrides is not None
    assert (overrides.count, overrides.n, len(closed)) == (1, 3, 4)
    assert [view.record.proposals[0].certificate for view in (certified, unsure) if view.record] == [
        fallen.grant_id
    ] * 2


def _told(view: CaseView) -> tuple[str, str, list[str]]:
    assert view.record is not None
    (proposed,) = view.record.proposals
    return proposed.level, proposed.route, view.record.decided_by
