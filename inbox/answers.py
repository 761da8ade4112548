"""What was typed into a form, read as the values of an answer; each misfit says what to do, in plain words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ValidationError

from inbox.moments import TIME_TWICE, from_local
from inbox.money import decimal_of, minor_of
from inbox.shapes import Shape
from workunits.core.errors import BadInput
from workunits.core.strict_json import loads

Typed = Mapping[str, Sequence[str]]
"""What was typed: the values under each name, as a browser sends them."""
MOST_ITEMS = 100
"""Lines of a list."""
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


class Reader:
    """Reads one form."""

    def __init__(self, typed: Typed, zone: ZoneInfo) -> None:
        """Take what was typed.

        Args:
            typed: The values under each name.
            zone: In which times are meant.
        """
        self.errors: dict[str, str] = {}
        """What does not fit, by the path in the answer."""
        self._typed = typed
        self._zone = zone
        self._kinds: dict[str, Callable[[Shape, str, str], Read]] = {
            "group": self._group,
            "list": self._list,
            "either": self._either,
            "money": self._money,
            "many": self._many,
        }

    def read(self, shape: Shape, name: str, key: str = "") -> Read:
        """Read one value and all inside it.

        Args:
            shape: What it should be.
            name: Its name on the form.
            key: Its path in the answer.
        """
        if shape.kind == "fixed":
            return True, shape.default
        if shape.kind in self._kinds:
            return self._kinds[shape.kind](shape, name, key)
        text = self._first(name).replace("\r\n", "\n")
        if not text.strip():
            return self._blank(shape, key)
        try:
            return True, _scalar(shape, text if shape.kind in ("text", "long") else text.strip(), self._zone)
        except ValueError as error:
            return self._wrong(key, str(error))

    def _first(self, name: str) -> str:
        return next(iter(self._typed.get(name, ())), "")

    def _wrong(self, key: str, why: str) -> Read:
        self.errors[key] = why
        return _NOTHING

    def _blank(self, shape: Shape, key: str) -> Read:
        if shape.kind == "yes_no" and not shape.required and not shape.nullable:
            return True, False  # a box that is not ticked is not sent
        if shape.nullable:
            return True, None
        if shape.required:
            return self._wrong(key, CHOOSE if shape.kind in ("choice", "yes_no", "either") else NEEDED)
        return (True, "") if shape.kind in ("text", "long") and shape.default else _NOTHING

    def _group(self, shape: Shape, name: str, key: str) -> Read:
        if (shape.nullable or not shape.required) and key and not self._filled(name):
            return (True, None) if shape.nullable else _NOTHING
        made: dict[str, Any] = {}
        for field in shape.inside:
            path = f"{key}.{field.name}" if key else field.name
            there, value = self.read(field, f"{name}.{field.name}", path)
            if there:
                made[field.name] = value
        return True, made

    def _list(self, shape: Shape, name: str, key: str) -> Read:
        count = count_of(self._typed, name)
        if not count and (shape.nullable or not shape.required):
            return (True, None) if shape.nullable else _NOTHING
        found = [self.read(shape.inside[0], f"{name}.{index}", f"{key}.{index}") for index in range(count)]
        if count < shape.fewest:
            self.errors[key] = f"List at least {shape.fewest}."
        return True, [value if there else None for there, value in found]

    def _either(self, shape: Shape, name: str, key: str) -> Read:
        said = self._first(f"{name}.?")
        if not (said.isascii() and said.isdigit() and int(said) < len(shape.inside)):
            return self._blank(shape, key)
        return self.read(shape.inside[int(said)], f"{name}.{said}", key)

    def _many(self, shape: Shape, name: str, key: str) -> Read:
        del key
        return True, [choice for choice in shape.choices if str(choice) in self._typed.get(name, ())]

    def _money(self, shape: Shape, name: str, key: str) -> Read:
        amount, currency = self._first(f"{name}.minor").strip(), self._first(f"{name}.currency").strip().upper()
        if not amount and not currency:
            return self._blank(shape, f"{key}.minor")
        if not currency:
            return self._wrong(f"{key}.currency", "Give the currency, such as EUR.")
        number = decimal_of(amount)
        if number is None:
            return self._wrong(f"{key}.minor", "Write an amount such as 1250.50.")
        minor = minor_of(number, currency)
        if minor is None:
            return self._wrong(f"{key}.minor", "Write no more digits after the point than the currency has.")
        return True, {"minor": minor, "currency": currency}

    def _filled(self, name: str) -> bool:
        """Whether anything was typed into a group."""
        return any(
            any(value.strip() for value in values) and not (key.endswith(".#") and list(values) == ["0"])
            for key, values in self._typed.items()
            if key.startswith(f"{name}.")
        )


def count_of(typed: Typed, name: str) -> int:
    """How many items a list has on the form."""
    said = next(iter(typed.get(f"{name}.#", ())), "")
    return min(int(said[:9]), MOST_ITEMS) if said.isascii() and said.isdigit() else 0


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


def _scalar(shape: Shape, text: str, zone: ZoneInfo) -> Any:
    """Read one value.

    Raises:
        ValueError: it does not fit; says what would.
    """
    if shape.kind in ("integer", "number"):
        return _number(shape, text)
    if shape.kind == "yes_no":
        return _one_of({"true": True, "false": False}, text)
    if shape.kind == "choice":
        return _one_of({str(choice): choice for choice in shape.choices}, text)
    if shape.kind == "datetime":
        return _moment(text, zone)
    return _json(text) if shape.kind == "json" else text


def _one_of(choices: Mapping[str, Any], text: str) -> Any:
    if text not in choices:
        raise ValueError(CHOOSE)
    return choices[text]


def _moment(text: str, zone: ZoneInfo) -> str:
    when = from_local(text, zone)
    if when is None:
        raise ValueError(TIME_TWICE)
    return when.isoformat()


def _json(text: str) -> Any:
    try:
        return loads(text.encode())
    except (BadInput, UnicodeEncodeError):
        raise ValueError("Write this as JSON.") from None


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
