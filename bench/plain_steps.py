"""The twin's types and activities; its workflow imports them as passed through, as Temporal's guides say."""

from dataclasses import dataclass
from typing import Any

from temporalio import activity


@dataclass
class Decision:
    """What the reviewer answers."""

    approved: bool
    note: str = ""


@activity.defn
async def enrich(case: dict[str, Any]) -> dict[str, Any]:
    return {"risk": "low", "amount": case["amount"]}


@activity.defn
async def assess(_: dict[str, Any]) -> dict[str, Any]:
    return {"score": 0.93, "reason": "within policy"}
