"""Published definitions: their life, who signs what of them, and when they may run. See docs/governance.md."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any, Literal, get_args

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from workunits.core.errors import WorkUnitsError
from workunits.registry import hash_of

Stage = Literal["draft", "active", "deprecated", "retired"]
NEXT: Mapping[Stage, tuple[Stage, ...]] = {
    "draft": ("active",),
    "active": ("deprecated",),
    "deprecated": ("retired",),
    "retired": (),
}
"""The life of a definition: what each stage may become. Nothing comes back; a new version is published instead."""
STARTED: tuple[Stage, ...] = ("active", "deprecated")
"""The stages in which cases may be started."""
Part = Literal["definition", "boundary", "steps"]
"""What is signed: the whole definition, by the unit's owner; its boundary, by who answers for the outcome; and of the
boundary some steps, by another role that answers for these."""
PARTS: tuple[Part, ...] = get_args(Part)

_MACHINES = ("automated", "ai")
_NOT_BOUNDARY = frozenset(
    {
        *("takes", "gives", "raises", "timeout_seconds", "attempts", "inline"),
        *("expires_seconds", "start_by", "finish_by", "after", "compensated_by"),
        *("waits", "undo", "case_key_rule"),
    }
)
"""What a step says that is not about who or what does it, decides, or answers for it."""
_SILENCE = ("by_default", "instead", "silence_approves")
_TURNS = re.compile(r"(\S+) (?:takes over|mends the input)\b")


class GovernanceError(WorkUnitsError):
    """A definition is not published in the way that is asked for."""

    def __init__(self, message: str, *, code: str = "not_published", field: str = "") -> None:
        """Carry a code for machines, and the field when it is about one."""
        self.code = code
        self.field = field
        super().__init__(message)


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Signature(_Kept):
    """That someone stands for a definition, or for its boundary."""

    who: str = Field(min_length=1)
    role: str = Field(min_length=1)
    at: AwareDatetime
    of: Part
    hash: str = Field(pattern=r"^[0-9a-f]{12}$")
    """Of what was signed: what has changed since is not signed."""


class Turn(_Kept):
    """That a definition came to a stage."""

    stage: Stage
    at: AwareDatetime
    who: str = Field(min_length=1)
    note: str = ""


class Need(_Kept):
    """A sign-off that a definition needs."""

    role: str
    of: Part
    hash: str
    leaving: bool = False
    """Whether the role answered for it in what was published last, and does not any more."""


class Published(_Kept):
    """One version of a unit, as it is kept."""

    unit: str
    version: str
    stage: Stage
    hash: str
    histories: int = Field(ge=1)
    """So many stored histories replayed without a difference when it was signed last."""
    life: tuple[Turn, ...] = Field(min_length=1)
    signatures: tuple[Signature, ...]
    leaving: tuple[Need, ...] = ()
    """The further sign-offs of roles that it takes something from; see `handed_over`."""
    definition: dict[str, Any]

    def __str__(self) -> str:
        """As people name it."""
        return f"version {self.version} ({self.hash})"

    @property
    def published_at(self) -> datetime | None:
        """When all sign-offs were there first; None for a draft.

        A version that is signed again under its number is not published anew: else the owner of an old one could say
        so of all that came after it.
        """
        return next((turn.at for turn in self.life if turn.stage == "active"), None)

    @property
    def missing(self) -> tuple[Need, ...]:
        """The sign-offs that are not there."""
        there = {(one.role, one.of, one.hash) for one in self.signatures}
        wanted = (*needs(self.definition), *self.leaving)
        return tuple(need for need in wanted if (need.role, need.of, need.hash) not in there)


def boundary(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a definition that says who or what does the work, decides, and answers for it."""
    steps, rules = definition["structure"]["steps"], definition["logic"]["rules"]
    said: dict[str, Any] = {"admins": definition["admins"]} if definition.get("admins") else {}
    # A level of autonomy is earned in a segment: what belongs to it says how far the model may go.
    if "segment_rule" in definition["learning"] and any("autonomy" in step for step in steps):
        said["segments"] = definition["learning"]["segment_rule"]
    if turns := {f"{rule['on']} in {rule['step']}": turn[0] for rule in rules if (turn := turn_of(rule["then"]))}:
        said["rules"] = turns
    return said | {
        "outcome": definition["outcome"]["accountable"],
        "owner": definition["learning"]["owner"],
        "steps": {step["name"]: dict(_bounds(step)) for step in steps},
    }


