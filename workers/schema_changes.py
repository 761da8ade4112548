"""What changed between two JSON schemas of pydantic models, in words, and whether somebody's data stops fitting."""

from __future__ import annotations

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
    "maximum": -1,
    "exclusiveMaximum": -1,
    "maxLength": -1,
    "maxItems": -1,
}
"""Each limit, and the direction in which it gets narrower."""
_OTHER = ("type", "format", "pattern", "const", "additionalProperties")


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
                return
            seen = (*seen, names)
        before, after = _resolved(before, self._before), _resolved(after, self._after)
        yield from self._properties(before, after, path, seen)
        yield from self._choices(before, after, path)
        yield from self._limits(before, after, path)
        for name in _OTHER:
            if before.get(name) != after.get(name):
                yield Difference(path, f"{name} {_said(before.get(name))} became {_said(after.get(name))}")
        if "items" in before and "items" in after:
            yield from self.of(before["items"], after["items"], f"{path}[]", seen)
        yield from self._alternatives(before, after, path, seen)

    def _properties(
        self, before: Schema, after: Schema, path: str, seen: Sequence[tuple[str, str]]
    ) -> Iterator[Difference]:
        old, new = before.get("properties", {}), after.get("properties", {})
        needed, needs = set(before.get("required", ())), set(after.get("required", ()))
        for name in old.keys() - new.keys():
            yield Difference(_at(path, name), "is gone")
        for name in new.keys() - old.keys():
            how = "is new and required" if name in needs else "is new, and may be left out"
            yield Difference(_at(path, name), how, self._incoming and name in needs)
        for name in sorted(old.keys() & new.keys()):
            if (name in needed) != (name in needs):
                words = "is required now" if name in needs else "may be left out now"
                yield Difference(_at(path, name), words, (name in needs) == self._incoming)
            yield from self.of(old[name], new[name], _at(path, name), seen)

    def _choices(self, before: Schema, after: Schema, path: str) -> Iterator[Difference]:
        old, new = before.get("enum"), after.get("enum")
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
                yield Difference(path, f"{name} {_said(old)} became {_said(new)}", narrower == self._incoming)

    def _alternatives(
        self, before: Schema, after: Schema, path: str, seen: Sequence[tuple[str, str]]
    ) -> Iterator[Difference]:
        for name in ("anyOf", "oneOf", "allOf"):
            old, new = before.get(name, []), after.get(name, [])
            if len(old) != len(new):
                wider = len(new) > len(old)
                yield Difference(path, f"{len(old)} alternative(s) became {len(new)}", wider != self._incoming)
            for one, other in zip(old, new, strict=False):
                yield from self.of(one, other, path, seen)


def _resolved(part: Schema, defined: Mapping[str, Any]) -> Schema:
    name = str(part.get("$ref", "")).rpartition("/")[2]
    return defined.get(name, {}) if name else part


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _said(value: Any) -> str:
    return "nothing" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
