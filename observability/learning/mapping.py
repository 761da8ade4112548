"""The map of a log: how its activities, resources, transitions and ends are to be read, written as TOML."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.functional_validators import AfterValidator
from pydantic_core import to_json

from workunits.core.errors import BadInput
from workunits.toml_lines import line_of, lines_of

Kind = Literal["human", "automated", "ai"]
Transition = Literal["schedule", "start", "complete", "suspend", "resume", "withdraw", "abort", "ignore"]
"""What happens to a piece of work; `withdraw` takes it out of the queue, `abort` ends work on it without a result."""
STANDARD: Mapping[str, Transition] = {
    # The standard's own model of a life, IEEE 1849.
    "schedule": "schedule",
    "assign": "ignore",
    "reassign": "ignore",
    "start": "start",
    "resume": "resume",
    "suspend": "suspend",
    "complete": "complete",
    "withdraw": "withdraw",
    "autoskip": "withdraw",
    "manualskip": "withdraw",
    "ate_abort": "abort",
    "pi_abort": "abort",
}
_LARGEST = 1024 * 1024


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("should be a zone such as Europe/Amsterdam or UTC") from None
    return name


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
Text = Annotated[str, Field(min_length=1, max_length=100)]
Activity = Annotated[str, Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class StepOf(_Part):
    """What an activity is in the unit."""

    step: Name
    kind: Kind
    """Who performs it where the resource does not say otherwise."""


class Ends(_Part):
    """The activities with which a case ends; one that has none is open."""

    achieved: list[Activity] = []
    not_achieved: dict[Activity, Text] = {}
    """Each with its reason."""


class Segment(_Part):
    """The attribute of a trace by which cases are told apart."""

    attribute: Activity
    """Of the trace in XES; a column in CSV."""
    bins: list[float] = []
    """Where a new segment begins; without bins, each value is a segment."""
    labels: list[Text] = []
    """One more than bins."""

    @model_validator(mode="after")
    def _fits(self) -> Segment:
        if self.bins != sorted(set(self.bins)):
            raise ValueError("bins should go up")
        if self.labels and len(self.labels) != len(self.bins) + 1:
            raise ValueError(f"labels should be {len(self.bins) + 1}, one more than bins")
        return self


class Columns(_Part):
    """The columns of a CSV log."""

    case: Activity
    activity: Activity
    time: Activity
    """When it happened; with `start`, when it ended."""
    start: str = ""
    """For logs with one row for a piece of work: when work began."""
    schedule: str = ""
    """The same: when it was put in the queue."""
    transition: str = ""
    resource: str = ""
    instance: str = ""
    """What rows of the same piece of work have in common."""
    delimiter: Annotated[str, Field(max_length=1)] = ""
    """One character; found by itself when left out."""
    encoding: str = "utf-8-sig"
    time_format: str = ""
    """As in strptime; ISO 8601 when left out."""

    @field_validator("encoding")
    @classmethod
    def _known(cls, given: str) -> str:
        try:
            "".encode(given)
        except LookupError:
            raise ValueError("should be an encoding such as utf-8 or cp1252") from None
        return given

    @model_validator(mode="after")
    def _fits(self) -> Columns:
        if self.transition and (self.start or self.schedule):
            raise ValueError("transition is for a row per event, start and schedule for a row per piece of work")
        return self


class LogMap(_Part):
    """How a log is to be read."""

    unit: Name
    steps: dict[Activity, StepOf] = Field(min_length=1)
    ends: Ends = Ends()
    milestones: list[Activity] = []
    """Activities that happen to a case and are nobody's work; a `*` at the end stands for any rest."""
    ignore: list[Activity] = []
    """Activities that are read as if they were not there, also for the cycle time; `*` as above."""
    exceptions: dict[Activity, Name] | None = None
    """Activities that tell of a business exception, each with its code."""
    rework: dict[Name, list[Activity]] | None = None
    """Steps, each with the activities that send a case back to it."""
    resources: dict[Activity, Kind] = {}
    """Resources whose kind is not that of the step they work on."""
    no_resource: Kind | Literal["unknown"] = "unknown"
    """Who performed what names no resource."""
    lifecycle: dict[Activity, Transition] = {}
    """Names of transitions beside those of the standard; upper and lower case are the same."""
    segment: Segment | None = None
    zone: Annotated[str, AfterValidator(_zone)] = ""
    """Of times that name none."""
    duplicates: Literal["refuse", "apart"] = "refuse"
    """What to do with traces of the same name: refuse the log, or count each by itself."""
    csv: Columns | None = None

    @model_validator(mode="after")
    def _fits(self) -> LogMap:
        both = set(self.ends.achieved) & set(self.ends.not_achieved)
        if both:
            raise ValueError("ends: an activity is both achieved and not_achieved; keep it in one")
        declared = {step.step for step in self.steps.values()}
        strange = [step for step in self.rework or {} if step not in declared]
        if strange:
            raise ValueError(f"rework.{strange[0]}: no activity is mapped to such a step")
        return self

    @property
    def step_names(self) -> tuple[str, ...]:
        """The unit's steps that the log tells of, each once."""
        return tuple(dict.fromkeys(step.step for step in self.steps.values()))

    @cached_property
    def transitions(self) -> Mapping[str, Transition]:
        """What the names of transitions mean, in lower case."""
        return {**STANDARD, **{name.lower(): meaning for name, meaning in self.lifecycle.items()}}

    def named(self) -> frozenset[str]:
        """All activities that the map names without a `*`."""
        after = (activity for activities in (self.rework or {}).values() for activity in activities)
        plain = (name for name in (*self.milestones, *self.ignore) if not name.endswith("*"))
        every = (self.steps, self.ends.achieved, self.ends.not_achieved, self.exceptions or {}, after, plain)
        return frozenset(name for names in every for name in names)

    def canonical(self) -> bytes:
        """The map as bytes that do not depend on comments, order or layout."""
        return to_json(_sorted(self.model_dump(mode="json", exclude_defaults=True)))


