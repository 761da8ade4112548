"""What the proposals of hybrid steps add to the totals: once when they are routed, once when people have decided.

A step that is a model's alone has no route, and counts among the steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from observability.ledger.totals import Example, Tally

Row = Mapping[str, Any]
PROPOSED, DECIDED = "a:", "d:"
"""Marks of what was counted."""


def events(case: Row, proposals: Sequence[Row]) -> Iterator[tuple[str, Any]]:
    """What there is to count of a case's proposals, each with its mark."""
    for row in proposals:
        if row["route"] is not None:
            yield f"{PROPOSED}{row['key']}", lambda tally, row=row: _proposed(tally, case, row)
            # Of two people who decide, the last one's counts: whether there is another is known at the end.
            final = row["route"] != "dual_review" or case["close"]
            if row["decided_at"] is not None and final:
                yield f"{DECIDED}{row['key']}", lambda tally, row=row: _decided(tally, case, row)


def _proposed(tally: Tally, case: Row, row: Row) -> None:
    labels = case["unit"], case["version"], row["step"]
    tally.count("proposals", *labels, row["route"], row["level"])
    tally.count("proposal_reasons", *labels, row["why"])
    tally.count("proposal_shown", *labels, by=int(bool(row["shown"])))
    tally.count("ai_cost_usd", *labels, by=_millionths(row["cost_usd"] or 0.0))
    if row["output_hash"] is None:
        return
    took = row["latency_us"]
    tally.observe("proposal_latency_seconds", took, *labels, example=_example(case, row, took))
    if row["confidence"] is not None:
        sure = _millionths(row["confidence"])
        tally.observe("proposal_confidence", sure, *labels, example=_example(case, row, sure))


def _decided(tally: Tally, case: Row, row: Row) -> None:
    labels = case["unit"], case["version"], row["step"]
    if row["decision"] is not None:
        tally.count("proposal_decisions", *labels, row["decision"])
        tally.count("proposal_overrides", *labels, by=int(bool(row["overridden"])))
    elif row["agrees"] is not None:
        tally.count("blind", *labels)
        tally.count("blind_disagreements", *labels, by=int(not row["agrees"]))


def _example(case: Row, row: Row, millionths: int) -> Example:
    return Example(case["case_id"], case["trace_id"], millionths, row["at"])


def _millionths(amount: float) -> int:
    return round(amount * 1_000_000)
