"""What changed between two JSON schemas of pydantic models, in words, and whether somebody's data stops fitting."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

Schema = Mapping[str, Any]
Flow = Literal["in", "out"]
"""`in`: others write it, so a narrower type breaks them; `out`: others read it, so a wider type does."""
_LIMITS = {
    "minimum": 1,
    "exclusiveMinimum": 1,
    "minLength": 1,
    "minItems": 1,
    "minProperties": 1,
    "maximum": -1,
    "exclusiveMaximum": -1,
    "maxLength": -1,
    "maxItems": -1,
    "maxProperties": -1,
}
"""Each limit, and the direction in which it gets narrower."""
_READ = frozenset({"title", "description", "examples"})
"""What only people read."""
_INSIDE = {"items": "[]", "additionalProperties": "[*]"}
"""Where a schema holds another one, and how a path says so."""
_ALTERNATIVES = ("anyOf", "oneOf", "allOf", "prefixItems")
_BY_ITSELF = frozenset(
    {"$defs", "$ref", "properties", "required", "enum", "const", *_LIMITS, *_READ, *_INSIDE, *_ALTERNATIVES}
)
"""What is compared with more understanding than by being equal."""
_NARROWS = frozenset({"pattern", "multipleOf", "uniqueItems"})
"""What makes a type narrower by being there."""
_DECIDES = frozenset({"type", "format", "discriminator", "patternProperties", "propertyNames", "contains", "not"})
"""What also says which data fit; a keyword that the standard does not know says nothing of data."""
_NAMED = frozenset({"properties", "patternProperties"})
"""Where the keys are names that someone gave, and no keywords."""


class Difference(NamedTuple):
    """One thing that changed."""

    path: str
    words: str
    breaking: bool = True


def differences(before: Schema, after: Schema, flow: Flow) -> list[Difference]:
    """Compare two schemas.

    Args:
        before: As `model_json_schema` gives it.
        after: Likewise.
        flow: Who fills it in.
    """
    return list(_Pair(before, after, flow).of(before, after, "", ()))


class _Pair:
    """Two schemas with their definitions."""

    def __init__(self, before: Schema, after: Schema, flow: Flow) -> None:
        self._before, self._after = before.get("$defs", {}), after.get("$defs", {})
        self._incoming = flow == "in"

    def of(self, before: Any, after: Any, path: str, seen: Sequence[tuple[str, str]]) -> Iterator[Difference]:
        """What differs in two parts of the schemas."""
        names = (str(before.get("$ref", "")), str(after.get("$ref", "")))
        if all(names):
            if names in seen:
                # The part itself is being compared already; what stands beside its name, such as a default, is not.
                before, after = _without_name(before), _without_name(after)
            seen = (*seen, names)
        before, after = _resolved(before, self._before), _resolved(after, self._after)
        yield from self._properties(before, after, path, seen)
        yield from self._choices(before, after, path)
        yield from self._limits(before, after, path)
        yield from self._others(before, after, path)
        yield from self._parts(before, after, path, seen)
        yield from self._alternatives(before, after, path, seen)

    def _properties(
        self, before: Schema, after: Schema, path: str, seen: Sequence[tuple[str, str]]
    ) -> Iterator[Difference]:
        old, new = before.get("properties", {}), after.get("properties", {})
        needed, needs = set(before.get("required", ())), set(after.get("required", ()))
        for name in sorted(old.keys() - new.keys()):
            yield Difference(_at(path, name), "is gone")
        for name in sorted(new.keys() - old.keys()):
            how = "is new and required" if name in needs else "is new, and may be left out"
            yield Difference(_at(path, name), how, self._incoming and name in needs)
        for name in sorted(old.keys() & new.keys()):
            if (name in needed) != (name in needs):
                words = "is required now" if name in needs else "may be left out now"
                yield Difference(_at(path, name), words, (name in needs) == self._incoming)
            yield from self.of(old[name], new[name], _at(path, name), seen)

    def _choices(self, before: Schema, after: Schema, path: str) -> Iterator[Difference]:
        old, new = _choices_of(before), _choices_of(after)
        if old is None or new is None:
            if old != new:
                narrower = old is None
                words = f"only {_said(new)} now" if narrower else "may be anything now"
                yield Difference(path, words, narrower == self._incoming)
            return
        gone, come = [x for x in old if x not in new], [x for x in new if x not in old]
        if gone:
            yield Difference(path, f"{_said(gone)} is no choice any more", self._incoming)
        if come:
            yield Difference(path, f"{_said(come)} is a new choice", not self._incoming)

    def _limits(self, before: Schema, after: Schema, path: str) -> Iterator[Difference]:
        for name, direction in _LIMITS.items():
            old, new = before.get(name), after.get(name)
            if old != new:
                narrower = new is not None and (old is None or (new - old) * direction > 0)
                yield Difference(path, _became(name, before, after), narrower == self._incoming)

    def _others(self, before: Schema, after: Schema, path: str) -> Iterator[Difference]:
        for name in sorted({*before, *after} - _BY_ITSELF):
            if (name in before, _value(name, before)) != (name in after, _value(name, after)):
                yield Difference(path, _became(name, before, after), self._breaks(name, name in before, name in after))

    def _breaks(self, name: str, was: bool, now: bool) -> bool:  # noqa: FBT001 - whether it was stated, and is
        if name == "default":
            # Who leaves the field out gets something else without a word; a default that came or went is told as
            # what may be left out, or may not any more.
            return self._incoming and was and now
        if name in _NARROWS and was != now:
            return now == self._incoming
        return name in _NARROWS | _DECIDES

    def _parts(self, before: Schema, after: Schema, path: str, seen: Sequence[tuple[str, str]]) -> Iterator[Difference]:
        for name, mark in _INSIDE.items():
            old, new = before.get(name), after.get(name)
            if isinstance(old, Mapping) and isinstance(new, Mapping):
                yield from self.of(old, new, f"{path}{mark}", seen)
            elif old != new:
                yield Difference(path, _became(name, before, after))

    def _alternatives(
        self, before: Schema, after: Schema, path: str, seen: Sequence[tuple[str, str]]
    ) -> Iterator[Difference]:
        for name in _ALTERNATIVES:
            placed = name == "prefixItems"
            old, new = before.get(name, []), after.get(name, [])
            if len(old) != len(new):
                noun, breaks = "alternative(s)", (len(new) > len(old)) != self._incoming
                if placed:
                    noun, breaks = "place(s)", True
                yield Difference(path, f"{len(old)} {noun} became {len(new)}", breaks)
            for number, (one, other) in enumerate(zip(old, new, strict=False)):
                yield from self.of(one, other, f"{path}[{number}]" if placed else path, seen)


def only_for_readers(before: Schema, after: Schema) -> bool:
    """Whether two schemas differ in nothing but titles, descriptions, examples and what their parts are called."""
    bare = (_bare(one, one.get("$defs", {}), ()) for one in (before, after))
    return len({json.dumps(one, sort_keys=True) for one in bare}) == 1  # as hashes are: 1 and 1.0 are two


def _bare(part: Any, defined: Mapping[str, Any], within: Sequence[str]) -> Any:
    """A part of a schema without what only people read, its named parts in place of their names."""
    if isinstance(part, list):
        return [_bare(one, defined, within) for one in part]
    if not isinstance(part, Mapping):
        return part
    if name := _name(part):
        if name in within:  # it holds itself: so many levels up
            return {"": len(within) - within.index(name), **_bare(_without_name(part), defined, within)}
        part, within = _resolved(part, defined), (*within, name)
    bare: dict[str, Any] = {}
    for key in part.keys() - _READ - {"$defs"}:
        if key in _NAMED:
            bare[key] = {name: _bare(one, defined, within) for name, one in part[key].items()}
        else:
            data = key in ("default", "enum", "const", "required", "discriminator")
            bare[key] = _value(key, part) if data else _bare(part[key], defined, within)
    return bare


def _name(part: Schema) -> str:
    return str(part.get("$ref", "")).rpartition("/")[2]


def _resolved(part: Schema, defined: Mapping[str, Any]) -> Schema:
    """A part with what its name stands for; what stands beside the name goes first."""
    name = _name(part)
    return {**defined.get(name, {}), **_without_name(part)} if name else part


def _without_name(part: Schema) -> Schema:
    return {key: value for key, value in part.items() if key != "$ref"}


def _choices_of(part: Schema) -> list[Any] | None:
    return [part["const"]] if "const" in part else part.get("enum")


def _value(name: str, part: Schema) -> Any:
    """What a keyword says; of a discriminator only which field it is, for the rest are names of parts."""
    value = part.get(name)
    return value.get("propertyName") if name == "discriminator" and isinstance(value, Mapping) else value


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _became(name: str, before: Schema, after: Schema) -> str:
    was, now = (_said(_value(name, part)) if name in part else "nothing" for part in (before, after))
    return f"{name} {was} became {now}"


def _said(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return json.dumps(value)
    return ", ".join(map(_said, value)) if isinstance(value, list) else str(value)
