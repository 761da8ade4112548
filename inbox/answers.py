"""What was typed into a form, read as the values of an answer; each misfit says what to do, in plain words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ValidationError

from inbox.moments import TIME_TWICE, from_local
from inbox.money import decimal_of, minor_of
from inbox.shapes import Shape
from workunits.core.errors import BadInput
from workunits.core.strict_json import loads

Typed = Mapping[str, Sequence[str]]
Read = tuple[bool, Any]
"""Whether there is a value, and which."""

NEEDED = "Fill this in."
CHOOSE = "Choose one."
_NOTHING: Read = (False, None)
_WORDS = {
    "missing": NEEDED,
    "extra_forbidden": "This is not part of the answer.",
    "string_too_short": "Write at least {min_length} letters.",
    "string_too_long": "Write at most {max_length} letters.",
    "string_pattern_mismatch": "This does not have the form that is expected here.",
    "greater_than": "This should be more than {gt}.",
    "greater_than_equal": "This should be at least {ge}.",
    "less_than": "This should be less than {lt}.",
    "less_than_equal": "This should be at most {le}.",
    "too_short": "List at least {min_length}.",
    "too_long": "List at most {max_length}.",
    "literal_error": CHOOSE,
    "enum": CHOOSE,
    "date_from_datetime_parsing": "Give a day, such as 2026-01-31.",
    "multiple_of": "This should be a multiple of {multiple_of}.",
    "decimal_max_places": "Write at most {decimal_places} digits after the point.",
}


def read_value(shape: Shape, name: str, key: str, typed: Typed, errors: dict[str, str], zone: ZoneInfo) -> Read:
    """Read one value and all inside it.

    Args:
        shape: What it should be.
        name: Its name on the form.
        key: Its path in the answer.
        typed: What was typed.
        errors: By path; misfits are added.
        zone: In which times are meant.
    """
    if shape.kind == "fixed":
        return True, shape.default
    if shape.kind == "group":
        return _group(shape, name, key, typed, errors, zone)
    if shape.kind == "list":
        return _list(shape, name, key, typed, errors, zone)
    if shape.kind == "either":
        return _either(shape, name, key, typed, errors, zone)
    if shape.kind == "money":
        return _money(shape, name, key, typed, errors)
    if shape.kind == "many":
        return True, [choice for choice in shape.choices if str(choice) in typed.get(name, ())]
    text = "".join(typed.get(name, ())[:1]).replace("\r\n", "\n")
    if shape.kind not in ("text", "long"):
        text = text.strip()
    if not text.strip():
        return _blank(shape, key, errors)
    try:
        return True, _scalar(shape, text, zone)
    except ValueError as error:
        errors[key] = str(error)
        return _NOTHING


def misfits(model: type[BaseModel], data: Any) -> dict[str, str]:
    """What is wrong with an answer by its own model, in plain words by path; nothing of the answer is repeated."""
    try:
        model.model_validate_json(json.dumps(data), strict=True, extra="forbid")
    except ValidationError as error:
        found: dict[str, str] = {}
        for fault in error.errors(include_url=False, include_input=False):
            path = ".".join(str(part) for part in fault["loc"])
            said = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
            pattern = _WORDS.get(fault["type"])
            text = pattern.format(**fault.get("ctx", {})) if pattern else _sentence(said)
            if not path:
                path, text = _named(model, said, text)
            found.setdefault(path, text)
        return found
    except Exception:  # noqa: BLE001 - a bug in a model's own check: the unit is the judge, and says so
        return {}
    return {}


def _named(model: type[BaseModel], said: str, text: str) -> tuple[str, str]:
    """A check of the whole answer may begin with the field that it is about: `reason: required when refusing`."""
    field, colon, rest = said.partition(": ")
    return (field, _sentence(rest)) if colon and field in model.model_fields else ("", text)


def _sentence(said: str) -> str:
    said = said[:1].upper() + said[1:]
    return said if said.endswith((".", "!", "?")) else f"{said}."


def _blank(shape: Shape, key: str, errors: dict[str, str]) -> Read:
    if shape.kind == "yes_no" and not shape.required and not shape.nullable:
        return True, False  # a box that is not ticked is not sent
    if shape.nullable:
        return True, None
    if shape.required:
        errors[key] = CHOOSE if shape.kind in ("choice", "yes_no") else NEEDED
        return _NOTHING
    return (True, "") if shape.kind in ("text", "long") and shape.default else _NOTHING


def _group(shape: Shape, name: str, key: str, typed: Typed, errors: dict[str, str], zone: ZoneInfo) -> Read:
    if (shape.nullable or not shape.required) and key and not _filled(typed, name):
        return (True, None) if shape.nullable else _NOTHING
    made: dict[str, Any] = {}
    for field in shape.inside:
        path = f"{key}.{field.name}" if key else field.name
        there, value = read_value(field, f"{name}.{field.name}", path, typed, errors, zone)
        if there:
            made[field.name] = value
    return True, made


def _list(shape: Shape, name: str, key: str, typed: Typed, errors: dict[str, str], zone: ZoneInfo) -> Read:
    said = next(iter(typed.get(f"{name}.#", ())), "0")
    count = min(int(said), 100) if said.isascii() and said.isdigit() else 0
    if not count and (shape.nullable or not shape.required):
        return (True, None) if shape.nullable else _NOTHING
    made = []
    for index in range(count):
        there, value = read_value(shape.inside[0], f"{name}.{index}", f"{key}.{index}", typed, errors, zone)
        made.append(value if there else None)
    if len(made) < shape.fewest:
        errors[key] = f"List at least {shape.fewest}."
    return True, made


def _either(shape: Shape, name: str, key: str, typed: Typed, errors: dict[str, str], zone: ZoneInfo) -> Read:
    said = next(iter(typed.get(f"{name}.?", ())), "")
    if not (said.isascii() and said.isdigit() and int(said) < len(shape.inside)):
        return _blank(Shape("choice", required=shape.required, nullable=shape.nullable), key, errors)
    return read_value(shape.inside[int(said)], f"{name}.{said}", key, typed, errors, zone)


def _money(shape: Shape, name: str, key: str, typed: Typed, errors: dict[str, str]) -> Read:
    amount = "".join(typed.get(f"{name}.minor", ())[:1]).strip()
    currency = "".join(typed.get(f"{name}.currency", ())[:1]).strip().upper()
    if not amount and not currency:
        if shape.nullable or not shape.required:
            return (True, None) if shape.nullable else _NOTHING
        errors[f"{key}.minor"] = NEEDED
        return _NOTHING
    if not currency:
        errors[f"{key}.currency"] = "Give the currency, such as EUR."
        return _NOTHING
    number = decimal_of(amount)
    minor = minor_of(number, currency) if number is not None else None
    if minor is None:
        errors[f"{key}.minor"] = (
            "Write an amount such as 1250.50." if number is None else f"{currency} has fewer digits after the point."
        )
        return _NOTHING
    return True, {"minor": minor, "currency": currency}


def _scalar(shape: Shape, text: str, zone: ZoneInfo) -> Any:
    """Read one value.

    Raises:
        ValueError: it does not fit; says what would.
    """
    if shape.kind in ("integer", "number"):
        return _number(shape, text)
    if shape.kind == "yes_no":
        if text not in ("true", "false"):
            raise ValueError(CHOOSE)
        return text == "true"
    if shape.kind == "choice":
        chosen = [choice for choice in shape.choices if str(choice) == text]
        if not chosen:
            raise ValueError(CHOOSE)
        return chosen[0]
    if shape.kind == "datetime":
        moment = from_local(text, zone)
        if moment is None:
            raise ValueError(TIME_TWICE)
        return moment.isoformat()
    if shape.kind == "json":
        try:
            return loads(text.encode())
        except (BadInput, UnicodeEncodeError):
            raise ValueError("Write this as JSON.") from None
    return text


def _number(shape: Shape, text: str) -> int | float | str:
    number = decimal_of(text)
    if number is None or not number.is_finite():
        raise ValueError("Write a number such as 1250.50, with a point and without letters.")
    if shape.exact:
        return str(number)
    if shape.kind == "integer":
        if number != number.to_integral_value() or abs(number) >= 2**63:
            raise ValueError("Write a whole number.")
        return int(number)
    return float(number)


def _filled(typed: Typed, name: str) -> bool:
    """Whether anything was typed into a group."""
    return any(
        any(value.strip() for value in values) and not (key.endswith(".#") and list(values) == ["0"])
        for key, values in typed.items()
        if key.startswith(f"{name}.")
    )
