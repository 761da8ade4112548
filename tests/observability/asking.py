"""Asking for certificates at the hybrid step of fraud review, of the proposals that `fill` invents."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from observability.autonomy.certificate import Ask
from observability.autonomy.granting import Answer, ask_for
from observability.autonomy.reading import Executor
from observability.ledger.store import Ledger
from tests.observability.proposing import EXECUTOR, STEP, UNIT
from workunits.catalog.fraud_review import FraudReview

TRIAGE = FraudReview.TRIAGE
NAMED = Executor(TRIAGE, "1", EXECUTOR)


def wanted(**facts: Any) -> Ask:
    """A question at this moment."""
    told = {"unit": UNIT, "unit_version": "1", "step": STEP, "executor": EXECUTOR, "level": "A5", "target": 0.05}
    return Ask(**{**told, "proposals": 0, "now": datetime.now(UTC), **facts})


def asked(ledger: Ledger, **facts: Any) -> Answer:
    """What came of asking."""
    return ask_for(ledger, NAMED, wanted(**facts), "ann")
