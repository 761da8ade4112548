"""The rows of what models proposed, and of what became of it."""

from __future__ import annotations

from typing import Any

from observability.ledger.figures import length
from workunits.core.hybrid import AI
from workunits.core.proposal import Proposed
from workunits.core.record import Record, Work

_HYBRID = Proposed(key="", step="", at=0, input="", level="A0", route="human_only", why="")
"""What a row has columns for; empty where a step is a model's alone."""


def proposal_rows(record: Record) -> list[dict[str, Any]]:
    """The rows of what models gave, and of proposals that were stopped before a model was asked."""
    rows = [proposal_row(record, work) for work in record.steps if work.kind == "ai" and work.done is not None]
    known = {row["key"] for row in rows}
    return rows + [_not_asked(record, one) for one in record.proposals if one.id not in known and not one.output]


def _not_asked(record: Record, proposed: Proposed) -> dict[str, Any]:
    row = {
        "case_id": record.case,
        "key": proposed.id,
        "step": proposed.step,
        "at": record.when(proposed.at),
        "outcome": "not_asked",
        "code": proposed.why,
        "latency_us": 0,
        "attempts": 0,
    }
    return row | _decided(record, proposed)


def proposal_row(record: Record, work: Work) -> dict[str, Any]:
    """The row of what a model gave."""
    return {
        "case_id": record.case,
        "key": work.key,
        "step": work.step,
        "at": record.when(work.done or 0),
        "outcome": ("by_hand" if work.by else "proposed") if work.end == "done" else (work.end or "failed"),
        "code": work.code,
        "latency_us": length(work.work[-1:]),
        "attempts": work.attempts,
    } | _decided(record, record.proposal(work.key.removesuffix(AI)))


def _decided(record: Record, proposed: Proposed | None) -> dict[str, Any]:
    """What became of a hybrid step's proposal; nothing for a step that a model performs."""
    if proposed is None:
        return dict.fromkeys(_columns(record, _HYBRID))
    return _columns(record, proposed)


def _columns(record: Record, proposed: Proposed) -> dict[str, Any]:
    return {
        "executor": proposed.executor or None,
        "level": proposed.level,
        "risk": proposed.risk,
        "route": proposed.route,
        "why": proposed.why,
        "sampled": proposed.sampled or None,
        "shown": proposed.shown,
        "words": proposed.words or None,
        "seeded": proposed.seeded or None,
        "raw": proposed.raw,
        "confidence": proposed.confidence,
        "threshold": proposed.threshold,
        "certificate": proposed.certificate or None,
        "input_hash": proposed.input,
        "output_hash": proposed.output or None,
        "cost_usd": proposed.cost_usd,
        "tokens": proposed.tokens,
        "decision": proposed.decision,
        "differs": proposed.fields if proposed.decided is not None else None,
        "overridden": proposed.overridden if proposed.decision else None,
        "agrees": proposed.agrees,
        "reason": proposed.reason or None,
        "opened": proposed.opened,
        "decided_at": None if proposed.decided is None else record.when(proposed.decided),
    }
