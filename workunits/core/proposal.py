"""A model's proposal: what its performer hands over, and what the record of a case keeps of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from .autonomy import Level, Risk, Route
from .kept import Kept

if TYPE_CHECKING:
    from .steps import Step

WRONG = "-wrong"
"""Behind the key of a performance: the decoy that was shown instead of the real proposal."""
AGAIN = "-again"
"""Behind the key of a performance: what was decided on the real proposal, once a decoy was taken over."""
MOST = 5
"""Alternatives, and pieces of evidence, that a proposal carries."""
Microseconds = int
Decision = Literal["accept", "edit", "replace", "reject"]
Seeded = Literal["", "shown", "caught", "missed"]


class Standing(BaseModel):
    """What holds for a step's model now: read by the worker, from what people have signed."""

    model_config = ConfigDict(extra="ignore")

    level: Level = "A0"
    threshold: float | None = None
    points: list[tuple[float, float]] = Field(default_factory=list)
    """The calibration: raw confidence and what it is worth, in order; empty: there is none."""
    calibration: str = ""
    """Its version."""
    certificate: str = ""
    why: str = ""
    """Why the level is lower than what was declared or signed."""


class Asked(BaseModel):
    """What a performer's wrapper is told beside the input."""

    model_config = ConfigDict(extra="ignore")

    version: str = ""
    """Of the unit."""
    segment: str = ""
    approved: str = ""
    """The hash of what was decided, for a step that acts on it."""


class Offered(BaseModel):
    """What a hybrid step's activity gives back."""

    model_config = ConfigDict(extra="ignore")

    output: dict[str, Any] | None = None
    """None: the model was not asked."""
    confidence: float | None = Field(default=None, ge=0, le=1)
    """As the model says it."""
    alternatives: list[dict[str, Any]] = Field(default_factory=list, max_length=MOST)
    evidence: list[str] = Field(default_factory=list, max_length=MOST)
    """What of the input it rests on, in words."""
    model: str = ""
    prompt: str = ""
    tools: str = ""
    cost_usd: float | None = None
    tokens: int = 0
    draw: float = Field(default=0.0, ge=0, lt=1)
    standing: Standing = Field(default_factory=Standing)

    @property
    def executor(self) -> str:
        """The version of who proposed: model, prompt and tools."""
        return executor(self.model, self.prompt, self.tools)


class Proposed(Kept):
    """A proposal and what became of it, on the record: hashes and figures, nothing of the case."""

    model_config = ConfigDict(extra="ignore")

    key: str
    """The performance that it is for."""
    step: str
    at: Microseconds
    input: str
    """The hash of what the model was asked."""
    output: str = ""
    """The hash of what it proposed; empty: it proposed nothing."""
    executor: str = ""
    level: Level
    risk: Risk = "routine"
    raw: float | None = None
    confidence: float | None = None
    """Calibrated."""
    threshold: float | None = None
    calibration: str = ""
    certificate: str = ""
    route: Route
    why: str
    sampled: Literal["", "blind", "audit"] = ""
    shown: bool = False
    """Whether whoever decides sees it, or may have seen it before it was withdrawn."""
    withdrawn: Microseconds | None = None
    """When a stop took it away from whoever was to decide. Nobody knows whether they had seen it, so what they decide
    is neither a decision on it nor a label."""
    words: int = 0
    """Of what whoever decides has to read: the input, the proposal and its evidence; 0 where it is not shown."""
    seeded: Seeded = ""
    """Whether a decoy was shown first, and whether the person noticed."""
    cost_usd: float | None = None
    tokens: int = 0
    decision: Decision | None = None
    """What the person did with it; none: nobody decided, or did not see it."""
    fields: list[str] = Field(default_factory=list)
    """Where the decision differs."""
    material: bool = False
    """Whether one of them makes it another decision."""
    agrees: bool | None = None
    """Of whoever decided without seeing it: whether they came to the same."""
    reason: str = ""
    opened: int | None = None
    """Pieces of evidence that the person looked at."""
    decided: Microseconds | None = None

    @property
    def id(self) -> str:
        """Of the proposal, within its case."""
        return f"{self.key}-ai"

    def is_decided_by(self, key: str) -> bool:
        """Whether a performance decides on it: its own, one of several votes, or the one after a missed decoy."""
        return self.key in (key, key.rpartition("-v")[0], key.removesuffix(AGAIN))

    @property
    def overridden(self) -> bool:
        """Whether a person who saw it decided otherwise."""
        return self.decision in ("replace", "reject") or (self.decision == "edit" and self.material)


