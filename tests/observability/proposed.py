"""Rows of proposals as a follower writes them, for a unit with a hybrid step."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from observability.ledger.late_counting import count_again
from observability.ledger.store import Ledger
from observability.ledger.tables import cases, proposals
from tests.boundary.units import Damage
from workunits.registry import Catalog, Package

CATALOG = Catalog([Package("boundary", (Damage,), ("tests.boundary.contracts",), ())])
NOW = datetime.now(UTC)
STEP = {"unit": "damage", "version": "1", "step": "decide"}


def proposal(key: str = "decide-ai", **said: Any) -> Mapping[str, Any]:
    """A row: reviewed at A2, proposed and not decided yet, unless told otherwise."""
    usual = {
        "key": key,
        "step": "decide",
        "at": NOW,
        "outcome": "proposed",
        "latency_us": 2_000_000,
        "attempts": 1,
        "executor": "test|1|",
        "level": "A2",
        "risk": "routine",
        "route": "review",
        "why": "suggest",
        "shown": True,
        "output_hash": "x",
    }
    return usual | said


def decided(key: str = "decide-ai", **said: Any) -> Mapping[str, Any]:
    """One that a person who saw it accepted, unless told otherwise."""
    return proposal(key, **({"decision": "accept", "overridden": False, "decided_at": NOW} | said))


def blind(key: str = "decide-ai", *, agrees: bool, **said: Any) -> Mapping[str, Any]:
    """One of a blind sample."""
    unseen = {"route": "human_only", "why": "blind_sample", "sampled": "blind", "shown": False, "agrees": agrees}
    return decided(key, **(unseen | {"decision": None, "overridden": None} | said))


def keep(ledger: Ledger, case: str, *rows: Mapping[str, Any], close: str | None = None) -> None:
    """Have the ledger keep these proposals of a case in place of those that it has, and count what is new."""
    with ledger.write() as connection:
        if connection.execute(cases.select().where(cases.c.case_id == case)).first() is None:
            row: dict[str, Any] = {column.name: None for column in cases.columns if column.nullable}
            row |= {"case_id": case, "unit": "damage", "version": "1", "business_key": case, "run_id": "r"}
            row |= dict.fromkeys(("run_started_at", "changed_at", "written_at", "started_at"), NOW)
            connection.execute(cases.insert().values(**row, state="running", record_hash="h"))
        if close is not None:
            ended = {"close": close, "closed_at": NOW, "changed_at": NOW, "cycle_us": 1, "lead_us": 1}
            connection.execute(cases.update().where(cases.c.case_id == case).values(**ended))
        connection.execute(proposals.delete().where(proposals.c.case_id == case))
        for one in rows:
            connection.execute(proposals.insert().values(case_id=case, **one))
        count_again(connection, [case])
