"""Invented proposals at the hybrid step of fraud review, in a ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from observability.ledger.store import Ledger
from observability.ledger.tables import cases, proposals

UNIT, STEP, EXECUTOR = "fraud_review", "triage", "test|1|"


def fill(
    ledger: Ledger, count: int, *, until: datetime | None = None, days: float = 60, name: str = "C", **facts: Any
) -> None:
    """Put in proposals of the last days, in the shadow and right unless `facts` says otherwise.

    Args:
        ledger: Where.
        count: How many.
        until: When the last one was made; an hour ago.
        days: Over how many days.
        name: Their keys begin with it.
        facts: Columns of each; a function of its number and raw confidence where they vary.
    """
    until = until or datetime.now(UTC) - timedelta(hours=1)
    raws = 0.5 + np.random.default_rng(len(name)).random(count) / 2
    case: dict[str, Any] = {column.name: None for column in cases.columns if column.nullable}
    case |= {"unit": UNIT, "version": "1", "run_id": "r", "state": "achieved", "record_hash": "h", "facts": {}}
    made: dict[str, Any] = {column.name: None for column in proposals.columns if column.nullable}
    made |= {"key": "triage-ai", "step": STEP, "outcome": "proposed", "latency_us": 1, "attempts": 1, "level": "A1"}
    made |= {"executor": EXECUTOR, "risk": "routine", "route": "human_only", "shown": False, "agrees": True}
    made |= {"input_hash": "i", "output_hash": "o"}
    case_rows, rows = [], []
    for number, raw in enumerate(raws.tolist()):
        at = until - timedelta(days=days) * (1 - (number + 1) / count)
        key = f"{UNIT}:{name}-{number}"
        moments = dict.fromkeys(("run_started_at", "changed_at", "written_at", "started_at"), at)
        case_rows.append(case | moments | {"case_id": key, "business_key": f"{name}-{number}"})
        varied = {column: value(number, raw) if callable(value) else value for column, value in facts.items()}
        rows.append(made | {"case_id": key, "at": at, "raw": raw} | varied)
    with ledger.write() as connection:
        connection.execute(cases.insert(), case_rows)
        connection.execute(proposals.insert(), rows)


def directory(folder: Path) -> Path:
    """A file of people: two of the role that answers for the step."""
    file = folder / "people.toml"
    people = "".join(f'[[person]]\nname = "{name}"\ngroups = ["heads"]\n' for name in ("ann", "eve"))
    file.write_text(f'[groups]\nheads = ["head of fraud prevention"]\n{people}', encoding="utf-8")
    return file