def silence_answers(step: Mapping[str, Any]) -> bool:
    """Whether something takes a person's place once a step expires: then, when it does says who decides."""
    return any(step.get(name) is not None for name in _SILENCE)


def turn_of(then: str | None) -> tuple[str, str] | None:
    """What of a rule moves work: `LOOK takes over`, and the name of that step; None where the rule names no step."""
    found = _TURNS.match(then or "")
    return (found[0], found[1]) if found else None


def _bounds(step: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    inside = _NOT_BOUNDARY - {"expires_seconds"} if silence_answers(step) else _NOT_BOUNDARY
    for name, value in step.items():
        # The name of a machine's performer says where its code is, and not who does the work.
        if name not in inside and not (name == "performed_by" and step["executor"] in _MACHINES):
            yield name, value


def calls(definition: Mapping[str, Any]) -> dict[str, str]:
    """The units that a definition has performed as steps, by step."""
    steps = definition["structure"]["steps"]
    return {step["name"]: step["performed_by"] for step in steps if step["executor"] == "unit"}


def needs(definition: Mapping[str, Any]) -> tuple[Need, ...]:
    """The sign-offs without which a definition is a draft, whatever was there before it.

    That of the owner; of who answers for the outcome, for the boundary; and of each other role that answers for steps,
    for the boundary of these, with the rules that take work from them or give them some.
    """
    bounds, accountable = boundary(definition), definition["outcome"]["accountable"]
    by_role: dict[str, dict[str, Any]] = {}
    for name, step in bounds["steps"].items():
        if step["accountable"] and step["accountable"] != accountable:
            by_role.setdefault(step["accountable"], {}).update({name: step, **_rules_of(bounds, name)})
    return (
        Need(role=definition["learning"]["owner"], of="definition", hash=hash_of(definition)),
        Need(role=accountable, of="boundary", hash=hash_of(bounds)),
        *(Need(role=role, of="steps", hash=hash_of(steps)) for role, steps in sorted(by_role.items())),
    )


def _rules_of(bounds: Mapping[str, Any], step: str) -> dict[str, str]:
    """The rules that take work from a step, or give it some."""
    rules: Mapping[str, str] = bounds.get("rules", {})
    return {on: turn for on, turn in rules.items() if step in (on.rpartition(" in ")[2], turn.partition(" ")[0])}


def handed_over(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Need, ...]:
    """The sign-offs of those from whom a definition takes what they own or answer for in the one published last.

    Nobody takes over a unit, its outcome or a decision by writing their role into it.
    """
    hashes: Mapping[Part, str] = {"definition": hash_of(after), "boundary": hash_of(boundary(after))}
    there = {(need.role, need.of) for need in needs(after)}
    # Of the steps that are not theirs any more they sign what became of the whole boundary.
    lost: list[tuple[str, Part]] = [
        (n.role, n.of if n.of in hashes else "boundary") for n in needs(before) if (n.role, n.of) not in there
    ]
    return tuple(
        Need(role=role, of=part, hash=hashes[part], leaving=True)
        for role, part in dict.fromkeys(lost)
        if (role, part) not in there
    )


def faults(found: Published) -> Iterator[tuple[str, str]]:
    """What in a kept version contradicts the rest of it: the field, and why."""
    try:
        lacking = found.missing
    except (KeyError, TypeError, AttributeError):
        yield "definition", "it lacks a part that every definition has"
        return
    if hash_of(found.definition) != found.hash:
        yield "hash", "the definition in the file has another one: it was edited by hand"
    if found.stage != found.life[-1].stage:
        yield "stage", "it is not the stage to which its life came last"
    if found.life[0].stage != "draft":
        yield "life", "it does not begin as a draft"
    # A definition that changed inside, and was signed again, stays where it was.
    if any(b.stage != a.stage and b.stage not in NEXT[a.stage] for a, b in pairwise(found.life)):
        yield "life", f"a stage follows that cannot: the order is {' -> '.join(NEXT)}"
    if found.stage != "draft" and lacking:
        verb = "are" if lacking[0].of == "steps" else "is"
        yield "signatures", f"the {lacking[0].of} {verb} not signed by the role {lacking[0].role}"
