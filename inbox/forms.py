"""Forms: the fields of an answer with what was typed into them, and what was typed as the answer's JSON.

What was typed is kept as it was, name by name, so that nothing is lost on the way through an error or a draft.
Every field is named by its path in the answer, after `a.`; `a.lines.#` says how many lines a list has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from inbox.answers import MOST_ITEMS, Reader, Typed, count_of
from inbox.moments import local
from inbox.money import written
from inbox.shapes import Shape, words

ROOT = "a"
_MONEY = {"minor": "amount", "currency": "currency"}
_FEW = 5
"""Choices up to this many are shown at once."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field on a page."""

    shape: Shape
    name: str
    key: str
    """Its path in the answer: what an error names."""
    label: str
    typed: tuple[str, ...] = ()
    error: str = ""
    inside: tuple[Field, ...] = ()
    removable: bool = False

    @property
    def id(self) -> str:
        """Its id on the page."""
        return re.sub(r"[^A-Za-z0-9_-]", "-", self.name)

    @property
    def value(self) -> str:
        """What was typed into it."""
        return self.typed[0] if self.typed else ""

    @property
    def needed(self) -> bool:
        """Whether it has to be filled in."""
        return self.shape.required and not self.shape.nullable and self.shape.kind != "fixed"

    @property
    def few(self) -> bool:
        """Whether its choices fit on the page."""
        return len(self.shape.choices) <= _FEW

    @property
    def singular(self) -> str:
        """What one item of a list is called."""
        plural = self.label.lower()
        return plural[:-1] if plural.endswith("s") and not plural.endswith("ss") else plural

    @property
    def full(self) -> bool:
        """Whether a list takes no more."""
        return len(self.inside) >= min(self.shape.most or MOST_ITEMS, MOST_ITEMS)


