"""A person's answer on the command line: what a step takes, in words, and how `--set field=value` is read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from workunits.core.errors import BadInput
from workunits.core.strict_json import BODY_LIMIT, loads

Schema = Mapping[str, Any]
_DEEPEST = 3
"""Levels of an answer that are put into words; a schema may contain itself."""
_WORDS = {"string": "text", "integer": "whole number", "boolean": "true or false", "array": "list", "object": "object"}


def fields(schema: Schema) -> Iterator[tuple[str, str]]:
    """Each field of an answer, and what it takes in words."""
    required = schema.get("required", ())
    for name, wanted in schema.get("properties", {}).items():
        needed = " (required)" if name in required else ""
        about = f": {wanted['description']}" if wanted.get("description") else ""
        yield name, f"{_takes(wanted, schema)}{needed}{about}"


def in_short(schema: Schema) -> str:
    """All fields of an answer in one line."""
    properties = schema.get("properties", {})
    return ", ".join(f"{name} ({_takes(wanted, schema)})" for name, wanted in properties.items()) or "no fields"


def read_settings(given: Sequence[str], schema: Schema) -> dict[str, Any]:
    """Read `field=value` into an answer; a dotted field goes into an object.

    What the field takes decides how the value is read: text stays as it was typed, all else is JSON.

    Args:
        given: As typed.
        schema: The answer's JSON schema.

    Raises:
        BadInput: one is no `field=value`, a field is there twice, or they are over 64 KB.
    """
    body: dict[str, Any] = {}
    if sum(len(text) for text in given) > BODY_LIMIT:
        raise BadInput(f"over {BODY_LIMIT} bytes; pass larger data by reference", field="--set", code="too_large")
    for text in given:
        path, equals, value = text.partition("=")
        *outer, last = path.strip().split(".")
        if not equals or not all([*outer, last]):
            raise BadInput("write field=value", field="--set")
        there = body
        for name in outer:
            there = there.setdefault(name, {})
            if not isinstance(there, dict):
                raise BadInput("a field is set twice", field=path)
        if last in there:
            raise BadInput("a field is set twice", field=path)
        there[last] = _value(value, _at([*outer, last], schema), schema)
    return body


def _value(text: str, wanted: Schema, whole: Schema) -> Any:
    if "string" in _types(wanted, whole):
        return text
    try:
        return loads(text.encode())
    except (BadInput, UnicodeEncodeError):
        return text  # the unit says what it expected instead


def _at(path: list[str], schema: Schema) -> Schema:
    """The schema of a field; empty for one that the answer does not have."""
    wanted: Schema = schema
    for name in path:
        choices = [wanted, *wanted.get("anyOf", ())]
        fields = (_resolved(choice, schema).get("properties", {}) for choice in choices)
        wanted = next((_resolved(there[name], schema) for there in fields if name in there), {})
    return wanted


def _resolved(wanted: Schema, whole: Schema) -> Schema:
    while "$ref" in wanted:
        wanted = whole.get("$defs", {}).get(str(wanted["$ref"]).rpartition("/")[2], {})
    return wanted


def _types(wanted: Schema, whole: Schema) -> set[str]:
    wanted = _resolved(wanted, whole)
    if "anyOf" in wanted:
        return {kind for choice in wanted["anyOf"] for kind in _types(choice, whole)}
    values = wanted.get("enum", [wanted["const"]] if "const" in wanted else [])
    if any(isinstance(value, str) for value in values):
        return {"string"}
    return {str(wanted["type"])} if "type" in wanted else {"string"} if not wanted else set()


def _takes(wanted: Schema, whole: Schema, depth: int = _DEEPEST) -> str:
    wanted = _resolved(wanted, whole)
    if "anyOf" in wanted:
        return " or ".join(_takes(choice, whole, depth) for choice in wanted["anyOf"])
    if "enum" in wanted or "const" in wanted:
        values = wanted.get("enum", [wanted.get("const")])
        return " | ".join(value if isinstance(value, str) else json.dumps(value) for value in values)
    kind = str(wanted.get("type", "anything"))
    if kind == "array" and depth:
        return f"list of {_takes(wanted.get('items', {}), whole, depth - 1)}"
    if kind == "object" and wanted.get("properties") and depth:
        inner = (f"{name}: {_takes(field, whole, depth - 1)}" for name, field in wanted["properties"].items())
        return "{" + ", ".join(inner) + "}"
    return str(wanted.get("format", "")) or _WORDS.get(kind, kind)
