"""Labels, proposals and questions for the tests of certificates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from observability.autonomy.certificate import Ask, Certificate, propose
from observability.autonomy.demotion import Seen
from observability.autonomy.labels import Label

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
NOW = BEGIN + timedelta(days=61)


def label(day: float = 0.0, **facts: Any) -> Label:
    """One label, made so many days after the begin."""
    told = {"confidence": 0.9, "wrong": False, "severe": False, "source": "shadow", "segment": "", **facts}
    return Label(at=BEGIN + timedelta(days=day), **told)


def labels(n: int = 1_500, wrong_every: int = 0, *, days: float = 60, seed: int = 1, **facts: Any) -> list[Label]:
    """Labels of confidences from one half on, over two months, every so many of them wrong."""
    raws = 0.5 + np.random.default_rng(seed).random(n) / 2
    return [
        label(
            days * place / n,
            **{"confidence": raw, "wrong": bool(wrong_every) and place % wrong_every == 0, **facts},
        )
        for place, raw in enumerate(raws.tolist())
    ]


def ask(**facts: Any) -> Ask:
    """A question about a step."""
    told = {
        "unit": "credit_decision",
        "unit_version": "1",
        "step": "assess",
        "executor": "model|1|",
        "level": "A4",
        "target": 0.05,
        "proposals": 1_500,
        "now": NOW,
        **facts,
    }
    return Ask(**told)


def certificate(**facts: Any) -> Certificate:
    """A certificate that 1,500 labels without an error, or those given, lead to."""
    given: Sequence[Label] = facts.pop("given", None) or labels()
    made = propose(given, ask(**facts))
    assert isinstance(made, Certificate), made
    return made


def seen(n: int, *, first: float = 62, days: float = 30, seed: int = 2, **facts: Any) -> list[Seen]:
    """Proposals since, confident as the labels were."""
    raws = 0.5 + np.random.default_rng(seed).random(n) / 2
    return [
        Seen(at=BEGIN + timedelta(days=first + days * place / n), **{"confidence": raw, "segment": "", **facts})
        for place, raw in enumerate(raws.tolist())
    ]