class Form:
    """The form of one answer, for a person in a time zone."""

    def __init__(self, shape: Shape, zone: str, *, without: Shape | None = None) -> None:
        """Make the form.

        Args:
            shape: The answer.
            zone: IANA; times without a zone are read in it.
            without: A field that is answered by buttons instead.
        """
        self.shape = shape
        self.zone = ZoneInfo(zone)
        self._without = without

    def starting(self, data: Any = None) -> dict[str, list[str]]:
        """What stands in it at first: the answer's defaults, or what was proposed."""
        typed: dict[str, list[str]] = {}
        self._write(typed, self.shape, ROOT, {} if data is None else data)
        return typed

    def root(self, typed: Typed, errors: Mapping[str, str] | None = None) -> Field:
        """All fields, with what was typed and what is wrong with it."""
        return self._field(self.shape, ROOT, "", typed, errors or {})

    def read(self, typed: Typed) -> tuple[Any, dict[str, str]]:
        """What was typed as the answer's JSON, and what is wrong by path; a wrong field is left out."""
        reader = Reader(typed, self.zone)
        _, data = reader.read(self.shape, ROOT)
        return (data if isinstance(data, dict) else {}), reader.errors

    def changed(self, typed: Typed, what: str) -> dict[str, list[str]]:
        """Add an item to a list, or remove one: `add:a.lines`, `remove:a.lines:0`."""
        made = {name: list(values) for name, values in typed.items()}
        verb, _, rest = what.partition(":")
        name, _, at = rest.partition(":")
        count = count_of(typed, name)
        if verb == "add" and count < MOST_ITEMS:
            made[f"{name}.#"] = [str(count + 1)]
            item = next((f.shape.inside[0] for f in flat(self.root(typed)) if f.name == name and f.shape.inside), None)
            if item is not None:
                self._write(made, item, f"{name}.{count}", None)
        elif verb == "remove" and at.isdigit() and int(at) < count:
            made = _without_item(made, name, int(at))
            made[f"{name}.#"] = [str(count - 1)]
        return made

    def _field(self, shape: Shape, name: str, key: str, typed: Typed, errors: Mapping[str, str]) -> Field:
        inside: tuple[Field, ...] = ()
        if shape.kind in ("group", "money"):
            inside = tuple(
                self._field(field, f"{name}.{field.name}", _under(key, field.name), typed, errors)
                for field in shape.inside
                if field is not self._without
            )
        elif shape.kind == "list":
            inside = tuple(
                self._item(shape, name, key, i, typed=typed, errors=errors) for i in range(count_of(typed, name))
            )
        elif shape.kind == "either":
            inside = tuple(
                self._field(group, f"{name}.{index}", key, typed, {}) for index, group in enumerate(shape.inside)
            )
        given = typed.get(f"{name}.?" if shape.kind == "either" else name, ())
        if shape.kind == "money":
            inside = tuple(replace(field, label=f"{shape.label}, {_MONEY[field.shape.name]}") for field in inside)
        return Field(shape, name, key, shape.label or words(shape.name), tuple(given), errors.get(key, ""), inside)

    def _item(self, shape: Shape, name: str, key: str, index: int, *, typed: Typed, errors: Mapping[str, str]) -> Field:
        made = self._field(shape.inside[0], f"{name}.{index}", _under(key, str(index)), typed, errors)
        label = f"{made.label or shape.label} {index + 1}"
        return Field(made.shape, made.name, made.key, label, made.typed, made.error, made.inside, removable=True)

    def _write(self, typed: dict[str, list[str]], shape: Shape, name: str, data: Any) -> None:
        """Put a value, or else its default, where it would have been typed."""
        value = shape.default if data is None else data
        if shape.kind == "money":
            given = value if isinstance(value, Mapping) else {}
            currency = str(given.get("currency", ""))
            minor = given.get("minor")
            typed[f"{name}.currency"] = [currency]
            typed[f"{name}.minor"] = [written(minor, currency)] if isinstance(minor, int) else [""]
        elif shape.kind == "group":
            given = value if isinstance(value, Mapping) else {}
            for field in shape.inside:
                self._write(typed, field, f"{name}.{field.name}", given.get(field.name))
        elif shape.kind == "list":
            items = list(value) if isinstance(value, list | tuple) else []
            items += [None] * (shape.fewest - len(items))
            typed[f"{name}.#"] = [str(len(items))]
            for index, item in enumerate(items):
                self._write(typed, shape.inside[0], f"{name}.{index}", item)
        elif shape.kind == "either":
            self._write_either(typed, shape, name, value)
        elif shape.kind == "many":
            typed[name] = [str(item) for item in value] if isinstance(value, list | tuple) else []
        elif shape.kind != "fixed":
            typed[name] = [self._text(shape, value)]

    def _write_either(self, typed: dict[str, list[str]], shape: Shape, name: str, value: Any) -> None:
        fits = [index for index, group in enumerate(shape.inside) if isinstance(value, Mapping) and _is(group, value)]
        typed[f"{name}.?"] = [str(fits[0])] if fits else [""]
        for index, group in enumerate(shape.inside):
            self._write(typed, group, f"{name}.{index}", value if index in fits[:1] else None)

    def _text(self, shape: Shape, value: Any) -> str:
        if value is None:
            return ""
        if shape.kind == "yes_no":
            return "true" if value else "false"
        if shape.kind == "datetime":
            return local(str(value), self.zone)
        return json.dumps(value, ensure_ascii=False, indent=2) if shape.kind == "json" else str(value)


def flat(field: Field) -> list[Field]:
    """A field and all inside it."""
    return [field, *(inner for child in field.inside for inner in flat(child))]


def placed(root: Field, errors: Mapping[str, str]) -> dict[str, str]:
    """Errors under the paths that the form has: one without a field goes to what holds it, or to the whole form."""
    keys = {field.key for field in flat(root)}
    found: dict[str, str] = {}
    for path, words_ in errors.items():
        key = path
        while key and key not in keys:
            key = key.rpartition(".")[0]
        found[key] = f"{found[key]} {words_}" if key in found else words_
    return found


def _under(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _is(group: Shape, value: Mapping[str, Any]) -> bool:
    """Whether a value is of this one of several groups: its fixed fields agree."""
    return all(value.get(field.name) == field.default for field in group.inside if field.kind == "fixed")


def _without_item(typed: dict[str, list[str]], name: str, index: int) -> dict[str, list[str]]:
    """What was typed, without one item of a list; those behind it move up."""
    made: dict[str, list[str]] = {}
    item = re.compile(re.escape(name) + r"\.(\d+)(.*)", re.DOTALL)
    for key, values in typed.items():
        found = item.fullmatch(key)
        at = int(found[1]) if found else -1
        if found and at == index:
            continue
        made[f"{name}.{at - 1}{found[2]}" if found and at > index else key] = values
    return made