class MapError(BadInput):
    """A map of a log cannot be used."""

    def __init__(self, where: str, why: str, *, field: str = "") -> None:
        """Name the place, and the key for machines."""
        super().__init__(f"{where}: {why}", code="bad_map")
        self.field = field


def read_map(path: Path) -> LogMap:
    """Read a map.

    Raises:
        MapError: names the file, the line and the key.
    """
    return parse_map(_text(path), str(path))


def parse_map(text: str, name: str) -> LogMap:
    """Judge a map.

    Raises:
        MapError: as `read_map`.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        at = re.search(r"\(at line (\d+), column (\d+)\)", said)
        why = "the key is there twice; keep one" if "overwrite" in said or "twice" in said else "not TOML"
        raise MapError(f"{name}:{at[1]}:{at[2]}" if at else f"{name}, at its end", why) from None
    try:
        return LogMap.model_validate(content)
    except ValidationError as error:
        raise _explained(error, text, name) from None


def refuse_unknown_steps(mapping: LogMap, steps: Iterable[str], path: Path) -> None:
    """Hold a map against the steps of its unit.

    Raises:
        MapError: it names a step that the unit does not have; gives near names.
    """
    known = list(steps)
    for activity, there in mapping.steps.items():
        if there.step not in known:
            place = ("steps", activity, "step")
            why = f"the unit {mapping.unit} has no step {there.step}; {near(there.step, known)}"
            raise MapError(_where(str(path), _text(path), place), f"{_dotted(place)}: {why}", field=_dotted(place))


def near(name: str, known: Sequence[str]) -> str:
    """What may have been meant, in words."""
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"it has {', '.join(known) or 'none'}"


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise MapError(str(path), f"cannot be read: {error.strerror}; name a map that is there") from None
    if len(content) > _LARGEST:
        raise MapError(str(path), "larger than 1 MB; a map is a short TOML file")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise MapError(str(path), "not UTF-8 text") from None


def _explained(error: ValidationError, text: str, name: str) -> MapError:
    found = error.errors(include_input=False, include_url=False)
    # A misspelt key is the cause of one that is missing.
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    path = tuple(str(part) for part in first["loc"] if part != "[key]")
    said = (
        first["msg"].removeprefix("Value error, ").replace("Input should", "should").replace("String should", "should")
    )
    if first["type"] == "extra_forbidden":
        said = f"there is no such key; {near(path[-1], _keys(path[:-1]))}"
    elif first["type"] == "missing":
        said = "is missing; add it"
    elif first["type"] == "string_pattern_mismatch":
        said = "should be lower_case_words: at most 60 letters, digits and _, a letter first"
    field = _dotted(path)
    return MapError(_where(name, text, path), f"{field}: {said}" if field else said, field=field)


def _keys(path: Sequence[str]) -> list[str]:
    parts: Mapping[str, type[BaseModel]] = {"ends": Ends, "segment": Segment, "csv": Columns, "steps": StepOf}
    return list((parts[path[0]] if path else LogMap).model_fields)


def _where(name: str, text: str, path: Sequence[str]) -> str:
    line = line_of(lines_of(text), path)
    return f"{name}:{line}" if line else name


def _dotted(path: Sequence[str]) -> str:
    return ".".join(part if re.fullmatch(r"[\w-]+", part) else f'"{part}"' for part in path)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return value
