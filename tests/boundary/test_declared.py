"""What a definition may declare of models, of acts on decisions, and of other units."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.boundary.units import Cover, Damage
from workunits.core.gate import examine
from workunits.core.gate_autonomy import autonomy_doubts, autonomy_problems
from workunits.core.spec import Autonomy, Step, elapsed

LIMITS: Autonomy[Any, Any] = Autonomy()


def fields(step: Step[Any, Any]) -> list[str]:
    """Where something is undecided."""
    return [field for field, _, _ in autonomy_problems(step)]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"level": "A4"}, "autonomy.level"),
        ({"level": "a2"}, "autonomy.level"),
        ({"dual": ("risky",)}, "autonomy.dual"),
        ({"blind": 0.9}, "autonomy.blind"),
        ({"audit": True}, "autonomy.audit"),
        ({"material": ("colour",)}, "autonomy.material"),
        ({"risk": "routine"}, "autonomy.risk"),
        ({"veto": 3}, "autonomy.veto"),
        ({"reasons": "policy"}, "autonomy.reasons"),
    ],
)
def test_a_misconfigured_gate_is_named(change: dict[str, Any], field: str) -> None:
    """The unit does not load, and its author reads which field and what to write."""
    assert fields(replace(Damage.DECIDE, autonomy=replace(LIMITS, **change))) == [field]


def test_what_belongs_to_other_kinds_is_refused() -> None:
    """A person has no model; only an act is approved; only another unit is called."""
    human, pay, settle = Damage.INSPECT, Damage.PAY, Cover.SETTLE
    assert fields(replace(human, autonomy=LIMITS)) == ["autonomy"]
    assert fields(replace(Damage.DECIDE, autonomy=None)) == ["autonomy"]
    assert fields(replace(pay, payload=None)) == ["payload"]
    assert fields(replace(pay, approved_by=None)) == ["payload"]
    assert fields(replace(pay, inline=True)) == ["approved_by"]
    assert fields(replace(pay, approved_by=settle)) == ["approved_by"]
    assert fields(replace(human, calls="damage")) == ["calls"]
    assert fields(replace(settle, calls="")) == ["calls"]
    assert fields(replace(Damage.DECIDE, expires=elapsed(days=1))) == []


def test_a_share_without_a_decoy_is_an_open_design_decision() -> None:
    """Nothing would be shown."""
    assert Damage.DECIDE.autonomy is not None
    bare = replace(Damage.DECIDE, autonomy=replace(Damage.DECIDE.autonomy, decoy=None, seeded=0.1))
    assert [field for field, _, _ in autonomy_problems(bare)] == ["autonomy.decoy"]


@pytest.mark.parametrize(
    ("blind", "audit", "doubts"),
    [(0.0, 0.0, 1), (0.02, 0.02, 1), (0.05, 0.0, 0), (0.0, 0.05, 0), (0.03, 0.02, 0), (0, 9, 0)],
)
def test_too_few_cases_judged_without_the_model_are_a_doubt(blind: float, audit: float, doubts: int) -> None:
    """Blind reviews and audits together; what is no share has its own problem, and people alone need neither."""
    step = replace(Damage.DECIDE, autonomy=replace(LIMITS, blind=blind, audit=audit))
    found = list(autonomy_doubts([step, Damage.INSPECT]))

    assert [field for field, _, _ in found] == ["decide.autonomy"] * doubts
    assert all("blind= and audit= are" in what and "Raise blind=" in remedy for _, what, remedy in found)


def test_a_doubt_is_a_warning_and_the_unit_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    """`check` says so, and nothing is refused."""
    assert examine(Damage) == []
    monkeypatch.setattr(Damage, "DECIDE", replace(Damage.DECIDE, autonomy=replace(LIMITS, blind=0.0, audit=0.0)))

    assert [(one.element, one.field, one.warning) for one in examine(Damage) if "audit" in one.remedy] == [
        ("structure", "decide.autonomy", True)
    ]
    assert all(one.warning for one in examine(Damage) if one.element == "structure")