class Review(BaseModel):
    """What a person says about a proposal beside the answer."""

    model_config = ConfigDict(extra="forbid")

    proposal: str = Field(default="", max_length=64)
    """The hash of the proposal that was shown: a decision on another one is refused."""
    decision: Decision | None = None
    """Read off the answer when omitted: the same, changed in some fields, or in all."""
    reason: str = Field(default="", max_length=60)
    """One of the step's codes."""
    opened: int | None = Field(default=None, ge=0, le=1000)


def executor(model: str, prompt: str, tools: str) -> str:
    """The version of an executor in one word."""
    return f"{model}|{prompt}|{tools}"


def digest(value: BaseModel | Mapping[str, Any] | str) -> str:
    """A hash of a value, the same however its JSON is laid out."""
    plain = value.model_dump_json() if isinstance(value, BaseModel) else value
    read = json.loads(plain) if isinstance(plain, str) else plain
    whole = json.dumps(read, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(whole.encode()).hexdigest()[:32]


def words_in(value: Any) -> int:
    """How many words a value of JSON has, names of fields apart; a number is one."""
    if isinstance(value, str):
        return len(value.split())
    if isinstance(value, Mapping):
        return sum(map(words_in, value.values()))
    if isinstance(value, list):
        return sum(map(words_in, value))
    return 0 if value is None else 1


def hash_of(step: Step[Any, Any], offered: Offered) -> str | None:
    """The hash of a proposed output, as the step's type reads it; None when there is none."""
    return None if offered.output is None else digest(step.gives.model_validate(offered.output))


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The fields in which two outputs differ."""
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def noticed(
    right: Mapping[str, Any], wrong: Mapping[str, Any], decided: Mapping[str, Any], material: Sequence[str]
) -> Seeded:
    """Whether a decision puts right what was planted in a decoy.

    Args:
        right: What was really proposed.
        wrong: The decoy.
        decided: What the person who was shown the decoy decided.
        material: The fields that count; all, when empty. Where nothing that counts was planted, all that was does.

    Returns:
        `missed` when anything planted is left; empty when nothing was planted.
    """
    planted = differing(right, wrong)
    if not planted:
        return ""
    counts = [name for name in planted if name in material] or planted
    left = any(_is_left(right.get(name), wrong.get(name), decided.get(name)) for name in counts)
    return "missed" if left else "caught"


def _is_left(right: Any, wrong: Any, decided: Any) -> bool:
    """Whether a value has anything of what makes another one wrong, however deep inside."""
    if right == wrong:
        return False
    parts = _parts(right), _parts(wrong), _parts(decided)
    if None in parts:
        return bool(wrong == decided)
    names: set[Any] = {*(parts[0] or ()), *(parts[1] or ())}
    return any(_is_left(*((part or {}).get(name) for part in parts)) for name in names)


def _parts(value: Any) -> Mapping[Any, Any] | None:
    """What a value is made of, by name or place; None when it is one piece."""
    return dict(enumerate(value)) if isinstance(value, list) else value if isinstance(value, Mapping) else None


def read_off(fields: list[str], whole: int) -> Decision:
    """What a person did with a proposal, from how many of its fields they changed."""
    return "accept" if not fields else "replace" if len(fields) >= whole > 1 else "edit"


def worth(points: list[tuple[float, float]], raw: float | None) -> float | None:
    """The calibrated confidence: on the line through the points, and level beyond them."""
    if raw is None or not points:
        return None
    before = max((point for point in points if point[0] <= raw), default=points[0])
    after = min((point for point in points if point[0] >= raw), default=points[-1])
    if after[0] == before[0]:
        return before[1] if raw >= before[0] else after[1]
    return before[1] + (after[1] - before[1]) * (raw - before[0]) / (after[0] - before[0])
