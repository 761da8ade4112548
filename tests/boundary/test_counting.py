"""What the follower's way into the ledger counts of real cases' proposals."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest

from observability.ledger import totals
from observability.ledger.intake import Intake
from observability.ledger.store import Ledger
from tests.boundary.contracts import Claim, Verdict
from tests.boundary.units import Damage
from tests.observability.proposed import CATALOG
from tests.patience import PATIENCE
from workunits.core.proposal import Standing
from workunits.core.record import CHANGED_AT
from workunits.core.spec import Step
from workunits.proposing import Proposal
from workunits.testing import Lab, Proposed

pytestmark = pytest.mark.asyncio(loop_scope="session")
REFUSE = Verdict(verdict="refuse")


class Shadow:
    """Nobody sees what the model proposes."""

    async def of(self, _: Step[Any, Any], __: Any, ___: str) -> Standing:
        """A1."""
        return Standing(level="A1")


async def test_a_follower_counts_what_became_of_a_proposal(court: Lab, tmp_path: Path) -> None:
    """An override by someone who saw it, and a disagreement by someone who did not; taken again, nothing more."""
    pay = Proposal(Verdict(verdict="pay", amount=100), 0.9, model="test", prompt="1", cost_usd=0.25)
    ids = []
    for standings in (None, Shadow()):
        case = Claim(number=uuid.uuid4().hex[:10])
        answers: dict[Step[Any, Any], Any] = {Damage.DECIDE: Proposed(pay, REFUSE), Damage.PAY: None}
        await court.run(Damage, case, answers, standings=standings)
        ids.append(f"damage:{case.number}")
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    ledger.migrate()
    found = await _listed(court, ids)
    for again in (False, True):
        await Intake(court.client, ledger, CATALOG).take(found, again=again)
    with ledger.read() as connection:
        amounts = {
            (name.removeprefix("workunit_"), *labels[3:]): amount
            for (name, labels, part), amount, _ in totals.read(connection)
            if labels[2:3] == ("decide",) and part == "count"
        }
    ledger.close()

    assert {
        ("proposals_total", "review", "A2"): 1,
        ("proposals_total", "human_only", "A1"): 1,
        ("proposal_reasons_total", "shadow"): 1,
        ("proposal_decisions_total", "edit"): 1,
        ("proposal_overrides_total",): 1,
        ("blind_total",): 1,
        ("blind_disagreements_total",): 1,
        ("ai_cost_usd_total",): 500_000,
        ("proposal_latency_seconds",): 2,
    }.items() <= amounts.items()


async def _listed(lab: Lab, ids: list[str]) -> list[Any]:
    """The closed cases, once the engine lists them with their last change."""
    query = f"WorkflowId IN ({', '.join(repr(case) for case in ids)}) AND ExecutionStatus = 'Completed'"
    async with asyncio.timeout(PATIENCE):
        while True:
            found = [one async for one in lab.client.list_workflows(query)]
            if len(found) == len(ids) and all(one.typed_search_attributes.get(CHANGED_AT) for one in found):
                return found
            await asyncio.sleep(0.02)
