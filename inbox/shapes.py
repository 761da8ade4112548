"""What an answer is made of, read from its JSON schema: a tree of shapes that forms and data views follow."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

Kind = Literal[
    "text",
    "long",
    "integer",
    "number",
    "money",
    "yes_no",
    "choice",
    "date",
    "datetime",
    "time",
    "group",
    "list",
    "many",
    "either",
    "fixed",
    "json",
]
"""`many`: any of several choices. `either`: one of several groups. `fixed`: always the same. `json`: none of these."""

_LONG_FROM = 250
"""Letters from which on a text gets a field of several lines."""
_LONG_NAMES = ("reason", "note", "comment", "summary", "details", "description", "message", "explanation")
_DEEPEST = 8
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SCALARS: dict[str, Kind] = {"integer": "integer", "number": "number", "boolean": "yes_no", "string": "text"}
_FORMATS: dict[str, Kind] = {"date": "date", "date-time": "datetime", "time": "time", "multiline": "long"}
_DECISIONS = ("decision", "verdict", "outcome", "answer", "result")
_FEWEST, _MOST = 2, 6
"""Allowed decisions that fit on buttons."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One value of an answer."""

    kind: Kind
    name: str = ""
    label: str = ""
    hint: str = ""
    required: bool = True
    """It has no default and has to be said."""
    nullable: bool = False
    """It may be nothing."""
    default: Any = None
    choices: tuple[str | int, ...] = ()
    inside: tuple[Shape, ...] = ()
    """A group's fields, what a list repeats, or the groups of an `either`."""
    longest: int | None = None
    fewest: int = 0
    most: int | None = None
    limits: str = ""
    """Of a number: what is taken, in words."""
    pattern: str = ""
    exact: bool = False
    """A decimal number, which travels as text so that no digit is lost."""


def shape_of(schema: Mapping[str, Any]) -> Shape:
    """Read the schema of an answer, as pydantic makes it."""
    return _read(schema, schema.get("$defs", {}), "", _DEEPEST)


def decision_of(shape: Shape) -> Shape | None:
    """The field whose few values are the allowed decisions, which become buttons; None when there is none."""
    fits = [
        field
        for field in shape.inside
        if field.kind == "choice" and field.required and not field.nullable and _FEWEST <= len(field.choices) <= _MOST
    ]
    named = [field for field in fits if field.name in _DECISIONS]
    return named[0] if named else fits[0] if len(fits) == 1 else None


def words(name: str) -> str:
    """A name of code as people write it: `monthly_income` becomes `Monthly income`, `ByPost` becomes `By post`."""
    said = _HUMP.sub(" ", name).replace("_", " ").replace("-", " ").strip()
    if said.count(" ") > name.count(" ") + name.count("_") + name.count("-"):
        said = said.lower()
    return said[:1].upper() + said[1:]


def _read(schema: Any, defs: Mapping[str, Any], name: str, deep: int) -> Shape:
    schema = _resolved(schema, defs)
    made = _kind(schema, defs, name, deep)
    return replace(
        made,
        name=name,
        label=words(name or str(schema.get("title", ""))),
        # That of money would be the docstring of its model, which tells nobody anything.
        hint=str(schema.get("description", "")) if name and made.kind != "money" else "",
        default=schema.get("default", made.default),
    )


def _resolved(schema: Any, defs: Mapping[str, Any]) -> dict[str, Any]:
    """Follow references and single `allOf`s; what stands beside a reference wins over what it names."""
    found = dict(schema) if isinstance(schema, Mapping) else {}
    for _ in range(_DEEPEST):
        if "$ref" in found:
            target = defs.get(str(found.pop("$ref")).rpartition("/")[2], {})
        elif isinstance(found.get("allOf"), list) and len(found["allOf"]) == 1:
            target = found.pop("allOf")[0]
        else:
            break
        found = {**target, **found}
    return found


def _kind(schema: dict[str, Any], defs: Mapping[str, Any], name: str, deep: int) -> Shape:
    options = schema.get("anyOf") or schema.get("oneOf")
    said = schema.get("type")
    made = Shape("json")
    if deep == 0:
        pass
    elif "const" in schema:
        made = Shape("fixed", default=schema["const"])
    elif "enum" in schema:
        made = Shape("choice", choices=tuple(value for value in schema["enum"] if isinstance(value, str | int)))
    elif options:
        made = _one_of(schema, [_resolved(option, defs) for option in options], defs, name, deep)
    elif said == "object":
        made = _group(schema, defs, deep)
    elif said == "array":
        made = _list(schema, defs, deep)
    elif said in _SCALARS:
        made = _scalar(schema, name, _SCALARS[str(said)])
    return made


def _one_of(
    schema: dict[str, Any], options: Sequence[dict[str, Any]], defs: Mapping[str, Any], name: str, deep: int
) -> Shape:
    some = [option for option in options if option.get("type") != "null"]
    nullable = len(some) < len(options)
    if len(some) == 1:
        return replace(_read({**some[0], **_beside(schema)}, defs, name, deep), nullable=nullable)
    types = {str(option.get("type")) for option in some}
    if types == {"number", "string"}:  # how pydantic says `Decimal`
        number = next(option for option in some if option.get("type") == "number")
        return replace(_scalar(number, name, "number"), exact=True, nullable=nullable)
    if types == {"object"}:
        groups = tuple(replace(_read(o, defs, "", deep - 1), label=words(str(o.get("title", "")))) for o in some)
        return Shape("either", inside=groups, nullable=nullable)
    return Shape("json", nullable=nullable)


def _beside(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: schema[key] for key in ("description", "default", "title") if key in schema}


def _group(schema: dict[str, Any], defs: Mapping[str, Any], deep: int) -> Shape:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        # Without fields it is either nothing at all, or anything.
        return Shape("group") if properties is None and schema.get("additionalProperties") is False else Shape("json")
    needed = schema.get("required", [])
    fields = tuple(
        replace(_read(inner, defs, str(name), deep - 1), required=name in needed) for name, inner in properties.items()
    )
    kinds = {field.name: field.kind for field in fields}
    return Shape("money" if kinds == {"minor": "integer", "currency": "text"} else "group", inside=fields)


def _list(schema: dict[str, Any], defs: Mapping[str, Any], deep: int) -> Shape:
    item = _read(schema.get("items", {}), defs, "", deep - 1)
    if "prefixItems" in schema:
        return Shape("json")
    limits: dict[str, Any] = {"fewest": int(schema.get("minItems", 0)), "most": schema.get("maxItems")}
    if item.kind == "choice" and schema.get("uniqueItems"):
        return Shape("many", choices=item.choices, **limits)
    return Shape("list", inside=(item,), **limits)


def _scalar(schema: dict[str, Any], name: str, kind: Kind) -> Shape:
    if kind == "text":
        kind = _FORMATS.get(str(schema.get("format", "")), kind)
        longest = schema.get("maxLength")
        named = any(part in _LONG_NAMES for part in name.split("_"))
        if kind == "text" and ((longest or 0) >= _LONG_FROM or (named and not longest)) and "pattern" not in schema:
            kind = "long"
        return Shape(kind, longest=longest, fewest=int(schema.get("minLength", 0)), pattern=schema.get("pattern", ""))
    return Shape(kind, limits=_limits(schema))


def _limits(schema: Mapping[str, Any]) -> str:
    """What of numbers is taken, in words."""
    said = [
        f"{words_} {schema[name]:g}"
        for name, words_ in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "more than"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "less than"),
        )
        if isinstance(schema.get(name), int | float)
    ]
    text = " and ".join(said)
    return f"{text[:1].upper()}{text[1:]}." if text else ""
