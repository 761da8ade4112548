"""The catalog as data: its value streams, and of each unit the boundary: which steps, who does them, who answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workunits.core.spec import On, Step
from workunits.core.unit import WorkUnit
from workunits.judged import Judged, judge
from workunits.registry import Catalog, Package, describe

WHO: Mapping[str, str] = {
    "human": "person",
    "automated": "code",
    "ai": "AI model",
    "hybrid": "AI model and person",
    "unit": "another unit",
}
"""In a word or two, who or what performs a step of each kind."""
ALONE = ""
"""The stream of units that stand by themselves."""


@dataclass(frozen=True, slots=True)
class Place:
    """One step on the boundary map."""

    name: str
    kind: str
    by: str
    """The role, for people; empty for machines."""
    external: bool
    decides: str
    """What is decided, in words; empty when nothing is."""
    accountable: str
    aside: bool
    """Whether a rule, an expiry or an undoing leads to it."""
    level: str = ""
    """How far a model may go by itself, of a step that a person decides with it."""


@dataclass(frozen=True, slots=True)
class Way:
    """Where a case goes beside the order of its steps."""

    start: str
    """A step."""
    to: str
    """A step; empty for the close."""
    when: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One unit of the catalog."""

    unit: str
    version: str
    hash: str
    stream: str
    stage: str
    owner: str
    accountable: str
    statement: str
    promise: str
    measures: Sequence[str]
    case: str
    steps: Sequence[Place]
    ways: Sequence[Way]

    @property
    def order(self) -> Sequence[Place]:
        """The steps to which no rule has to lead, in the order in which they are declared."""
        return [step for step in self.steps if not step.aside]


def performer(step: Place) -> str:
    """Who or what performs a step, in words."""
    who = WHO.get(step.kind, step.kind)
    by = f" ({step.by})" if step.by else ""
    level = f", at most {step.level}" if step.level else ""
    return f"{who}{by}{level}{', outside' * step.external}"


def title_of(stream: str) -> str:
    """What a value stream is called."""
    return f"Value stream: {stream}" if stream != ALONE else "Units that stand by themselves"


def entries(catalog: Catalog) -> list[Entry]:
    """All units, in the order of their packages."""
    return [entry_of(unit, package) for package in catalog.packages for unit in package.units]


def by_stream(found: Sequence[Entry]) -> Mapping[str, Sequence[Entry]]:
    """Units by value stream, in the order in which the streams come up; those without one last."""
    names = sorted(dict.fromkeys(one.stream for one in found), key=lambda name: name == ALONE)
    return {name: [one for one in found if one.stream == name] for name in names}


def stage_of(found: Judged) -> str:
    """The life stage of what is loaded, in words."""
    return found.stage or "not published"


def entry_of(unit: type[WorkUnit], package: Package) -> Entry:
    """One unit, of its package."""
    told, found = describe(unit), judge(unit, package)
    aside = {name for _, name in _led(unit)}
    return Entry(
        unit=unit.unit_name,
        version=unit.version,
        hash=found.hash,
        stream=unit.stream,
        stage=stage_of(found),
        owner=unit.learning.owner,
        accountable=unit.outcome.accountable,
        statement=unit.outcome.statement,
        promise=str(unit.outcome.target),
        measures=[str(measure) for measure in unit.learning.measures],
        case=unit.case_type.__name__,
        steps=[_place(step, told_step, aside) for step, told_step in zip(unit.steps, _steps(told), strict=True)],
        ways=list(_ways(unit)),
    )


def _steps(told: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return list(told["structure"]["steps"])


def _place(step: Step[Any, Any], told: Mapping[str, Any], aside: set[str]) -> Place:
    return Place(
        name=step.name,
        kind=step.kind,
        by=step.role or (told["performed_by"] if step.kind not in ("automated", "ai") else ""),
        external=step.external,
        decides=_decided(step) if step.decides else "",
        accountable=step.accountable,
        aside=step.name in aside,
        level=str(told.get("autonomy", {}).get("level", "")),
    )


def _decided(step: Step[Any, Any]) -> str:
    """What a decision says: the choices of its answer, or the answer's name when it has none to choose from."""
    schema = step.gives.model_json_schema()
    said = [
        f"{name}: {choices}" for name, part in schema.get("properties", {}).items() if (choices := _of(part, schema))
    ]
    return "; ".join(said) or step.gives.__name__


def _of(part: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    name = str(part.get("$ref", "")).rpartition("/")[2]
    part = schema.get("$defs", {}).get(name, part) if name else part
    if "enum" in part:
        return " or ".join(str(choice) for choice in part["enum"])
    return "yes or no" if part.get("type") == "boolean" else ""


def _led(unit: type[WorkUnit]) -> Iterator[tuple[str, str]]:
    """The steps to which something leads, each with what does."""
    for way in _ways(unit):
        if way.to and way.start != way.to:
            yield way.start, way.to


def _ways(unit: type[WorkUnit]) -> Iterator[Way]:
    for rule in unit.rules:
        on = rule.exception.code if isinstance(rule, On) else "technical failure"
        if rule.instead:
            yield Way(rule.step.name, rule.instead.name, on)
        elif isinstance(rule, On) and rule.repair:
            yield Way(rule.step.name, rule.repair.name, f"{on}, it mends the input")
        else:
            yield Way(rule.step.name, "", on)
    for step in unit.steps:
        if step.expires and step.instead:
            yield Way(step.name, step.instead.name, "no answer")
        elif step.expires and step.by_default is None:
            yield Way(step.name, "", "no answer")
        if step.compensated_by:
            yield Way(step.name, step.compensated_by.name, "undone")
